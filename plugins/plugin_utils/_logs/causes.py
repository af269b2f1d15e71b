# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a host had trouble: of what was seen in a window of time, what came of what. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Times are seconds since the epoch.

Lines that say the same of one device are one happening. A happening follows from another when the table of signals says that the one leads to the
other, and it did not come first. What follows from nothing is a cause; those that much follows from, and that are severe, are told first.
"""

from __future__ import annotations

import dataclasses
import typing as t

Tree = t.Dict[str, t.Any]

EARLY = 30.0  # by which a consequence may be logged ahead of its cause: programs flush late, and clocks differ
LATE = 1800.0  # until which something is taken for a consequence: NCCL gives up after so long
CLOCK = 5.0  # by which the clock of a host may be off
# What one host's trouble does to another host.
ACROSS = frozenset(("nccl", "storage_away", "slurm_node_down"))
_WEIGHT = {"critical": 4.0, "warning": 2.0, "info": 0.0}
_TELLS_THAT = 1.0  # off for what tells that something is wrong, and not why
_SYMPTOMS = frozenset(("service", "scheduler", "access"))
_FOLLOWS = 2.0  # weight of one thing that follows, up to three of them
_XID = "nvidia_xid"
_AFTERMATH = frozenset((43, 45))  # Xids that the driver logs of whatever it has to stop


@dataclasses.dataclass
class Happening:
    """What is told of one device of one host; C(first) and C(last) are when."""

    host: str
    device: str
    signal: str
    name: str
    name_zh: str
    severity: str
    kind: str
    advice: str
    advice_zh: str
    first: float
    last: float
    count: int
    line: str
    xid: int = 0
    who: t.List[str] = dataclasses.field(default_factory=list)  # jobs, containers or processes that the lines name
    before: t.List[str] = dataclasses.field(default_factory=list)  # what the service said before it failed
    follows: t.List[str] = dataclasses.field(default_factory=list)  # what came of it, one phrase each
    follows_zh: t.List[str] = dataclasses.field(default_factory=list)
    score: float = 0.0


def happenings(lines: t.Iterable[t.Mapping[str, t.Any]], many: t.Mapping[str, float]) -> list[Happening]:
    """Of lines with C(when), C(host), C(device), C(signal), ...; in the order in which they began. C(many) says how often a signal must be seen to matter."""
    found: dict[tuple[str, str, str, int], Happening] = {}
    for line in sorted(lines, key=lambda each: float(each["when"])):
        key = (line["host"], line["device"], line["signal"], int(line.get("xid") or 0))
        known = found.get(key)
        if known is None:
            known = found[key] = Happening(
                host=line["host"],
                device=line["device"],
                signal=line["signal"],
                name=line["name"],
                name_zh=line["name_zh"],
                severity=line["severity"],
                kind=line["class"],
                advice=line["advice"],
                advice_zh=line["advice_zh"],
                first=float(line["when"]),
                last=float(line["when"]),
                count=0,
                line=line["message"],
                xid=int(line.get("xid") or 0),
            )
        known.count += 1
        known.last = float(line["when"])
        if line.get("who") and line["who"] not in known.who:
            known.who.append(line["who"])
    for each in found.values():
        if each.count < many.get(each.signal, 1):
            each.severity = "info"
    return list(found.values())


def causes(seen: t.Sequence[Happening], leads: t.Mapping[str, t.AbstractSet[str]], host: str) -> list[Happening]:
    """Those of C(seen) that follow from nothing else, the likeliest first; of other hosts only what something on C(host) follows from."""
    found = []
    for each in seen:
        if any(_led(other, each, leads) for other in seen):
            continue
        came = [other for other in seen if _led(each, other, leads)]
        if each.host != host and not any(other.host == host for other in came):
            continue
        each.follows = [_phrase(other, other.name) for other in came]
        each.follows_zh = [_phrase(other, other.name_zh) for other in came]
        each.score = _WEIGHT.get(each.severity, 0.0) + _FOLLOWS * min(len(came), 3) - (_TELLS_THAT if each.kind in _SYMPTOMS else 0.0)
        found.append(each)
    return sorted(found, key=lambda each: (-each.score, each.first))


def clock(host: str, off: float) -> Happening:
    """A clock that is off is told like any other trouble, because all times of this host are wrong by it."""
    how, how_zh = ("ahead", "快") if off > 0 else ("behind", "慢")
    return Happening(
        host=host,
        device="clock",
        signal="clock",
        name=f"the clock is {abs(off):.0f} s {how}",
        name_zh=f"时钟{how_zh} {abs(off):.0f} 秒",
        severity="warning",
        kind="service",
        advice="Set it by NTP (timedatectl, chronyc sources); until then the times of this host are off by that much.",
        advice_zh="用 NTP 校时（timedatectl、chronyc sources）；在此之前该主机的时间均有此偏差。",
        first=0.0,
        last=0.0,
        count=1,
        line="",
    )


def readings(series: t.Iterable[t.Mapping[str, t.Any]], since: float, until: float) -> list[Tree]:
    """Of Prometheus' series of one host's GPUs: what each said, and when it was hot, full, or heard no more.

    A series has C(labels) with C(gpu) and C(metric), and C(samples) of time and value.
    """
    gpus: dict[str, Tree] = {}
    for row in series:
        samples = [(float(when), float(value)) for when, value in row["samples"] if since <= float(when) <= until]
        if samples and "gpu" in row["labels"]:
            gpu = gpus.setdefault(row["labels"]["gpu"], {"gpu": row["labels"]["gpu"], "events": []})
            gpu[row["labels"]["metric"]] = {"last": samples[-1][1], "most": max(value for _when, value in samples), "until": samples[-1][0]}
            limit, word, word_zh = _LIMITS.get(row["labels"]["metric"], (None, "", ""))
            over = [when for when, value in samples if limit is not None and value >= limit]
            if over:
                gpu["events"].append({"when": over[0], "text": word, "text_zh": word_zh})
    for gpu in gpus.values():
        heard = max(part["until"] for part in gpu.values() if isinstance(part, dict))
        if until - heard > 120:
            gpu["events"].append({"when": heard, "text": "is read no more", "text_zh": "不再有读数"})
    return [gpus[name] for name in sorted(gpus)]


_LIMITS = {"temperature": (90.0, "reaches 90 °C", "达到 90 °C"), "memory": (0.97, "has its memory full", "显存已满")}


def sentence(host: str, found: t.Sequence[Happening], looked: int, language: str) -> str:
    """What an admin is told first."""
    zh = language == "zh"
    if not found:
        if zh:
            return f"{host}：在 {looked} 行日志中未发现任何已知信号。"
        return f"{host}: nothing that we know the meaning of is in its {looked} lines."
    first = found[0]
    name, advice = (first.name_zh, first.advice_zh) if zh else (first.name, first.advice)
    count = len(first.follows)
    came = (f"，可能引发其他 {count} 项" if zh else f", and {count} other thing{'s' if count > 1 else ''} may have come of it") if count else ""
    return f"{first.host} {first.device}：{name}{came}。{advice}" if zh else f"{first.host} {first.device}: {name}{came}. {advice}"


def _led(cause: Happening, effect: Happening, leads: t.Mapping[str, t.AbstractSet[str]]) -> bool:
    if cause is effect or not cause.first - EARLY <= effect.first <= cause.last + LATE:
        return False
    if cause.host != effect.host:
        return effect.signal in ACROSS and effect.signal in leads.get(cause.signal, ())
    if cause.signal == effect.signal == _XID:
        return cause.device == effect.device and effect.xid in _AFTERMATH and cause.xid not in _AFTERMATH
    if effect.signal not in leads.get(cause.signal, ()):
        return False
    if cause.signal in leads.get(effect.signal, ()) and (effect.first, effect.signal) < (cause.first, cause.signal):
        return False  # either can come of the other, so what came first counts
    # two GPUs have each their own trouble
    both = ":" in cause.device and ":" in effect.device and cause.signal != "pcie"
    return not both or cause.device == effect.device


def _phrase(each: Happening, name: str) -> str:
    return f"{each.host} {each.device}: {name}" + (f" ×{each.count}" if each.count > 1 else "")
