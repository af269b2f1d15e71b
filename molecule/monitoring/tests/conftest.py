# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from harness import ROOT, Contract, Lab

EXPORTER = "/var/lib/prometheus/node-exporter"  # the directory that Debian's node exporter reads


@pytest.fixture(scope="session")
def watched(lab: Lab, contract: Contract) -> t.Iterator[Lab]:
    """The lab with GPU readings each second, which Prometheus asks for each second."""
    run = lab.play(ROOT / "playbooks" / "gpu_node.yml", variables={"gpu_node_metrics_directory": EXPORTER, "gpu_node_metrics_interval": 1})
    assert run.rc == 0, run.output
    again = lab.play(ROOT / "playbooks" / "monitoring.yml", variables=contract.subject.variables)
    assert again.rc == 0, again.output
    yield lab
    lab.sh("gpu1", "cp /tmp/gpus.conf /etc/nvml-sim.conf 2>/dev/null || true")
