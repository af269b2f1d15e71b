# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import pathlib
import subprocess
import time
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Archive
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.programs import drill, metrics, offsite
from prometheus_client import generate_latest

ID, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> pathlib.Path:
    """At transaction 5, with a segment 6 that is being written."""
    path = tmp_path / "gpu1"
    (path / "data" / "0").mkdir(parents=True)
    for name in ("1", "3", "5", "6"):
        (path / "data" / "0" / name).touch()
    (path / "index.5").touch()
    (path / "config").write_text(f"[repository]\nversion = 1\nid = {ID}\nkey = x\n", encoding="ascii")
    return path


class Bucket:
    """What rclone is asked, and a listing to answer with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, there: str = "", config: str = "") -> None:
        self.calls: list[list[str]] = []
        self.files: list[str] = []
        self._there, self._config = there, config
        monkeypatch.setattr(offsite, "rclone", self)
        monkeypatch.setattr(offsite.Copy, "_text", lambda copy, name: config)

    def __call__(self, *argv: str, paths: list[str], stdin: str | None = None) -> str:
        self.calls.append([*argv, *paths])
        if "--files-from-raw" in argv:
            assert argv[argv.index("--files-from-raw") + 1] == "-" and stdin is not None
            self.files.append(stdin)
        return self._there if argv[0] == "lsf" else ""

    @property
    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls]


def copy_of(repository: pathlib.Path, share: float = 0.1) -> offsite.Copy:
    return offsite.Copy(str(repository), "offsite:b/gpu1", share, "")


def test_committed_segments_go_first_and_are_never_overwritten(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch)
    order: list[str] = []
    state = copy_of(repository).run({}, lambda sent: order.extend([f"sent {sent}"] + bucket.verbs + ["lock"]))
    assert order == ["sent 5", "copy", "lock"] and "--immutable" in bucket.calls[0]
    assert bucket.files[0] == "0/1\n0/3\n0/5\n", "the segment that is being written waits for the lock"
    assert (state["id"], state["transaction"]) == (ID, 5) and state["synced"] > 1.0


def test_unchanged_repository_is_left_alone(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch)
    state = copy_of(repository).run({"id": ID, "transaction": 5, "pruned_at": 5, "synced": 1.0}, lambda _sent: pytest.fail("no lock is to be taken"))
    assert state["synced"] > 1.0 and bucket.calls == []


@pytest.mark.parametrize("config", ["", f"id = {OTHER}\n"])
def test_another_repository_does_not_replace_the_one_in_the_bucket(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, config: str) -> None:
    """Whether the state remembers it or only the bucket does."""
    bucket = Bucket(monkeypatch, config=config)
    state = {} if config else {"id": OTHER, "transaction": 3}
    with pytest.raises(offsite.OffsiteError, match=r"expected to be the repository bbbbbbbbbbbb that is in the bucket, but is aaaaaaaaaaaa"):
        copy_of(repository).run(state, lambda _sent: None)
    assert bucket.calls == []


def test_a_repository_that_lost_transactions_is_not_copied(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch)
    with pytest.raises(offsite.OffsiteError, match="at transaction 9 at least, .* but is at 5"):
        copy_of(repository).run({"id": ID, "transaction": 9}, lambda _sent: None)
    assert bucket.calls == []


def test_only_a_share_goes_from_the_bucket_in_a_day(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "".join(f"0/{n};10\n" for n in range(40))
    bucket = Bucket(monkeypatch, there=listing)
    state = copy_of(repository, share=0.05).run({"id": ID, "transaction": 5}, lambda _sent: None)
    # of 0, 2 and 4, which compaction replaced, two may go; what is newer than the transaction is not judged
    assert bucket.verbs[-1] == "delete" and bucket.files[-1] == "0/0\n0/2\n"
    assert (state["withheld"], state["objects"], state["bytes"]) == (1, 40, 400)
    again = copy_of(repository, share=0.05).run(state, lambda _sent: None)
    assert bucket.verbs[-1] == "lsf" and again["withheld"] == 3, "the listing still has all three, and the share of the day is spent"


def test_the_bucket_is_listed_when_something_was_compacted_and_once_a_day(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(monkeypatch, there="0/1;10\n0/3;10\n0/5;10\n")
    state = copy_of(repository).run({"id": ID, "transaction": 3}, lambda _sent: None)
    assert bucket.verbs == ["copy", "lsf"] and state["objects"] == 3

    def news(last: int, segment: int) -> None:
        (repository / f"index.{last}").rename(repository / f"index.{segment}")
        (repository / "data" / "0" / str(segment)).touch()
        bucket.calls.clear()

    news(5, 7)
    state = copy_of(repository).run(state, lambda _sent: None)
    assert bucket.verbs == ["copy"] and state["transaction"] == state["pruned_at"] == 7
    news(7, 9)
    (repository / "data" / "0" / "3").unlink()
    state = copy_of(repository).run(state, lambda _sent: None)
    assert bucket.verbs == ["copy", "lsf"] and state["withheld"] == 1, "a tenth of three is none"
    news(9, 11)
    copy_of(repository).run({**state, "withheld": 0, "listed": state["listed"] - 90000}, lambda _sent: None)
    assert bucket.verbs == ["copy", "lsf"]


def test_what_nobody_compacted_stays_in_the_bucket(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    bucket = Bucket(monkeypatch, there="".join(f"0/{n};10\n" for n in (1, 2, 3, 5)))
    known = {"id": ID, "transaction": 4, "pruned_at": 4, "segments": [1, 2, 3, 6]}
    copy = offsite.Copy(str(repository), "offsite:b/gpu1", 1.0, "", str(tmp_path / "noted"))
    state = copy.run(known, lambda _sent: None)
    assert "delete" not in bucket.verbs and (state["unexplained"], state["withheld"]) == ([2], 1), "a segment that was not committed is not missed"
    again = copy.run({**state, "transaction": 4}, lambda _sent: None)
    assert "delete" not in bucket.verbs and again["withheld"] == 1
    (tmp_path / "noted").write_text("hold 4\nfree 5\n", encoding="ascii")
    copy.run(known, lambda _sent: None)
    assert bucket.verbs[-1] == "delete" and bucket.files[-1] == "0/2\n", "compaction replaced it"


@pytest.mark.parametrize(("sent", "verbs"), [(5, ["sync", "rcat"]), (3, ["copy", "sync", "rcat"]), (-1, ["copy", "sync", "rcat"])])
def test_under_the_lock_only_what_is_new_is_looked_at(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, sent: int, verbs: list[str]) -> None:
    bucket = Bucket(monkeypatch)
    copy_of(repository).finish(sent)
    assert bucket.verbs == verbs


def test_share_of_a_day() -> None:
    assert offsite.removable(["0/10", "0/9"], 10, 0.1, [], 1e6) == ["0/9"]
    assert offsite.removable(["0/9"], 10, 0.1, [(1e6 - 3600, 1)], 1e6) == []
    assert offsite.removable(["0/9"], 10, 0.1, [(1e6 - 90000, 1)], 1e6) == ["0/9"]
    assert offsite.removable(["0/9"], 9, 0.1, [], 1e6) == []


def test_a_lock_is_broken_only_when_no_session_lives(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    broken: list[t.Any] = []
    monkeypatch.setattr(offsite.subprocess, "run", lambda argv, check: broken.append(argv))
    hold = tmp_path / "hold"
    assert not offsite.break_stale_lock(str(repository), str(hold)), "there is no lock"
    (repository / "lock.exclusive").mkdir()
    with open(hold, "w", encoding="ascii") as session:
        fcntl.flock(session, fcntl.LOCK_SH)
        assert not offsite.break_stale_lock(str(repository), str(hold)) and not broken
    assert offsite.break_stale_lock(str(repository), str(hold)) and broken == [["borg", "break-lock", "--", str(repository)]]


def run_main(monkeypatch: pytest.MonkeyPatch, verb: str, root: pathlib.Path) -> int:
    argv = ["x", verb, "--client", "gpu1", "--repositories", str(root), "--holds", str(root), "--target", "offsite:b", "--states", str(root)]
    monkeypatch.setattr(offsite.sys, "argv", argv)
    return offsite.main()


def test_failed_copy_keeps_the_old_state(repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    done = subprocess.CompletedProcess([], 1, "", "2026/11/24 06:00:00 ERROR : 0/1: Failed to copy: immutable file modified\n")
    monkeypatch.setattr(offsite.subprocess, "run", lambda *argv, **more: done)
    (tmp_path / "holds").mkdir()
    offsite.write_state(str(tmp_path / "gpu1.json"), {"id": ID, "transaction": 3, "synced": 1.0})
    argv = ["x", "copy", "--client", "gpu1", "--repositories", str(tmp_path), "--holds", str(tmp_path / "holds"), "--target", "o:b", "--states", str(tmp_path)]
    monkeypatch.setattr(offsite.sys, "argv", argv)
    assert offsite.main() == 1 and offsite.read_state(str(tmp_path / "gpu1.json"))["synced"] == 1.0


def test_a_repository_that_is_gone_is_not_one_that_was_never_made(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    assert run_main(monkeypatch, "copy", tmp_path) == 0
    offsite.write_state(str(tmp_path / "gpu1.json"), {"id": ID})
    assert run_main(monkeypatch, "copy", tmp_path) == 1


def test_damaged_state_is_no_state(tmp_path: pathlib.Path) -> None:
    (tmp_path / "state").write_text("{", encoding="ascii")
    assert offsite.read_state(str(tmp_path / "state")) == {} == offsite.read_state(str(tmp_path / "none"))


def test_no_archive_has_no_time() -> None:
    """An alert on a missing series fires; one on time() - 0 would tell nonsense, and one on a made-up time would be silent."""

    def text(found: tuple[Archive, ...] | None, well: bool, before: bool | None = None) -> str:
        return generate_latest(metrics.of_backup(found, well, 60, before, 20.0).registry).decode()

    empty = text((), False)
    assert "archive_start" not in empty and "gpulab_borg_last_run_succeeded 0.0" in empty and "readable 1.0" in empty and "before" not in empty
    full = text((Archive("a", 5.0, 9.0), Archive("from the future", 50.0, 59.0)), True, False)
    assert "gpulab_borg_archive_start_timestamp_seconds 5.0" in full and "end_timestamp_seconds 9.0" in full
    assert "gpulab_borg_before_succeeded 0.0" in full and "gpulab_borg_rpo_seconds 3600.0" in full
    assert "readable 0.0" in text(None, False)


def test_an_archive_that_borg_says_it_made_is_told_in_the_hosts_own_time(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "created"
    assert metrics.created(str(told)) is None
    for text in ("", "[]", "[{}]", '[{"archive": {"name": "a", "start": "soon"}}]', "null"):
        told.write_text(text, encoding="ascii")
        assert metrics.created(str(told)) is None, text
    told.write_text(
        '[{"archive": {"name": "gpu1-x", "id": "5b2b", "start": "2026-11-25T19:59:02.000000", "end": "2026-11-25T19:59:03.000000"}}]', encoding="ascii"
    )
    for zone, offset in (("UTC", 0), ("Asia/Shanghai", 8 * 3600)):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert metrics.created(str(told)) == Archive("gpu1-x", 1795636742.0 - offset, 1795636743.0 - offset, "5b2b")
    monkeypatch.undo()
    time.tzset()


def test_drill_compares_what_was_not_touched_since(tmp_path: pathlib.Path) -> None:
    for name, content in (("same", "x"), ("other", "y")):
        (tmp_path / name).write_text(content, encoding="ascii")
    digest = drill.sha256_of(str(tmp_path / "same"))
    digests = {"same": digest, "other": digest, "gone": digest}
    now = (tmp_path / "other").stat().st_ctime
    assert drill.compare(digests, now + 10, str(tmp_path)) == (1, 1, ["/other"])
    assert drill.compare(digests, now - 10, str(tmp_path)) == (0, 3, [])
