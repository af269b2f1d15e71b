# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the gates of the roadmap from what is known. Pure: no I/O, no clock of its own.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A gate never decides on a value that nobody vouches for: what is unknown, stale, too short or contradictory stays unknown.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ...module_utils._window import CLOCKS, COVERED, coverage, duration, inside, share
from .model import SOURCES, Condition, Module, Override, Reading

MAX_AGE = 86400.0  # seconds after which a reading says nothing about now

Known = t.Mapping[str, t.Sequence[Reading]]  # by evidence


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Of one condition: C(state) is holds, fails or unknown; C(found) is what was found, C(source) who says so."""

    condition: Condition
    state: str
    found: str
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Gate:
    """C(state) is open, closed, unknown or overridden; C(reason) is a sentence for each condition that does not hold."""

    module: str
    state: str
    reason: str
    judgements: tuple[Judgement, ...]

    @property
    def passes(self) -> bool:
        return self.state in ("open", "overridden")


def judge(module: Module, known: Known, overrides: t.Sequence[Override], now: float) -> Gate:
    """The gate of C(module) at C(now), seconds since the epoch."""
    judgements = tuple(judge_condition(condition, known.get(condition.evidence.key, ()), now) for condition in module.needs)
    states = {j.state for j in judgements}
    state = "closed" if "fails" in states else "unknown" if "unknown" in states else "open"
    sentences = [sentence(module, j) for j in judgements if j.state != "holds"]
    today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y-%m-%d")
    for override in overrides if state != "open" else ():
        if override.module == module.key and override.until >= today:
            told = f"{module.key} is overridden by {override.by} until {override.until}: {override.reason}."
            missing = [f"{finding(module, j)}." for j in judgements if j.state != "holds"]
            return Gate(module.key, "overridden", " ".join([told, *missing]), judgements)
        if override.module == module.key:
            sentences.append(f"The override by {override.by} ended on {override.until}.")
    return Gate(module.key, state, " ".join(sentences), judgements)


def judge_condition(condition: Condition, readings: t.Sequence[Reading], now: float) -> Judgement:
    """The best source decides; another that would decide otherwise makes it unknown."""
    ordered = sorted(readings, key=lambda reading: SOURCES.index(reading.source))
    told = [(reading, *_says(condition, reading, now)) for reading in ordered]
    decided = [(reading, holds, found) for reading, holds, found in told if holds is not None]
    if not decided:
        reasons = [f"{found} ({reading.source})" for reading, _holds, found in told]
        return Judgement(condition, "unknown", "; ".join(reasons) or "nobody measures or declares it")
    best, holds, found = decided[0]
    other = next((row for row in decided if row[1] != holds), None)
    if other:
        return Judgement(condition, "unknown", f"{best.source} says {found}, but {other[0].source} says {other[2]}")
    return Judgement(condition, "holds" if holds else "fails", found, best.source)


def _says(condition: Condition, reading: Reading, now: float) -> tuple[bool | None, str]:
    """Whether it holds by this reading, None when it cannot tell, and what was found or why it cannot."""
    unit = condition.evidence.unit
    if reading.time > now + CLOCKS:
        return None, "it was read in the future: the clocks disagree"
    if reading.source != "declared" and now - reading.time > MAX_AGE:
        return None, f"it is {(now - reading.time) / 3600:.0f} h old"
    if reading.source == "declared" or not condition.window:
        if reading.value is None:
            return None, reading.reason or "it is not known"
        return condition.holds(reading.value), _value(reading.value, unit)
    found = inside(reading.samples, condition.window, now)
    if not found:
        return None, reading.reason or f"it has no history, and {duration(condition.window)} are needed"
    seen = coverage(found, condition.window, now)
    if seen < COVERED:
        return None, f"its history shows {seen:.0%} of {duration(condition.window)}, and {COVERED:.0%} are needed"
    part = share(found, condition.holds)
    return part >= condition.share, f"so for {part:.0%} of {duration(condition.window)}, last {_value(found[-1][1], unit)}"


def sentence(module: Module, judgement: Judgement) -> str:
    """Object, expectation, finding and way out of a condition that does not hold."""
    evidence = judgement.condition.evidence
    if evidence.unit == "truth":
        way_out = f": when it holds, set {evidence.key}: true in lab_preconditions."
    elif judgement.state == "fails":
        way_out = ": it is not due yet; name who answers for it in lab_gate_overrides to go on."
    else:
        way_out = f". Let Prometheus measure it, or declare {evidence.key} in lab_preconditions."
    return finding(module, judgement) + way_out


def finding(module: Module, judgement: Judgement) -> str:
    """The same without the way out, for a gate that somebody answers for."""
    condition = judgement.condition
    evidence = condition.evidence
    if evidence.unit == "truth":
        found = "the inventory says there is none" if judgement.state == "fails" else f"whether it is there is not known: {judgement.found}"
        return f"{module.key} expects {evidence.name}, but {found}"
    over = f" for {condition.share:.0%} of {duration(condition.window)}" if condition.window else ""
    expected = f"{module.key} expects {evidence.name} {condition.operator} {_value(condition.limit, evidence.unit)}{over}"
    return f"{expected}, but {f'found {judgement.found} ({judgement.source})' if judgement.state == 'fails' else f'that is not known: {judgement.found}'}"


def _value(value: float, unit: str) -> str:
    if unit == "truth":
        return "yes" if value else "no"
    return f"{value:g} %" if unit == "percent" else f"{value:g} {unit}"
