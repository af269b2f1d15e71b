# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which archives there were, which are missing, and which may go. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A client may only append, but appending a shorter list of archives hides the others, and a compaction would make that
final. So the admin host remembers what it has seen, and what it took away itself; anything else that is gone is hidden.
The time in an archive is the client's claim, so retention counts from when the admin host first saw it.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from .client import Archive, Repository

# Periods of borg prune, https://borgbackup.readthedocs.io/en/stable/usage/prune.html
NOTICE = 2 * 86400.0  # what was first seen within it stays, so that there is time to notice a client that makes archives to displace others
PERIODS = {"hourly": "%Y-%m-%d %H", "daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m"}


@dataclasses.dataclass
class Known:
    """An archive as it was first seen; times in seconds since the epoch. The watch at C(not_before) did not see it yet."""

    name: str
    start: float
    not_before: float
    first_seen: float

    def trusted_start(self, allowance: float) -> float:
        """When it began, as far as that can be believed: a backup takes at most C(allowance) seconds, and nothing is from the future."""
        return min(max(self.start, self.not_before - allowance), self.first_seen)


@dataclasses.dataclass
class Memory:
    """What the admin host remembers of one repository. C(removing) are ids that it is about to take away itself."""

    repository_id: str = ""
    archives: dict[str, Known] = dataclasses.field(default_factory=dict)
    removing: list[str] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)
    whole: float = 0.0  # when everything known was last there, and proven to be
    watched: float = 0.0
    retained: float = 0.0  # when retention last ended well; at first, when the watch began
    uncompacted: bool = False

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> Memory:
        known = {key: Known(**value) for key, value in data.get("archives", {}).items()}
        return cls(**{**data, "archives": known})


def observe(memory: Memory, found: Repository, now: float) -> Memory:
    """C(memory) after a look at the repository. Archives that were there and are not, and that we did not remove, are C(missing).

    Another repository in the place of the known one has none of the archives that are known, so all of them are missing. So is one that is listed under
    another name, or one more: an archive has its name in itself, so that C(borg rename) makes another archive of it; this was put there by other means.
    The archives of a first look are believed as they are: nothing was promised before.
    """
    there: dict[str, list[Archive]] = {}
    for archive in found.archives if memory.repository_id in ("", found.id) else ():
        there.setdefault(archive.id, []).append(archive)
    archives = {key: known for key, known in memory.archives.items() if key in there or key not in memory.removing}
    missing = sorted(set(archives) - set(there))
    for key, same in there.items():
        if key not in archives:
            archives[key] = Known(same[0].name, same[0].start, memory.watched, now)
            continue
        if len(same) == 1 and archives[key].name in (same[0].name, printed(same[0].name)):
            archives[key] = dataclasses.replace(archives[key], name=same[0].name)  # what is no UTF-8 in it was not told before
        else:
            missing.append(key)
    return dataclasses.replace(
        memory,
        repository_id=memory.repository_id or found.id,
        archives=archives,
        removing=[key for key in memory.removing if key in there],
        missing=sorted(missing),
        whole=memory.whole if missing or memory.repository_id not in ("", found.id) else now,
        watched=now,
        retained=memory.retained or now,
    )


def printed(name: str) -> str:
    """As borg prints a name."""
    return name.encode("utf-8", "replace").decode()


def without_newer(memory: Memory) -> Memory:
    """C(memory) after a repository was brought back: archives that were first seen after all was last proven to be there are not missed."""
    newer = {key for key in memory.missing if memory.archives[key].first_seen > memory.whole}
    archives = {key: known for key, known in memory.archives.items() if key not in newer}
    return dataclasses.replace(memory, archives=archives, missing=[key for key in memory.missing if key not in newer])


def forget(memory: Memory, names: t.Collection[str]) -> Memory:
    """C(memory) without the missing archives of C(names). ValueError with those names that are not missing.

    With nothing left to miss, another repository may take the place of the known one.
    """
    gone = {key for key in memory.missing if memory.archives[key].name in names}
    wrong = set(names) - {memory.archives[key].name for key in gone}
    if wrong:
        raise ValueError(", ".join(sorted(wrong)))
    archives = {key: known for key, known in memory.archives.items() if key not in gone}
    if not archives:
        return Memory()
    return dataclasses.replace(memory, archives=archives, missing=[key for key in memory.missing if key not in gone])


def keep(starts: t.Mapping[str, float], rules: t.Mapping[str, int]) -> set[str]:
    """Ids to keep: per rule the newest archive of each of the last so many periods (in UTC), as C(borg prune) chooses them.

    The newest of all is always kept.
    """
    newest_first = sorted(starts, key=lambda key: starts[key], reverse=True)
    kept = dict.fromkeys(newest_first[:1], "newest")
    for rule, pattern in PERIODS.items():
        wanted = rules.get(rule, 0)
        chosen, last = 0, ""
        for key in newest_first if wanted else []:
            period = time.strftime(pattern, time.gmtime(starts[key]))
            if period == last:
                continue
            last = period
            if kept.get(key, "newest") == "newest":
                kept[key] = rule
                chosen += 1
                if chosen == wanted:
                    break
        # the oldest stands in for a period that is not complete yet
        if newest_first and chosen < wanted:
            kept.setdefault(newest_first[-1], rule)
    return set(kept)


def expired(memory: Memory, rules: t.Mapping[str, int], allowance: float, now: float) -> list[str]:
    """Ids that retention takes away, oldest first; none that the admin host has known for less than two days."""
    starts = {key: known.trusted_start(allowance) for key, known in memory.archives.items()}
    kept = keep(starts, rules) | {key for key, known in memory.archives.items() if known.first_seen > now - NOTICE}
    return sorted((key for key in starts if key not in kept), key=lambda key: starts[key])
