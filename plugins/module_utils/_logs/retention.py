# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which indices of a data stream are to go, and when a new one is to begin. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

It works by the clock and the size on the disk alone, so it does the same on an engine with and without a plugin for that.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

DAY, GIB = 86400.0, 2.0**30


@dataclasses.dataclass(frozen=True)
class Policy:
    """For data streams that match C(streams): how many days their lines stay at least searchable, how many GiB they may have, and when a new index begins."""

    streams: str
    days: float
    gib: float = 0.0  # 0 is no limit
    roll_days: float = 1.0
    roll_gib: float = 20.0


@dataclasses.dataclass(frozen=True)
class Index:
    """One index of a stream: when it was made, seconds since the epoch, and its bytes on the disk."""

    name: str
    made: float
    size: int


@dataclasses.dataclass(frozen=True)
class Action:
    """C(what) is rollover or delete; C(why) is a phrase for the journal."""

    what: str
    name: str
    why: str


def policy_of(stream: str, policies: t.Sequence[Policy]) -> Policy | None:
    """The first that matches; a stream that none matches is left alone."""
    return next((policy for policy in policies if fnmatch.fnmatch(stream, policy.streams)), None)


def actions(stream: str, indices: t.Sequence[Index], policy: Policy, now: float) -> list[Action]:
    """What is due. C(indices) are in the order in which they were made; the last is written to, and never goes.

    The youngest line of an index is older than the index after it, so an index goes when that one is old enough.
    """
    out: list[Action] = []
    writing = indices[-1]
    age = (now - writing.made) / DAY
    if writing.size >= policy.roll_gib * GIB:
        out.append(Action("rollover", stream, f"{writing.name} has {writing.size / GIB:.1f} GiB"))
    elif age >= policy.roll_days and writing.size:
        out.append(Action("rollover", stream, f"{writing.name} is {age:.1f} days old"))
    stay = []
    for index, following in zip(indices, indices[1:]):
        old = (now - following.made) / DAY
        if old >= policy.days:
            out.append(Action("delete", index.name, f"its youngest line is {old:.1f} days old, and {policy.days:g} are kept"))
        else:
            stay.append(index)
    total = float(sum(index.size for index in [*stay, writing]))
    for index in stay:
        if not policy.gib or total <= policy.gib * GIB:
            break
        out.append(Action("delete", index.name, f"{stream} has {total / GIB:.1f} GiB, and may have {policy.gib:g}"))
        total -= index.size
    return out
