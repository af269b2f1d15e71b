# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run did or would do, for people. Pure: from the records of the callback to text.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ..module_utils._prediction import UNKNOWN_KEY, Tree

Record = t.Dict[str, t.Any]


def summary(records: t.Sequence[Record]) -> dict[str, t.Any]:
    """Changes by host, verdicts, gates and failures, in the order in which they came."""
    hosts: dict[str, list[Tree]] = {}
    for record in records:
        if record["changed"] and not record["failed"]:
            predicted = record.get("prediction")
            if predicted is None:
                predicted = [{"kind": "task", "key": record["task"], "before": None, "after": {}, "impact": []}]
            hosts.setdefault(record["host"], []).extend({**p, "role": record["role"]} for p in predicted)
    return {
        "hosts": hosts,
        "verdicts": [{"host": r["host"], "role": r["role"], **v} for r in records if not r["failed"] for v in r.get("verdicts") or []],
        "gates": list({gate["module"]: gate for r in records for gate in r.get("gates") or []}.values()),
        "outcomes": [o for r in records for o in r.get("outcomes") or []],
        "failures": [{"host": r["host"], "task": r["task"], "message": r["message"]} for r in records if r["failed"]],
    }


def change_line(change: Tree) -> str:
    """One change in one line: + new, ~ different."""
    sign = "+" if change["before"] is None else "~"
    after = change["after"]
    detail = ""
    if change["kind"] == "unit":
        words = [w for w, there in (("start", after.get("active") == "active"), ("enable", after.get("enabled") == "enabled")) if there]
        detail = ", ".join(words)
    elif change["before"] is not None:
        detail = ", ".join(f"{k} {_short(change['before'].get(k))} to {_short(v)}" for k, v in after.items() if not isinstance(v, dict))
    impact = "; ".join(change["impact"])
    return one_line(f"{sign} {change['kind']} {change['key']}" + (f": {detail}" if detail else "") + (f"  [{impact}]" if impact else ""))


def one_line(text: t.Any) -> str:
    """As it is, but in one line and without what moves a terminal's cursor; names come from clients, registries and users."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape", "replace").decode() for sign in str(text))


def _cell(text: t.Any) -> str:
    """In Markdown, as text and nothing else."""
    return re.sub(r"([\\`*\[<|])", r"\\\1", one_line(text))


def _code(text: str) -> str:
    """In Markdown, as code, whatever ticks are in it."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"


def _short(value: t.Any) -> str:
    if isinstance(value, dict) and UNKNOWN_KEY in value:
        return f"(after apply: {value[UNKNOWN_KEY]})"
    text = str(value)
    return text[:12] + "…" if len(text) > 40 else text


def terminal(found: dict[str, t.Any], check: bool) -> str:
    """What a dry run says at its end; a real run is told the same, done."""
    would = "would change" if check else "changed"
    lines = []
    for host, changes in found["hosts"].items():
        lines.append(f"{host} {would} {len(changes)}:")
        lines += [f"  {change_line(c)}" for c in changes]
    if not found["hosts"]:
        lines.append(f"Nothing {would}.")
    lines += [one_line(f"{o['module']}: {o['outcome']}") for o in found["outcomes"]]
    return "\n".join(lines)


def markdown(found: dict[str, t.Any], title: str, when: str, check: bool) -> str:
    lines = [f"# {title}", "", f"{'Dry run' if check else 'Run'} of {when}.", ""]
    if found["outcomes"]:
        lines += ["## Roadmap modules", "", "| module | outcome |", "|---|---|"]
        lines += [f"| {_cell(o['module'])} | {_cell(o['outcome'])} |" for o in found["outcomes"]] + [""]
    if found["failures"]:
        lines += ["## Failed", ""] + [f"- **{_cell(f['host'])}**, {_cell(f['task'])}: {_cell(f['message'])}" for f in found["failures"]] + [""]
    if found["verdicts"]:
        lines += ["## Verified", "", "| host | what | verdict | measured |", "|---|---|---|---|"]
        lines += ["| " + " | ".join(_cell(v[name]) for name in ("host", "subject", "verdict", "measured")) + " |" for v in found["verdicts"]] + [""]
    lines += [f"## {'Would change' if check else 'Changed'}", ""]
    for host, changes in found["hosts"].items():
        lines += [f"### {host} ({len(changes)})", ""] + [f"- {_code(change_line(c))}" for c in changes] + [""]
    if not found["hosts"]:
        lines += ["Nothing.", ""]
    return "\n".join(lines)
