# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import pathlib
import re
import types
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.model import HOST_STATES, reading_of
from ansible_collections.gpulab.expansion.plugins.plugin_utils._chinese import chinese
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.judge import judge
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.judge import judge_all

TESTS = pathlib.Path(__file__).resolve().parents[1]
# names, units, and what a driver or a server said, stay as they are
STAY = re.compile(
    r"sm_\d+a?|compute_\d+|gpulab\.\w+|CUDA(_VERSION)?|PTX|NVIDIA|GeForce|RTX|Tesla|PCIe|HBM\d|SXM\d|amd64|arm64|[a-z0-9]+(?=[ ：]为)"
    r"|cvtsudoers|visudo -c|sudo|JSON|root|/etc/nsswitch\.conf"
    r"|PCI|NVML|Xid|Python|nvidia-ml-py|nvidia-smi|python_env|dmesg|elk|--tags"
    r"|cuda>=|driver>=|brand=\w+|Ti|mgmt1|Prometheus|GPU|Unknown Error|Gbit/s|GB|TB|no answer|boom|Li Wei"
)


def situations(path: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"situations_of_{pathlib.Path(path).stem}", TESTS / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def phrases() -> t.Iterator[str]:
    tests = situations("plugin_utils/_thresholds/test_thresholds.py")
    for _what, key, measured, _state, _told in tests.SITUATIONS:
        yield from (finding.told for finding in judge_all([tests.THRESHOLDS[key]], measured, tests.NOW))
    images = situations("module_utils/_images/test_compatibility.py")
    yield from (
        verdict.why for verdict in (images.judge(image, node) for image in images.IMAGES.values() for node in images.NODES.values()) if verdict.runs is not True
    )
    yield from (said() for said in HOST_STATES.values())
    yield reading_of("failed", "Unknown Error").message
    yield from ("checked on a", "deployed and verified on a; not brought to its end on b", "stopped by its gate")
    yield from ("left out: --tags elk", "skipped: the group elk is empty")
    yield from (
        "cvtsudoers, which reads the rules of sudo, is expected beside sudo, but is not there.",
        "cvtsudoers is expected to read the rules of sudo, but cannot: it writes no JSON, as for an alias that is not defined (visudo -c tells).",
        "cvtsudoers is expected to read the rules of sudo, but cannot: no answer.",
        "Rules of sudo that come from elk (/etc/nsswitch.conf) are not read.",
    )
    gates = situations("plugin_utils/_roadmap/test_judge.py")
    for _what, key, known, _override, _state, _told in gates.SITUATIONS:
        yield from (j.found for j in judge(gates.ROADMAP.modules[key], known, [], gates.NOW).judgements)


@pytest.mark.parametrize("phrase", sorted(set(phrases())))
def test_every_phrase_of_the_judges_has_its_chinese(phrase: str) -> None:
    left = STAY.sub("", chinese(phrase))
    assert not re.search(r"[A-Za-z]{2,}", left), left
