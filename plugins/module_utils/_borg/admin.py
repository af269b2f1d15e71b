# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches all repositories and keeps retention, on the one host that is trusted with every passphrase. Timers run it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

    watch    read each repository, compare with what is remembered, keep a copy of its key, write metrics
    retain   the same, then take away expired archives and compact, while no client can write
    accept   forget archives that are missing, by name: somebody took them away on purpose
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import typing as t

from .client import Access, Borg, BorgError, RepositoryMissing, run_program
from .retention import Memory, expired, forget, observe
from .textfile import Textfile

CONFIG = "/etc/gpulab/borg-admin"
STATE = "/var/lib/gpulab/borg-admin"
HOLD_SECONDS = 900


class Refused(BorgError):
    """Retention would make final what somebody else did."""


@dataclasses.dataclass(frozen=True)
class Client:
    """One entry of clients.json; durations in minutes."""

    name: str
    repository: str
    hold: str  # ssh destination and options with which its repository can be held
    rpo: int
    allowance: int  # how long a backup may take before it is seen here
    retention: t.Mapping[str, int]

    def access(self, ssh_command: str) -> Access:
        return Access(self.repository, f"{CONFIG}/passphrases/{self.name}", ssh_command, f"{STATE}/{self.name}")


class Watcher:
    """One client's repository, its memory and its metrics."""

    def __init__(self, client: Client, ssh_command: str, metrics: str) -> None:
        self.client = client
        self._ssh = ssh_command
        self._metrics = metrics
        self._path = f"{STATE}/{client.name}.json"
        self.borg = Borg(run_program, client.access(ssh_command))
        self.memory = self._load()

    def _load(self) -> Memory:
        try:
            with open(self._path, encoding="utf-8") as handle:
                return Memory.from_dict(json.load(handle))
        except FileNotFoundError:
            return Memory()

    def save(self) -> None:
        write(self._path, json.dumps(dataclasses.asdict(self.memory), sort_keys=True, indent=1) + "\n", 0o600)

    def watch(self) -> None:
        self.memory = observe(self.memory, self.borg.read(), time.time())
        self.save()

    def keep_key(self) -> None:
        """Each key that the repository ever had is kept, so that nobody can take it away by changing it there."""
        folder = f"{CONFIG}/keys/{self.client.name}"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=STATE) as tmp:
            self.borg.export_key(f"{tmp}/key")
            with open(f"{tmp}/key", encoding="ascii") as handle:
                text = handle.read()
        path = f"{folder}/{hashlib.sha256(text.encode()).hexdigest()[:12]}.key"
        if not os.path.exists(path):
            write(path, text, 0o600)

    def retain(self) -> None:
        """Take away what expired. Refused while an archive is missing, before and after, and final only when nothing is."""
        with self._held() as hold:
            self.watch()
            self._refuse_if_missing()
            victims = expired(self.memory, self.client.retention, self.client.allowance * 60, time.time())
            if victims:
                self.memory.removing, self.memory.uncompacted = victims, True
                self.save()
                self.borg.delete([self.memory.archives[key].name for key in victims])
                self.watch()
                self._refuse_if_missing()
            if self.memory.uncompacted:
                if hold.poll() is not None:
                    raise Refused(f"{self.client.name}: its repository is expected to be held, but the hold was lost: nothing was compacted, run it again.")
                self.borg.compact()
                self.memory.uncompacted = False
            self.memory.retained = time.time()
            self.save()

    def _refuse_if_missing(self) -> None:
        if self.memory.missing:
            names = [self.memory.archives[key].name for key in self.memory.missing]
            raise Refused(
                f"{self.client.name}: {len(names)} archives are expected that this host has seen and not removed, but they are gone: {', '.join(names[:3])}. "
                "Nothing is pruned or compacted: bring them back with playbooks/borg_unhide.yml, or accept their loss by name."
            )

    @contextlib.contextmanager
    def _held(self) -> t.Iterator[subprocess.Popen[str]]:
        """No client session can begin while this lasts; the server gives it up when this process or its connection dies."""
        argv = [*shlex.split(self._ssh), *shlex.split(self.client.hold), "hold", self.client.name]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as hold:
            if hold.stdin is None or hold.stdout is None or hold.stderr is None:
                raise AssertionError("all three were asked for as pipes")
            if hold.stdout.readline().strip() != "held":
                said = hold.stderr.read().strip()
                raise BorgError(
                    f"{self.client.name}: its repository is expected to be free within {HOLD_SECONDS // 60} min, but a session keeps it"
                    f"{': ' + said if said else ''}. See whether a backup hangs on the client."
                )
            try:
                yield hold
            finally:
                hold.stdin.close()

    # -- told

    def write_metrics(self, readable: bool, retention: bool | None) -> None:
        out = Textfile()

        def gauge(name: str, text: str, value: float | None) -> None:
            out.gauge(f"admin_{name}", text, value, client=self.client.name)

        memory = self.memory
        gauge("repository_readable", "Whether the repository could be read at the last watch", readable)
        gauge("rpo_seconds", "How old the newest archive may ever be", self.client.rpo * 60)
        gauge("archives", "Archives that are known", len(memory.archives))
        gauge("missing_archives", "Archives that were seen, are gone, and were not removed by retention", len(memory.missing))
        gauge("whole_timestamp_seconds", "When every known archive was last there", memory.whole)
        gauge("watched_timestamp_seconds", "When the repository was last read", memory.watched)
        gauge("retained_timestamp_seconds", "When retention last ended well; at first, when the watch began", memory.retained)
        gauge("retention_succeeded", "Whether retention ended well", retention)
        there = [known for key, known in memory.archives.items() if key not in memory.missing]
        if there:
            newest = max(known.trusted_start(self.client.allowance * 60) for known in there)
            gauge("archive_start_timestamp_seconds", "When the newest archive began, as far as the client can be believed", newest)
        out.write(f"{self._metrics}/gpulab_borg_admin_{self.client.name}.prom")


def write(path: str, text: str, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(temporary, mode)
    os.replace(temporary, path)


def look_after(watcher: Watcher, verb: str) -> str | None:
    """Watch or retain one client; the sentence of what went wrong, or None."""
    os.makedirs(f"{STATE}/{watcher.client.name}", mode=0o700, exist_ok=True)
    with open(f"{STATE}/{watcher.client.name}.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if verb == "retain" else fcntl.LOCK_NB))
        except BlockingIOError:
            return None  # retention has it, and watches it
        watcher.memory = watcher._load()
        readable, retention, said = False, None, None
        try:
            if verb == "retain":
                retention = False
                watcher.retain()
                retention = True
            else:
                watcher.watch()
            readable = True
            watcher.keep_key()
        except RepositoryMissing as exc:
            # a client that was never backed up has none; one that was has lost it
            if watcher.memory.archives:
                watcher.memory.missing = sorted(watcher.memory.archives)
                watcher.save()
                said = str(exc)
        except BorgError as exc:
            readable = isinstance(exc, Refused)
            said = str(exc)
        if watcher.memory.missing and said is None:
            said = f"{watcher.client.name}: {len(watcher.memory.missing)} archives that were there are gone, and retention did not remove them."
        watcher.write_metrics(readable, retention)
        return said


def accept(watcher: Watcher, names: t.Sequence[str]) -> str:
    """Forget missing archives by name. One that is not missing is refused."""
    try:
        watcher.memory = forget(watcher.memory, names)
    except ValueError as exc:
        missing = [watcher.memory.archives[key].name for key in watcher.memory.missing]
        return f"{watcher.client.name}: missing archives are expected, but {exc} is not: missing are {', '.join(missing) or 'none'}."
    watcher.save()
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["watch", "retain", "accept"])
    parser.add_argument("--client", help="only this one")
    parser.add_argument("--archive", action="append", default=[], help="name of an archive to accept as gone")
    args = parser.parse_args()
    os.umask(0o077)
    with open(f"{CONFIG}/clients.json", encoding="utf-8") as handle:
        config = json.load(handle)
    chosen = [Client(**entry) for entry in config["clients"] if args.client in (None, entry["name"])]
    watchers = [Watcher(client, config["ssh_command"], config["metrics"]) for client in chosen]
    if args.verb == "accept":
        if not args.client or not args.archive or not watchers:
            parser.error("accept expects --client and at least one --archive")
        said = [accept(watchers[0], args.archive)]
    else:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            said = [text or "" for text in pool.map(lambda watcher: look_after(watcher, args.verb), watchers)]
    for text in filter(None, said):
        sys.stderr.write(text + "\n")  # into the journal
    return 1 if any(said) else 0


if __name__ == "__main__":
    raise SystemExit(main())
