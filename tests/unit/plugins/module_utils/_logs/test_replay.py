# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._logs.replay import query, summary

ONCE = {"id": "once", "name": "once", "contains": ["NVRM: Xid"], "program": ["kernel"]}
OFTEN = {"id": "often", "name": "often", "contains": ["Failed"], "frequency": {"num_events": 3, "minutes": 5}}
MANY = {"id": "often", "name": "often", "contains": ["Corrected"], "frequency": {"num_events": 100, "minutes": 60}}
NEW = {"id": "often", "name": "often", "contains": ["Accepted"], "new": {"days": 30}}
HOUR = 3600.0


def line(when: float, signal: str = "once", device: str = "65:00", host: str = "gpu1", severity: str = "critical") -> dict[str, t.Any]:
    return {"when": when, "signal": signal, "device": device, "host": host, "severity": severity, "message": f"line of {when}"}


@pytest.mark.parametrize(
    ("signal", "lines", "calls"),
    [
        (ONCE, [], 0),
        (ONCE, [line(0), line(10), line(HOUR - 1)], 1),
        (ONCE, [line(0), line(HOUR)], 2),
        (ONCE, [line(0), line(1, device="b3:00"), line(2, host="gpu2")], 3),
        (ONCE, [line(0, severity="info")], 0),
        (OFTEN, [line(0, "often"), line(1, "often")], 0),
        (OFTEN, [line(0, "often"), line(299, "often"), line(300, "often")], 1),
        (OFTEN, [line(0, "often"), line(299, "often"), line(301, "often")], 0),
        (OFTEN, [line(n, "often") for n in range(30)], 1),
        (MANY, [line(n, "often") for n in range(99)], 0),
        (MANY, [line(n, "often") for n in range(100)], 1),
        (NEW, [line(0, "often"), line(2 * HOUR, "often"), line(3 * HOUR, "often", device="198.51.100.7")], 2),
    ],
)
def test_calls_are_those_that_the_alerts_would_have_made(signal: dict[str, t.Any], lines: list[dict[str, t.Any]], calls: int) -> None:
    (row,) = summary([signal], reversed(lines), HOUR)
    assert row["calls"] == calls and row["lines"] == len(lines)
    assert row["newest"] == (lines[-1]["message"] if lines else "")


def test_only_lines_of_the_right_program_are_asked_for() -> None:
    asked = query([ONCE, OFTEN], 12.5)["bool"]
    assert asked["filter"] == [{"range": {"@timestamp": {"gte": 12500, "format": "epoch_millis"}}}]
    first, second = (each["bool"] for each in asked["should"])
    assert first["filter"] == [{"terms": {"process.name": ["kernel"]}}] and second["filter"] == []
    assert first["should"] == [{"match_phrase_prefix": {"message": "NVRM: Xid"}}]
