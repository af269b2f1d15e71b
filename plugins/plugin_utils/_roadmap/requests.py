# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests: who needs what, who reviewed and approved it, and how far it is. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
The flow is the plan's: a need of one user becomes an entry of the documentation; a need of the team is reviewed, approved, deployed, accepted.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

FIELDS = ("title", "who", "need", "impact", "module", "documentation", "review", "approval", "training")
SIGNED = ("by", "date", "note")  # not "on", which YAML reads as true
STATES = ("filed", "documented", "reviewed", "approved", "accepted")


class RequestError(Exception):
    """A sentence for the admin."""


@dataclasses.dataclass(frozen=True)
class Request:
    """C(impact) is user or team. C(module) is the roadmap module that a team's need asks for; C(accepted) is the day it was verified, or empty."""

    name: str
    title: str
    who: str
    need: str
    impact: str
    module: str = ""
    documentation: str = ""
    reviewed_by: str = ""
    approved_by: str = ""
    approved_on: str = ""
    training: str = ""
    accepted: str = ""

    @property
    def state(self) -> str:
        """How far it is, one of STATES."""
        if self.impact == "user":
            return "documented" if self.documentation else "filed"
        return "accepted" if self.accepted else "approved" if self.approved_by else "reviewed" if self.reviewed_by else "filed"

    def as_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "state": self.state}


def load(name: str, data: t.Any, modules: t.Collection[str], today: str, accepted: str = "") -> Request:
    """The request of a file's content. C(today) as C(2026-11-24). RequestError names what is wrong in C(name)."""
    given = data if isinstance(data, dict) else {}
    wrong = [key for key in given if key not in FIELDS] + [key for key in ("title", "who", "need", "impact") if not given.get(key)]
    if wrong:
        raise RequestError(
            f"{name} is expected to have title, who, need and impact, and of {', '.join(FIELDS[4:])} what there is, "
            f"but {', '.join(map(str, wrong))} is wrong: correct it."
        )
    if given["impact"] not in ("user", "team"):
        raise RequestError(f"{name}: impact is expected to be user or team, but is {given['impact']!r}: correct it.")
    if given["impact"] == "team" and given.get("module") not in modules:
        raise RequestError(
            f"{name}: a team's request is expected to name as module one of {', '.join(modules)}, but names {given.get('module')!r}: correct it."
        )
    review, approval = (_signed(name, key, given.get(key), today) for key in ("review", "approval"))
    if approval["by"] and not review["by"]:
        raise RequestError(f"{name} is expected to be reviewed before it is approved, but has no review: add who reviewed it, and when.")
    if approval["by"] and approval["by"] == given["who"]:
        raise RequestError(f"{name} is expected to be approved by somebody else than who asks for it, but both are {given['who']}: ask another.")
    if approval["by"] and review["date"] > approval["date"]:
        raise RequestError(f"{name} is expected to be reviewed before it is approved, but was reviewed on {review['date']}: correct the dates.")
    text = {key: str(given.get(key) or "") for key in ("title", "who", "need", "impact", "module", "documentation", "training")}
    return Request(name, **text, reviewed_by=review["by"], approved_by=approval["by"], approved_on=approval["date"], accepted=accepted)


def _signed(name: str, key: str, data: t.Any, today: str) -> dict[str, str]:
    if data is None:
        return {"by": "", "date": ""}
    given = data if isinstance(data, dict) else {}
    wrong = [word for word in given if word not in SIGNED] + [word for word in ("by", "date") if not given.get(word)]
    if wrong:
        raise RequestError(f"{name}: {key} is expected to have by and date, and perhaps a note, but {', '.join(map(str, wrong))} is wrong: correct it.")
    day = str(given["date"])
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        raise RequestError(f"{name}: the date of {key} is expected as 2026-11-24, but is {day!r}: correct it.") from None
    if day > today:
        raise RequestError(f"{name}: {key} is expected to be of today or before, but is of {day}: correct it.")
    return {"by": str(given["by"]), "date": day}


def missing(module: str, requests: t.Sequence[Request]) -> str:
    """Why C(module) may not be deployed yet, as a sentence; empty when a team's request for it is approved."""
    asked = [request for request in requests if request.module == module and request.impact == "team"]
    if any(request.approved_by for request in asked):
        return ""
    found = f"{asked[0].name} is {asked[0].state}" if asked else "there is none"
    return (
        f"{module} is expected to have an approved request, but {found}: have it approved in the inventory's requests, or set lab_requests to '' to do without."
    )
