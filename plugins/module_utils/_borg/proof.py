# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is proven of a repository: that everything that was there is still there. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A client may append a DELETE of any object, or put another over it, and a compaction would make that final. So the admin host remembers up to which
transaction nothing was taken away (C(heads) tells it from the log alone), which archives have all that they need, and how far the content of a
repository that it did not know from its beginning has been read. It lies where no client can write.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class Proof:
    """C(transaction) is the last one up to which nothing is lost; -1 before the first look."""

    transaction: int = -1
    proven: float = 0.0  # when that was last known, seconds since the epoch
    checkpoints: list[str] = dataclasses.field(default_factory=list)  # ids of the unfinished archives of that transaction, which Borg replaces
    complete: list[str] = dataclasses.field(default_factory=list)  # ids of archives that have all that they need
    read: int = -1  # objects of the list of ids whose content was read; -1 before there is a list
    to_read: int = 0
    whole_round: float = 0.0  # when the list was last read to its end
    began: float = 0.0  # when it was begun
    # what is lost
    lost: int = 0
    since: float | None = None
    good: int = -1  # the last good transaction, to which the repository can be brought back
    affected: list[str] = dataclasses.field(default_factory=list)  # names of archives
    damaged: list[str] = dataclasses.field(default_factory=list)  # ids of objects with another content than they were made of
    incomplete: list[str] = dataclasses.field(default_factory=list)  # names of archives that lack something
    unread: str = ""  # why the log could not be read

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> Proof:
        return cls(**data)

    @property
    def first_round_ended(self) -> bool:
        return self.whole_round > 0


def judge(proof: Proof, seen: t.Mapping[str, t.Any], now: float, unharmed: t.Collection[str] = ()) -> Proof:
    """C(proof) after the log was read; it does not advance here. C(seen) is what C(heads) told since its transaction.

    C(unharmed) are ids of objects that were put again with the content that they had.
    """
    excused = {*proof.checkpoints, *unharmed}
    deleted = [key for key, _transaction in seen["deleted"] if key not in excused]
    lost = seen["count"] - (len(seen["deleted"]) - len(deleted))
    unread = seen["torn"]
    if not unread and seen["transaction"] < proof.transaction:
        unread = f"it is at transaction {seen['transaction']}, but was at {proof.transaction}: it lost data, or somebody rolled it back without the play"
    if not lost:
        return dataclasses.replace(proof, lost=0, since=None, good=-1, affected=[], unread=unread)
    # what is good ends before the first that is not excused
    first = next((transaction for key, transaction in seen["deleted"] if key not in excused), seen["transaction"])
    good = max([number for number in seen["commits"] if number < first] or [seen["since"]])
    when = seen["times"].get(str(first))
    return dataclasses.replace(proof, lost=lost, since=proof.since or when or now, good=good, unread=unread)


def advance(proof: Proof, transaction: int, checkpoints: t.Sequence[str], now: float) -> Proof:
    """C(proof) up to C(transaction), of which C(checkpoints) are the unfinished archives, when nothing speaks against it."""
    if proof.lost or proof.unread or transaction < proof.transaction:
        return proof
    return dataclasses.replace(proof, transaction=transaction, checkpoints=sorted(checkpoints), proven=now)


def doubts(proof: Proof, archives: t.Collection[str]) -> str:
    """Why nothing may be made final now; empty when everything that C(archives), by id, need is proven."""
    if proof.lost:
        named = f" (archives affected: {', '.join(proof.affected[:3])}{' and more' if len(proof.affected) > 3 else ''})" if proof.affected else ""
        return f"{proof.lost} objects that were there were deleted or overwritten by its client{named}, transaction {proof.good} is the last good one"
    if proof.unread:
        return f"its log cannot be believed: {proof.unread}"
    if proof.damaged:
        return f"{len(proof.damaged)} objects have another content than they were made of, {proof.damaged[0][:16]} is the first"
    if proof.incomplete:
        return f"archives lack objects that they need, or have another name in themselves: {', '.join(proof.incomplete[:3])}"
    if not proof.first_round_ended:
        return f"it is proven for the first time: {max(proof.read, 0)} of {proof.to_read or '?'} objects have been read"
    unproven = set(archives) - set(proof.complete)
    if unproven:
        return f"{len(unproven)} archives are not yet proven to have all that they need"
    return ""
