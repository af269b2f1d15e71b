# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown
from ansible_collections.gpulab.expansion.plugins.plugin_utils._report import change_line, markdown, summary, terminal
from hypothesis import given
from hypothesis import strategies as st


def record(**more: t.Any) -> dict[str, t.Any]:
    base = {"host": "gpu1", "role": "borg", "task": "x", "changed": False, "failed": False, "message": ""}
    return {**base, "prediction": None, "verdicts": None, "gates": None, "outcomes": None, **more}


UNIT = {"kind": "unit", "key": "a.timer", "before": None, "after": {"active": "active", "enabled": "enabled"}, "impact": []}
FILE = {"kind": "file", "key": "/etc/a", "before": {"mode": "0600"}, "after": {"mode": "0644"}, "impact": ["restarts a"]}


def test_lines() -> None:
    assert change_line(UNIT) == "+ unit a.timer: start, enable"
    assert change_line(FILE) == "~ file /etc/a: mode 0600 to 0644  [restarts a]"
    new_id = {**FILE, "before": {"id": "x" * 50}, "after": {"id": unknown("generated")}, "impact": []}
    assert "file /etc/a" in change_line(new_id)


def test_summary_and_texts() -> None:
    found = summary(
        [
            record(changed=True, prediction=[UNIT, FILE]),
            record(changed=True, host="gpu2"),
            record(failed=True, changed=True, message="no"),
            record(verdicts=[{"subject": "age", "verdict": "ok", "measured": "1 min"}]),
            record(outcomes=[{"module": "borg", "outcome": "deployed"}]),
        ]
    )
    assert [len(v) for v in found["hosts"].values()] == [2, 1]
    assert "gpu1 would change 2:" in terminal(found, check=True)
    text = markdown(found, "phase1", "today", check=False)
    for part in ("Run of today", "| borg | deployed |", "| gpu1 | age | ok | 1 min |", "- **gpu1**, x: no", "- `+ unit a.timer: start, enable`"):
        assert part in text
    assert terminal(summary([]), check=True) == "Nothing would change."


NAMES = st.text(max_size=255) | st.sampled_from(
    ["-x", "a|b", "a`b``c", "a\nb", "a\r\x1b[2Jb", "[x](http://y)", "<script>", "**", "%s{{ 7*7 }}", "\\", "\\|", "\udcff", "\u2028", "x" * 255]
)


@given(NAMES)
def test_names_of_anybody_stay_text_and_in_their_line(name: str) -> None:
    change = {**FILE, "key": name, "before": {"mode": name}, "after": {"mode": name + "x"}, "impact": [name]}
    found = summary(
        [
            record(changed=True, host="gpu1", prediction=[change]),
            record(failed=True, host=name, task=name, message=name),
            record(verdicts=[{"subject": name, "verdict": "ok", "measured": name}]),
            record(outcomes=[{"module": name, "outcome": name}]),
        ]
    )
    told = terminal(found, check=True).split("\n")
    assert len(told) == 3 and all(line.isprintable() for line in told)
    text = markdown(found, "phase1", "today", check=False)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows] == [3, 3, 5, 5]
    assert len(text.splitlines()) == 25 and not re.search(r"(?<!\\)(?:\\\\)*[<*\[]", rows[1] + rows[3])
    (line,) = [line for line in text.splitlines() if line.startswith("- `")]
    ticks = re.match("`+", line[2:])[0]  # type: ignore[index]
    assert line.endswith(ticks) and len(re.findall(f"(?<!`){ticks}(?!`)", line)) == 2
