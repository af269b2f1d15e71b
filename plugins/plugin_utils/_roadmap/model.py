# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roadmap, and what is known of a lab. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ...module_utils._window import OPERATORS, duration_seconds
from .._signed import signed

UNITS = ("people", "tasks", "TB", "GB", "cores", "percent", "minutes", "truth")
SOURCES = ("prometheus", "host", "declared")  # the first that knows something is believed


class RoadmapError(Exception):
    """A sentence for the admin."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Something that can be known of a lab. C(unit) is one of UNITS; truth is 1 for yes and 0 for no."""

    key: str
    unit: str
    name: str
    name_zh: str
    query: str = ""  # PromQL for the whole lab, in this unit


@dataclasses.dataclass(frozen=True)
class Condition:
    """C(evidence) compared with C(limit) in its unit. Over C(window) seconds it must hold for C(share) of the time; 0 is a moment."""

    evidence: Evidence
    operator: str
    limit: float
    window: float = 0.0
    share: float = 1.0

    def holds(self, value: float) -> bool:
        return OPERATORS[self.operator](value, self.limit)


@dataclasses.dataclass(frozen=True)
class Module:
    """A row of the roadmap. C(urgency) and C(difficulty) are stars of five, 0 where the plan has none."""

    key: str
    phase: int
    name: str
    name_zh: str
    needs: tuple[Condition, ...]
    urgency: int = 0
    difficulty: int = 0
    playbook: str = ""  # that deploys it, whose tag and role have its name, too; none yet without one
    groups: tuple[str, ...] = ()  # of the inventory; without a host in any of them it is left out


@dataclasses.dataclass(frozen=True)
class Roadmap:
    evidence: dict[str, Evidence]
    modules: dict[str, Module]
    phases: dict[int, tuple[float, float]]  # users, from and below
    supports: dict[str, Module] = dataclasses.field(default_factory=dict)  # what the modules stand on; no gate asks for it

    def deployable(self, phase: int) -> list[Module]:
        """What a playbook brings in C(phase)."""
        return [module for module in (*self.supports.values(), *self.modules.values()) if module.phase == phase and module.playbook]

    def phase_of(self, users: float) -> int | None:
        return next((phase for phase, (low, high) in self.phases.items() if low <= users < high), None)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one source says of one evidence at C(time), seconds since the epoch, in the evidence's unit.

    C(value) None means unknown, for C(reason). C(samples) are (time, value), oldest first, for conditions over a window.
    """

    source: str
    time: float
    value: float | None = None
    samples: tuple[tuple[float, float], ...] = ()
    reason: str = ""

    @classmethod
    def from_dict(cls, what: str, data: t.Mapping[str, t.Any]) -> Reading:
        """From a module's result or the inventory. RoadmapError when it is malformed."""
        if data.get("source") not in SOURCES:
            raise RoadmapError(f"A reading of {what} is expected to have as source one of {', '.join(SOURCES)}, but has {data.get('source')!r}: correct it.")
        samples = tuple((float(when), float(value)) for when, value in data.get("samples") or () if not math.isnan(float(value)))
        value = data.get("value")
        number = None if value is None or math.isnan(float(value)) else float(value)
        reason = data.get("reason") or ("it is not a number" if value is not None and number is None else "")
        return cls(data["source"], float(data.get("time", 0)), number, samples, reason)


@dataclasses.dataclass(frozen=True)
class Override:
    """Somebody answers for a module whose gate is not open, until the end of the day C(until), as C(2026-12-31)."""

    module: str
    by: str
    reason: str
    until: str

    @classmethod
    def from_dict(cls, data: t.Any) -> Override:
        return signed(cls, "An override", data, RoadmapError)


def seconds(text: t.Any) -> float:
    """Of a duration as C(7 d), C(12 h) or C(30 min)."""
    found = duration_seconds(text)
    if found is None:
        raise RoadmapError(f"A window is expected as 7 d, 12 h or 30 min, but is {text!r}: correct it in the roadmap.")
    return found


def load(data: t.Any, where: str) -> Roadmap:
    """The roadmap of a file's content. RoadmapError names what is wrong in C(where)."""
    if not isinstance(data, dict) or {"evidence", "phases", "modules"} - set(data):
        raise RoadmapError(
            f"{where} is expected to have evidence, phases and modules, but has {', '.join(data) if isinstance(data, dict) else 'none'}: add them."
        )
    if not all(isinstance(data.get(part) or {}, dict) for part in ("evidence", "phases", "modules", "supports")):
        raise RoadmapError(f"{where} is expected to have a mapping in each of evidence, phases, modules and supports, but has something else: correct it.")
    evidence = {}
    for key, entry in data["evidence"].items():
        if entry.get("unit") not in UNITS:
            raise RoadmapError(f"{where}: the unit of {key} is expected to be one of {', '.join(UNITS)}, but is {entry.get('unit')!r}: correct it.")
        evidence[key] = Evidence(key, entry["unit"], entry.get("name", key), entry.get("name_zh", entry.get("name", key)), entry.get("query", ""))
    modules, supports = (
        {key: _module(key, entry, evidence, data["phases"], where) for key, entry in (data.get(part) or {}).items()} for part in ("modules", "supports")
    )
    phases = {int(phase): (float(span.get("from", 0)), float(span.get("below", math.inf))) for phase, span in data["phases"].items()}
    return Roadmap(evidence, modules, phases, supports)


def _module(key: str, entry: t.Mapping[str, t.Any], evidence: t.Mapping[str, Evidence], phases: t.Collection[int], where: str) -> Module:
    if entry.get("phase") not in phases:
        raise RoadmapError(f"{where}: the phase of {key} is expected to be one of {', '.join(map(str, phases))}, but is {entry.get('phase')!r}: correct it.")
    playbook, groups = str(entry.get("playbook", "")), entry.get("groups") or []
    if not isinstance(groups, list):
        raise RoadmapError(f"{where}: groups of {key} are expected to be a list, but are {groups!r}: write [{groups}].")
    if bool(playbook) != bool(groups):
        raise RoadmapError(f"{where}: {key} is expected to have a playbook and its groups, or neither, but has one of them: add the other.")
    needs = tuple(_condition(need, evidence, f"{where}: {key}") for need in entry.get("needs") or [])
    names = entry.get("name", key), entry.get("name_zh", entry.get("name", key))
    return Module(key, entry["phase"], *names, needs, int(entry.get("urgency", 0)), int(entry.get("difficulty", 0)), playbook, tuple(map(str, groups)))


def _condition(need: t.Mapping[str, t.Any], evidence: t.Mapping[str, Evidence], where: str) -> Condition:
    found = evidence.get(need.get("evidence", ""))
    if found is None:
        raise RoadmapError(f"{where} is expected to need evidence that the file lists, but needs {need.get('evidence')!r}: correct it.")
    if found.unit == "truth":
        return Condition(found, ">=", 1.0)
    if need.get("operator") not in OPERATORS or not isinstance(need.get("limit"), (int, float)) or isinstance(need.get("limit"), bool):
        raise RoadmapError(
            f"{where}: {found.key} is expected to be compared by one of {' '.join(OPERATORS)} with a number, but is by {dict(need)!r}: correct it."
        )
    share = float(need.get("share", 1.0))
    if not 0 < share <= 1:
        raise RoadmapError(f"{where}: the share of {found.key} is expected to be above 0 and at most 1, but is {share}: correct it.")
    return Condition(found, need["operator"], float(need["limit"]), seconds(need["window"]) if need.get("window") else 0.0, share)
