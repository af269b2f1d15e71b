# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.xid import XIDS
from ansible_collections.gpulab.expansion.plugins.plugin_utils._logs.signals import SignalError, check, page, pipeline, rules, xids

ROOT = pathlib.Path(__file__).resolve().parents[5]
TABLE = yaml.safe_load((ROOT / "roles" / "elk" / "files" / "signals.yml").read_text(encoding="utf-8"))


def changed(**more: t.Any) -> dict[str, t.Any]:
    table = copy.deepcopy(TABLE)
    table["signals"][1].update(more)
    return t.cast("dict[str, t.Any]", table)


def test_each_signal_has_a_step_and_the_last_marks() -> None:
    steps = pipeline(TABLE)["processors"]
    assert [step["grok"]["tag"] for step in steps if "grok" in step] == [signal["id"] for signal in TABLE["signals"]]
    assert steps[-1]["script"]["tag"] == "mark"
    assert set(steps[-1]["script"]["params"]["signals"]) == {signal["id"] for signal in TABLE["signals"]}


def test_the_page_is_made_of_the_table() -> None:
    assert (ROOT / "docs" / "log-signals.md").read_text(encoding="utf-8") == page(TABLE), "write page(table) to docs/log-signals.md"


def test_each_signal_looks_for_what_its_lines_have() -> None:
    for signal in TABLE["signals"]:
        for line in signal["fires"]:
            assert any(text in line for text in signal["contains"]), (signal["id"], line)


def test_twenty_rules_at_least_each_with_advice_in_two_languages() -> None:
    found = rules(TABLE)
    assert len(found) >= 20
    assert len({rule["name"] for rule in found}) == len(found)
    assert all(rule["query_key"] == ["host.name", "device.name"] for rule in found)
    known = {**pipeline(TABLE)["processors"][-1]["script"]["params"]["signals"], **xids()}
    assert all(row.get("by_xid") or row["advice"] and row["advice_zh"] for row in known.values())


def test_a_program_of_a_user_calls_nobody() -> None:
    """Xid 31 and 45 come of programs; 63 and 64 wait for what the row-remap state says."""
    told = xids()
    assert {told[str(code)]["severity"] for code in (13, 31, 43, 45, 63, 64)} == {"info"}
    assert {told[str(code)]["severity"] for code in (48, 74, 79, 95)} == {"critical"}
    assert set(told) == {str(code) for code in XIDS} | {"other"}
    assert "nvidia_xid_program" not in {rule["name"] for rule in rules(TABLE)}


def test_what_is_common_calls_when_it_is_frequent_and_all_else_at_once() -> None:
    found = {rule["name"]: rule for rule in rules(TABLE)}
    login = found.pop("failed_login")
    assert (login["type"], login["num_events"], login["timeframe"]) == ("frequency", 10, {"minutes": 5})
    many, new = found.pop("corrected_errors"), found.pop("root_login")
    assert (many["type"], many["num_events"], many["timeframe"]) == ("frequency", 100, {"minutes": 60})
    assert (new["type"], new["fields"], new["terms_window_size"]) == ("new_term", [["host.name", "device.name"]], {"days": 30})
    assert {rule["type"] for rule in found.values()} == {"any"}
    assert found["nvidia_xid_bus"]["filter"] == [{"term": {"signal.id": "nvidia_xid"}}, {"term": {"signal.class": "bus"}}]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"severity": "loud"}, "a severity of critical, warning, info is expected, but it has 'loud'"),
        ({"advice_zh": ""}, "advice and advice_zh are expected, but not there"),
        ({"id": "nvidia_xid"}, "each id is expected once, but this one comes twice"),
        ({"colour": "red"}, "but it has colour"),
        ({"pattern": ["GPU (%{INT:gpu.n}"]}, "a grok pattern is expected, but it is none: missing \\)"),
        ({"pattern": ["%{COLOUR:device.name}"]}, "it uses COLOUR, which nobody defines"),
        ({"frequency": {"minutes": 5}}, "is expected, but it has frequency otherwise"),
        ({"spares": [{"NVRM": "loading"}]}, "texts are expected in spares, but one is {'NVRM': 'loading'}: put it into quotes"),
        ({"new": {"days": 3}, "frequency": {"num_events": 3, "minutes": 5}}, "but it has frequency, new otherwise"),
    ],
)
def test_a_wrong_table_is_told(more: dict[str, t.Any], said: str) -> None:
    with pytest.raises(SignalError, match=said):
        check(changed(**more))


def test_a_missing_field_is_told() -> None:
    table = changed()
    del table["signals"][1]["pattern"]
    with pytest.raises(SignalError, match="signal nvidia_sxid: pattern is expected, but not there"):
        check(table)


def test_quotes_of_a_text_do_not_end_painless() -> None:
    step = pipeline(changed(contains=["it's \\ here"]))["processors"][2]["grok"]
    assert "contains('it\\'s \\\\ here')" in step["if"]
