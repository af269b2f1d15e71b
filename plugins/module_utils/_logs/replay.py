# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often signals would have called somebody, of lines of the past. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Times are seconds since the epoch.
"""

from __future__ import annotations

import collections
import typing as t

Tree = t.Dict[str, t.Any]


def query(signals: t.Iterable[Tree], since: float) -> Tree:
    """Lines that one of C(signals) could be, as the engines ask for them; a text that C(contains) has is found by its words."""
    could = []
    for signal in signals:
        texts = [{"match_phrase_prefix": {"message": text}} for text in signal["contains"] if any(map(str.isalnum, text))]
        by = [{"terms": {"process.name": list(signal["program"])}}] if signal.get("program") else []
        could.append({"bool": {"filter": by, "should": texts, "minimum_should_match": 1 if texts else 0}})
    when = {"range": {"@timestamp": {"gte": int(since * 1000), "format": "epoch_millis"}}}
    return {"bool": {"filter": [when], "should": could, "minimum_should_match": 1}}


def summary(signals: t.Iterable[Tree], lines: t.Iterable[Tree], realert: float) -> list[Tree]:
    """For each signal: its lines, hosts, calls and a line of it. C(lines) have C(when), C(host), C(device), C(signal), C(severity) and C(message).

    A device calls when it has been seen often enough within the minutes of the signal's C(frequency), and then not for C(realert) seconds; a C(new)
    one calls once.
    """
    found: dict[str, list[Tree]] = collections.defaultdict(list)
    for line in sorted(lines, key=lambda each: float(each["when"])):
        found[line["signal"]].append(line)
    rows = []
    for signal in signals:
        seen = found[signal["id"]]
        rows.append(
            {
                "id": signal["id"],
                "name": signal["name"],
                "lines": len(seen),
                "hosts": sorted({line["host"] for line in seen}),
                "calls": _calls(signal, [line for line in seen if line["severity"] != "info"], realert),
                "newest": seen[-1]["message"] if seen else "",
            }
        )
    return rows


def _calls(signal: Tree, lines: t.Sequence[Tree], realert: float) -> int:
    if "new" in signal:
        return len({(line["host"], line["device"]) for line in lines})
    frequency = signal.get("frequency") or {"num_events": 1, "minutes": 0}
    number, window = frequency["num_events"], frequency["minutes"] * 60.0
    recent: dict[tuple[str, str], collections.deque[float]] = collections.defaultdict(collections.deque)
    called: dict[tuple[str, str], float] = {}
    calls = 0
    for line in lines:
        key, when = (line["host"], line["device"]), float(line["when"])
        times = recent[key]
        times.append(when)
        while times[0] < when - window:
            times.popleft()
        if len(times) >= number:
            times.clear()
            if when >= called.get(key, when - realert) + realert:
                called[key] = when
                calls += 1
    return calls
