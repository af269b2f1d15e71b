# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of the logs, whatever whoever sends lines calls his streams and hosts. That real engines are asked so, molecule/elk shows."""

from __future__ import annotations

import pathlib
import typing as t
from urllib.parse import unquote

import prometheus_client.parser
import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._logs.programs.maintenance import retain
from ansible_collections.gpulab.expansion.plugins.module_utils._logs.retention import DAY, Index
from ansible_collections.gpulab.expansion.plugins.module_utils._textfile import Textfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

NOW = 1_795_514_400.0
CONFIG = {"retention": [{"streams": "*", "days": 7}], "alert_days": 7, "alerts": "alerts", "audit": "audit-*", "audit_days": 7}
NAMES = st.text(max_size=255) | st.sampled_from(["*", "_all", "a,b", "-x", "../_cluster", "a?q=*", "a#b", "%2a", "a b", "a\nb", "{{ x }}", "é", "\udcff", ""])


class Engine:
    """Notes what it is asked to do; does nothing to a name in C(stuck)."""

    def __init__(self, *stuck: str) -> None:
        self.stuck, self.done = stuck, list[str]()

    def ask(self, method: str, path: str, body: t.Any = None) -> t.Any:
        if method == "DELETE":
            if unquote(path[1:]) in self.stuck:
                raise OSError("a snapshot of it is being made")
            self.done.append(path)
        return {}

    def older(self, _pattern: str, _when: float) -> list[str]:
        return []


@given(NAMES)
def test_a_name_is_one_index_or_refused_and_stops_no_other(name: str) -> None:
    engine = Engine("stuck")
    old = [Index(each, NOW - 20 * DAY, 1) for each in ("before", name, "stuck", "after")]
    with pytest.raises(ValueError, match="delete 'stuck': a snapshot of it is being made"):
        retain(t.cast("t.Any", engine), CONFIG, {"logs": [*old, Index("logs-2", NOW - 10 * DAY, 0)]}, NOW)
    assert engine.done[0] == "/before" and engine.done[-1] == "/after"
    for path in engine.done[1:-1]:
        assert not set(path[1:]) & set("*,?#/") and path[1:2] not in ("_", "-") and unquote(path[1:]) == name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(["\r"])
@given(st.lists(NAMES, min_size=1, max_size=3, unique=True))
def test_a_host_of_any_name_leaves_the_metrics_whole(tmp_path: pathlib.Path, names: list[str]) -> None:
    out = Textfile("gpulab_elk")
    for name in names:
        out.gauge("newest_line_timestamp_seconds", "When the newest line of a host came", 1.0, host=name)
    out.write(str(tmp_path / "out.prom"))
    (family,) = prometheus_client.parser.text_string_to_metric_families((tmp_path / "out.prom").read_bytes().decode())
    assert {sample.labels["host"] for sample in family.samples} == {name.encode("utf-8", "replace").decode() for name in names}
