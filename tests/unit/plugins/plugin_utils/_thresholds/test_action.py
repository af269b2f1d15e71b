# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.action import of_host, thresholds
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.judge import judge_all

NOW = 1_795_514_400.0


@pytest.mark.parametrize(
    ("labels", "device", "state"),
    [
        ({"gpu": "3", "GPU_I_ID": "1", "device": "nvidia3"}, "gpu3", "over"),
        ({"device": "nvidia3"}, "nvidia3", "over"),
        ({"UUID": "GPU-0b7c"}, "GPU-0b7c", "over"),
        ({"minor": "3"}, "", "unknown"),
    ],
)
def test_whose_series_it_is(labels: dict[str, str], device: str, state: str) -> None:
    wanted = [thresholds({})["gpu_lost"]]
    rows = [{"labels": {"instance": host, **labels}, "samples": [(NOW, 1.0)]} for host in ("gpu1:9100", "gpu11:9100")]
    (series,) = of_host({"gpu_lost": {"series": rows}}, wanted, {"gpu1"})
    (finding,) = judge_all(wanted, [series], NOW)
    assert (finding.device, finding.state) == (device, state)
    assert state == "over" or finding.told == "its series in Prometheus have no label gpu, device or uuid: keep one in the query of gpu_lost"
