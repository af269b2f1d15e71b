# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Archive, Repository
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.retention import Known, Memory, expired, forget, keep, observe

HOUR, DAY = 3600.0, 86400.0
T0 = 1_800_000_000.0 - 1_800_000_000.0 % DAY  # midnight, UTC


def repository(*ids: str, identity: str = "r") -> Repository:
    return Repository(identity, "repokey", tuple(Archive(f"gpu1-{key}", T0, T0 + 60, key) for key in ids))


def test_what_is_gone_without_us_is_missing_until_it_is_back() -> None:
    memory = observe(Memory(), repository("a", "b"), T0)
    hidden = observe(memory, repository("b"), T0 + 600)
    assert hidden.missing == ["a"] and hidden.whole == T0 and "a" in hidden.archives
    still = observe(hidden, repository("b", "c"), T0 + 1200)
    assert still.missing == ["a"] and set(still.archives) == {"a", "b", "c"}
    back = observe(still, repository("a", "b", "c"), T0 + 1800)
    assert back.missing == [] and back.whole == T0 + 1800


def test_another_archive_under_the_same_name_is_another_one() -> None:
    memory = observe(Memory(), repository("a"), T0)
    swapped = Repository("r", "repokey", (Archive("gpu1-a", T0, T0 + 60, "x"),))
    assert observe(memory, swapped, T0 + 600).missing == ["a"]


def test_what_we_remove_is_not_missing_also_after_a_crash_half_way() -> None:
    memory = dataclasses.replace(observe(Memory(), repository("a", "b", "c"), T0), removing=["a", "b"])
    half = observe(memory, repository("b", "c"), T0 + 600)
    assert half.missing == [] and set(half.archives) == {"b", "c"} and half.removing == ["b"]
    assert observe(half, repository("c"), T0 + 1200).missing == []


def test_a_repository_in_the_place_of_another_has_nothing_of_it() -> None:
    memory = observe(Memory(), repository("a"), T0)
    replaced = observe(memory, repository("x", identity="s"), T0 + 600)
    assert replaced.missing == ["a"] and set(replaced.archives) == {"a"} and replaced.whole == T0 and replaced.repository_id == "r"
    empty = observe(Memory(repository_id="r", watched=T0, whole=T0), repository(identity="s"), T0 + 600)
    assert empty.whole == T0


def test_memory_survives_its_file() -> None:
    memory = observe(Memory(), repository("a"), T0)
    assert Memory.from_dict(dataclasses.asdict(memory)) == memory


def test_keep_one_of_each_period() -> None:
    starts = {f"{n:04}": T0 + n * HOUR / 2 for n in range(48 * 10)}  # ten days, every half hour
    kept = keep(starts, {"hourly": 3, "daily": 2, "weekly": 0, "monthly": 0})
    # the newest half hour of each of the last three hours, then the last of the days before
    assert sorted(kept) == ["0383", "0431", "0475", "0477", "0479"]


def test_the_newest_and_the_oldest_stay() -> None:
    starts = {"old": T0, "new": T0 + HOUR}
    assert keep(starts, {"hourly": 0, "daily": 0}) == {"new"}
    assert keep(starts, {"monthly": 12}) == {"old", "new"}, "the oldest stands in for the months that are not complete yet"
    assert keep({}, {"daily": 3}) == set()


def test_claimed_times_cannot_displace_real_archives() -> None:
    """A hostile client makes one archive for each past day, dated just before midnight."""
    memory = Memory(archives={f"d{n}": Known(f"d{n}", T0 + n * DAY + HOUR, T0 + n * DAY, T0 + n * DAY + 2 * HOUR) for n in range(7)}, watched=T0 + 8 * DAY)
    now = T0 + 8 * DAY + 600
    forged = {f"f{n}": Archive(f"f{n}", T0 + (n + 1) * DAY - 60, T0 + (n + 1) * DAY - 30, f"f{n}") for n in range(7)}
    there = (*(Archive(k.name, k.start, k.start, key) for key, k in memory.archives.items()), *forged.values())
    seen = observe(dataclasses.replace(memory, repository_id="r"), Repository("r", "repokey", there), now)
    assert [key for key in expired(seen, {"daily": 7}, allowance=600, now=now + 47 * HOUR) if key.startswith("f")] == []
    victims = expired(seen, {"daily": 7}, allowance=600, now=now + 49 * HOUR)
    assert not [key for key in victims if key.startswith("d") and key != "d0"], victims
    assert len([key for key in victims if key.startswith("f")]) == 6


def test_an_admin_host_that_was_away_believes_what_happened_meanwhile() -> None:
    memory = Memory(repository_id="r", watched=T0, whole=T0)
    archives = tuple(Archive(f"h{n}", T0 + n * HOUR, T0 + n * HOUR + 60, f"h{n}") for n in range(1, 25))
    seen = observe(memory, Repository("r", "repokey", archives), T0 + 25 * HOUR)
    assert expired(seen, {"hourly": 48}, allowance=600, now=T0 + 4 * DAY) == []


def test_within_two_days_nothing_displaces_what_was_made_in_the_same_hour() -> None:
    """A client makes two archives in an hour, the newer one perhaps to displace the other."""
    memory = Memory(archives={key: Known(key, T0 + n, T0, T0 + n) for n, key in enumerate(("first", "real", "forged"))})
    rules = {"hourly": 48}
    assert expired(memory, rules, allowance=600, now=T0 + 47 * HOUR) == []
    assert expired(memory, rules, allowance=600, now=T0 + 49 * HOUR) == ["real"]


def test_nothing_is_from_the_future() -> None:
    assert Known("x", T0 + DAY, T0 - HOUR, T0).trusted_start(600) == T0


def test_a_loss_is_accepted_by_name() -> None:
    memory = observe(observe(Memory(), repository("a", "b"), T0), repository("b"), T0 + 600)
    with pytest.raises(ValueError, match="gpu1-b"):
        forget(memory, ["gpu1-a", "gpu1-b"])
    left = forget(memory, ["gpu1-a"])
    assert left.missing == [] and set(left.archives) == {"b"}
    replaced = observe(left, repository("x", identity="s"), T0 + 1200)
    assert observe(forget(replaced, ["gpu1-b"]), repository("x", identity="s"), T0 + 1800).missing == [], "a new repository begins anew"
