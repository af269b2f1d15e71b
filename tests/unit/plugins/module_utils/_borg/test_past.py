# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client can do to its past through an append-only session, and what the admin host says of it. With Borg itself, in one directory."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.programs import admin
from real_borg import Hosts, Kept, needs_borg

pytestmark = needs_borg
SOAK = bool(os.environ.get("SOAK"))
soak = pytest.mark.skipif(not SOAK, reason="one of each class is tried in every test, all of them in the soak")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Kept]:
    """Three archives that are proven. The oldest file is in all of them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        hosts = Hosts(tmp_path_factory.mktemp("lab"), monkeypatch)
        hosts.borg("init", "-e", "repokey-blake2")
        hosts.write("old", 3_000_000)
        for number in (1, 2, 3):
            hosts.write("changes", 100_000, number)
            assert hosts.backup(f"gpu1-{number}")
        assert hosts.watch() == ""
        yield Kept.of(hosts)


@pytest.fixture
def hosts(kept: Kept) -> Hosts:
    kept.back()
    return kept.hosts


TAKEN = "deleted or overwritten by its client"
GONE = "archives that were there are gone"
ODD = "have another name in themselves"
# What hostile.py does, and what the watch says; empty where there is nothing to say
ATTACKS = {
    # the index is made to forget, and the log has no word of it
    "forget": ([["forget", "gpu1-1", "gpu1-2", "gpu1-3"]], TAKEN),
    "stale": ([["stale", "home/old"]], TAKEN),
    # the log has a word of what the index keeps
    "undone": ([["undone", "home/old"]], TAKEN),
    "huge": ([["huge", "home/old"]], TAKEN),
    # the same content once more is no loss, unless it goes again
    "again": ([["again", "home/old"]], ""),
    "same": ([["same", "home/old"]], ""),
    "again and gone": ([["again", "home/old"], ["delete", "home/old"]], TAKEN),
    # the list of archives
    "archive": ([["archive", "gpu1-2"]], TAKEN),
    "unlist": ([["unlist", "gpu1-2"]], f"1 {GONE}, and retention did not remove them: gpu1-2."),
    "older": ([["older", "gpu1-2"]], f"2 {GONE}, and retention did not remove them: "),
    "swap": ([["swap", "gpu1-2"]], "gpu1-2 (now another one)"),
    "alias": ([["alias", "gpu1-2", "gpu1-x"]], "gpu1-2 (now gpu1-x)"),
    # borg would take the other one out of the list
    "mask": ([["mask", "gpu1-2", "gpu1-x"]], f"{ODD}: gpu1-x"),
    "future": ([["future", "gpu1-x"]], ""),
    # what is called an unfinished backup
    "checkpoint": ([["checkpoint", "gpu1-2"]], TAKEN),
    "lend": ([["lend", "gpu1-2"]], ""),
    "lend and gone": ([["lend", "gpu1-2"], ["list", "gpu1-2"]], TAKEN),
    "borrow": ([["borrow", "gpu1-2"]], "borg is expected to read it, but fails"),
    "borrow and gone": ([["borrow", "gpu1-2"], ["list", "gpu1-2"]], TAKEN),
    "refused": ([["refused"]], ""),
}
ALWAYS = {"stale"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in ALWAYS else (soak,)) for name in ATTACKS])
def test_attacks_on_the_past(hosts: Hosts, name: str) -> None:
    """Each is told and can be undone, or it takes nothing away: what was proven comes back, whatever retention did meanwhile."""
    steps, says = ATTACKS[name]
    for words in steps:
        hosts.hostile(*words)
    for path in hosts.home.iterdir():
        path.unlink()  # so that only the past needs it
    hosts.write("new", 1000)
    hosts.backup("gpu1-4", check=False)  # an innocent one
    said = hosts.watch()
    assert says in said and bool(said) == bool(says), said
    hosts.days_later()
    retained = hosts.retain()
    assert bool(retained) == bool(says), retained
    if says:
        hosts.roll_back(int(hosts.metric("good_transaction")))
        assert hosts.extracts("gpu1-1") and hosts.extracts("gpu1-2") and hosts.extracts("gpu1-3")
    else:
        assert all(map(hosts.extracts, hosts.archives().values()))


RENAMES = [
    ("borg", "gpu1-x", "(now gpu1-x)"),
    ("borg", "gpu1-2.checkpoint", "(now gpu1-2.checkpoint)"),
    ("borg", "a b\nc'\"$x", "(now a b\\nc'\"$x)"),
    ("borg", "a\udcff", "(now a\\udcff)"),
    ("list", "a/b", "(now a/b); its client renamed what has another name now, and borg lists no name with a slash"),
    ("list", "--rsh=touch owned", "(now --rsh=touch owned)"),
]


@pytest.mark.parametrize(("way", "name", "says"), [pytest.param(*row, marks=() if n == 4 else (soak,)) for n, row in enumerate(RENAMES)])
def test_a_renamed_archive_is_gone_by_its_old_name(hosts: Hosts, way: str, name: str, says: str) -> None:
    """`borg rename` deletes the archive's object and makes another; in the list alone a client can put any name."""
    assert hosts.borg("rename", "::gpu1-2", "a/b", check=False).returncode == 2, "borg's command line knows no such name"
    if way == "borg":
        hosts.borg("rename", "::gpu1-2", name)
    else:
        hosts.hostile("rename", "gpu1-2", name)
    told = hosts.watch()
    assert f"gpu1-2 {says}" in told and told == hosts.watch(), told
    for said in (told, hosts.retain()):
        assert f"gpu1-2 {says.partition(';')[0]}" in said, said
        assert "playbooks/borg_unhide.yml" in said and TAKEN not in said
    assert (hosts.metric("missing_archives"), hosts.metric("archives")) == (1, 3 if way == "list" or "checkpoint" in name else 4)
    # somebody did it on purpose: it is accepted by the old name
    watcher = hosts.watcher()
    assert admin.accept(watcher, ["gpu1-2"]) == ""
    said = hosts.watch()
    # a name that is in the list only is still told, because borg could not delete it; with a slash it is in no list of borg's
    assert (said == "") if way == "borg" or "/" in name else (ODD in said), said


def test_an_archive_that_is_removed_by_name_is_no_alarm(hosts: Hosts) -> None:
    """As root of the admin host wants it; with borg delete it would be one."""
    while not hosts.watcher().proof.first_round_ended:
        assert hosts.watch() == ""
    said = admin.look_after(hosts.watcher(), "remove", ["gpu1-2", "gpu1-9"])
    assert said == "gpu1: gpu1-9 is expected to be one of its archives, but is none: nothing was removed, see borg list."
    assert set(hosts.archives().values()) == {"gpu1-1", "gpu1-2", "gpu1-3"}
    assert admin.look_after(hosts.watcher(), "remove", ["gpu1-2", "gpu1-2"]) is None
    assert set(hosts.archives().values()) == {"gpu1-1", "gpu1-3"} and hosts.watch() == "" and hosts.metric("missing_archives") == 0
    assert hosts.extracts("gpu1-1") and hosts.extracts("gpu1-3")


@soak
def test_a_file_that_looks_like_an_archive_is_no_unfinished_backup(hosts: Hosts) -> None:
    """Whoever may write a file on the client can give it the content of an archive; the client then calls it a checkpoint, which may be deleted."""
    (hosts.home / "looks").write_bytes(bytes.fromhex(hosts.hostile("dump", "gpu1-3")))
    assert hosts.backup("gpu1-4") and hosts.watch() == ""
    hosts.hostile("call", "home/looks")
    assert hosts.watch() == "", "it can be read as one"
    hosts.hostile("object", hosts.hostile("find", "home/looks"))
    said = hosts.watch()
    assert TAKEN in said and "gpu1-4" in said, said


def test_a_key_that_spoils_the_repository_is_told(hosts: Hosts) -> None:
    config = (hosts.repository / "config").read_text(encoding="ascii")
    hosts.hostile("key")
    assert "already exists" in hosts.watch() and hosts.metric("repository_readable") == hosts.metric("list_readable") == 0
    (hosts.repository / "config").write_text(config, encoding="ascii")
    assert hosts.watch() == "" and hosts.metric("list_readable") == 1


def test_a_server_that_is_away_is_no_list_that_cannot_be_read(hosts: Hosts) -> None:
    """Else the play that brings back what is lost would roll back what is not."""
    session = hosts.root / "ssh-admin"
    session.rename(hosts.root / "away")
    assert hosts.watch() and hosts.metric("repository_readable") == 0
    assert "list_readable{" not in (hosts.root / "admin" / "metrics" / "gpulab_borg_admin_gpu1.prom").read_text(encoding="utf-8")
    (hosts.root / "away").rename(session)
    assert hosts.watch() == ""


@soak
def test_a_name_that_is_no_utf8_expires_like_any_other(hosts: Hosts) -> None:
    for number, name in enumerate(("a\udcff", "a\udcfe")):
        assert hosts.backup(f"new-{number}")
        hosts.borg("rename", f"::new-{number}", name)
    assert hosts.backup("gpu1-4") and hosts.watch() == ""
    hosts.days_later()
    assert hosts.retain() == ""
    assert len(hosts.archives()) == 1, "those of one watch are of one age"


# -- what is no attack

BROKEN_DISK = """
import sys
import borg.archive

read = borg.archive.backup_io_iter


def broken(pieces):
    for count, piece in enumerate(read(pieces)):
        if count == 1:
            raise borg.archive.BackupOSError("read", OSError(5, "Input/output error"))
        yield piece


borg.archive.backup_io_iter = broken
from borg.archiver import main

sys.exit(main())
"""


class Ordinary:
    """Backups as they go on ordinary days, with all that interrupts them. The same ones each time, as far as the machine's load lets them."""

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.chance = random.Random(7)
        self.number = 0

    def begin(self, name: str, *options: str, disk_is_broken: bool = False) -> subprocess.Popen[bytes]:
        program = [admin.PYTHON, "-c", BROKEN_DISK] if disk_is_broken else ["borg"]
        argv = [*program, "create", *options, f"::{name}", "home"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(argv, env=self.hosts.environment, cwd=self.hosts.root, start_new_session=True, **quiet)

    def interrupted(self, name: str, how: signal.Signals, *options: str, session: bool = False) -> None:
        with self.begin(name, *options) as running:
            time.sleep(self.chance.uniform(0.3, 3))
            victim = last_child(running.pid) if session else running.pid
            if victim and running.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, how)

    def one(self) -> str:
        """Makes one; what the watch said if it looked meanwhile."""
        self.number += 1
        name, said = f"gpu1-o{self.number}", ""
        self.hosts.write("ordinary", 6_000_000, self.number)
        slow = ["--checkpoint-interval=1", "--upload-ratelimit=2500"]
        kind = self.number % 8
        if kind == 1:
            self.interrupted(name, signal.SIGINT, *slow)
            self.hosts.backup(name, check=False)
        elif kind == 2:
            self.interrupted(name, signal.SIGKILL, *slow)
        elif kind == 3:
            self.interrupted(name, signal.SIGTERM, *slow)
            shutil.rmtree(self.hosts.root / "client" / ".cache", ignore_errors=True)
        elif kind == 4:
            self.interrupted(name, signal.SIGKILL, *slow, session=True)
        elif kind == 5:
            with self.begin(name, *slow) as running:
                time.sleep(self.chance.uniform(0.3, 2))
                said = self.hosts.watch()
                running.wait()
        elif kind == 6:
            self.begin(name, disk_is_broken=True).wait()
        else:
            self.hosts.backup(name, *(slow if kind == 7 else []), check=False)
        return said


def last_child(process: int) -> int:
    """The session at the other end, which borg has begun; 0 when there is none."""
    found = 0
    while True:
        try:
            children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        except OSError:
            return found
        if not children:
            return found
        process = found = int(children[-1])


def test_ordinary_backups_raise_no_alarm(hosts: Hosts) -> None:
    """Interrupted ones, too, by all that interrupts; with checkpoints each second, lost caches, disks that fail, and retention in between."""
    count = int(os.environ.get("ORDINARY_BACKUPS", "100" if SOAK else "3"))
    ordinary, said = Ordinary(hosts), list[str]()
    for number in range(1, count + 1):
        said.append(ordinary.one())
        if number % 7 == 0 or number == count:
            said.append(hosts.watch())
        if number % 24 == 0:
            hosts.days_later()
            said.append(hosts.retain())
    assert not any(said), [text for text in said if text][:3]
    assert all(map(hosts.extracts, list(hosts.archives().values())[-3:]))


@soak
def test_a_disk_that_fails_is_no_attack(hosts: Hosts) -> None:
    """What was read of a file before the disk failed belongs to no archive: a client that forgot it, after retention, puts it over itself."""
    hosts.write("ordinary", 6_000_000)
    ordinary = Ordinary(hosts)
    ordinary.begin("gpu1-4", disk_is_broken=True).wait()
    assert hosts.watch() == ""
    hosts.days_later()
    assert hosts.retain() == ""
    ordinary.begin("gpu1-5", disk_is_broken=True).wait()
    assert hosts.watch() == ""
