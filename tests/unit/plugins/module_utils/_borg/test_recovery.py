# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.bucket import BucketError, Folder, above
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Archive, ages, lost
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.rollback import RollbackError, last_before
from ansible_collections.gpulab.expansion.plugins.modules.borg_extract import choose, moment

LOG = """transaction 1, UTC time 2016-03-31T15:53:27.383532
transaction 5, UTC time 2016-03-31T15:53:52.588922
transaction 11, UTC time 2016-03-31T15:54:23.887256
"""
T5 = 1459439632.0  # 15:53:52


def test_last_transaction_before_a_time() -> None:
    assert last_before(LOG, T5) == 5 and last_before(LOG, T5 - 1) == 1 and last_before(LOG, T5 + 3600) == 11


@pytest.mark.parametrize(("log", "found"), [(LOG, "the first is 2016-03-31 15:53 UTC"), ("", "the first is none")])
def test_no_transaction_before_a_time(log: str, found: str) -> None:
    with pytest.raises(RollbackError, match=found):
        last_before(log, T5 - 60)


SIZES = {"config": 1, "index.9": 2, "gpulab-segments": 3, "data/0/3": 10, "data/0/9": 20, "data/0/7": 30}


def folder(segments: str) -> Folder:
    def run(argv: list[str], **more: t.Any) -> tuple[int, str, str]:
        return 0, segments, ""

    return Folder(run, "rclone.conf", "offsite:b/gpu1")


def test_obsolete_segments_do_not_come_back() -> None:
    assert folder("0/3\n0/9\n").live(SIZES) == {"config": 1, "index.9": 2, "data/0/3": 10, "data/0/9": 20}


def test_a_lost_segment_is_an_error() -> None:
    with pytest.raises(BucketError, match="3 segments, but 1 are lost: data/0/8"):
        folder("0/3\n0/8\n0/9\n").live(SIZES)


def test_a_folder_without_a_list_is_taken_whole() -> None:
    assert folder("").live({"a": 1}) == {"a": 1}


def test_segments_above() -> None:
    assert above(SIZES, 3) == ["data/0/7", "data/0/9"] and above(SIZES, 9) == []


def test_archive_of_a_time() -> None:
    archives = [Archive("a", 100.0, 110.0), Archive("b", 200.0, 210.0)]
    assert choose(archives, None, 199.0) == archives[0] and choose(archives, None, 200.0) == archives[1] and choose(archives, None, 99.0) is None
    assert choose(archives, "a", 0.0) == archives[0] and choose(archives, "c", 900.0) is None


def test_archives_from_the_future_are_not_the_newest() -> None:
    archives = (Archive("now", 100.0, 110.0), Archive("2037", 1e9, 1e9))
    assert ages(archives, 160.0)["newest_age"] == 60.0 and ages(archives[1:], 160.0)["newest_age"] is None


def test_moment_is_local_time() -> None:
    start = time.mktime((2026, 11, 24, 3, 0, 0, 0, 0, -1))
    assert moment("2026-11-24 03:00") == start + 60 and moment("2026-11-24 03:00:00") == start + 1
    with pytest.raises(ValueError, match="yesterday"):
        moment("yesterday")


def test_lost_repository() -> None:
    assert lost("r", "", None) == "" and lost("r", "aa", "aa") == ""
    assert "but there is none: recover it" in lost("r", "aa", None) and "but found is bb: recover it" in lost("r", "aa", "bb")
