# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches all repositories and keeps retention, on the one host that is trusted with every passphrase. Timers run it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

    watch    read each repository, compare with what is remembered, prove that nothing is lost, keep a copy of its key, write metrics
    retain   the same, then take away expired archives and compact, while no client can write
    remove   the same for archives that are named, which nobody wants any more
    accept   forget archives that are missing or incomplete, by name: somebody took them away on purpose, or they are given up;
             with --lost, prove the repository anew as it is now: what else is lost was looked at, and is given up
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
import re
import shlex
import subprocess
import sys
import tempfile
import time
import typing as t

from ..._textfile import Textfile
from ..client import Access, Borg, BorgError, RepositoryMissing, run_program, shown
from ..proof import Proof, advance, doubts, judge
from ..retention import Memory, expired, forget, observe, without_newer
from .content import Known

CONFIG = "/etc/gpulab/borg-admin"
STATE = "/var/lib/gpulab/borg-admin"
HOLD_SECONDS = 900
PYTHON = "/usr/bin/python3"  # which has Borg's own package
FIRST_ROUND_SECONDS = 120  # of a watch, for a repository whose content was not read yet
SHARE_SECONDS = 60
ROUND = 90 * 86400.0  # in which all content is read once, after that
SHARE = 256  # objects that are worth a session
PUT_AGAIN = 1024  # objects that came over others and are compared with what they were made of
NOT_NOW: dict[str, t.Any] = {"transaction": -2, "astray": [], "count": 0, "new": [], "torn": ""}
LookAgain = t.Callable[[t.Sequence[str]], t.Dict[str, t.Any]]


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


class Server:
    """What the backup server says of one repository in sessions of the admin host: it needs no key for that."""

    def __init__(self, client: Client, ssh_command: str) -> None:
        self._name = client.name
        self._ssh = [*shlex.split(ssh_command), *shlex.split(client.hold)]

    @contextlib.contextmanager
    def _session(self, verb: str, *words: str) -> t.Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*self._ssh, verb, self._name, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as open_:
            try:
                yield open_
            finally:
                if open_.stdin:
                    with contextlib.suppress(BrokenPipeError):
                        open_.stdin.close()

    @contextlib.contextmanager
    def held(self) -> t.Iterator[subprocess.Popen[str]]:
        """No client session can begin while this lasts; the server gives it up when this process or its connection dies."""
        with self._session("hold") as hold:
            if hold.stdout is None or hold.stderr is None:
                raise AssertionError("both were asked for as pipes")
            if hold.stdout.readline().strip() != "held":
                said = shown(hold.stderr.read().strip())
                raise BorgError(
                    f"{self._name}: its repository is expected to be free within {HOLD_SECONDS // 60} min, but a session keeps it"
                    f"{': ' + said if said else ''}. See whether a backup hangs on the client."
                )
            yield hold

    @contextlib.contextmanager
    def heads(self, since: int) -> t.Iterator[tuple[dict[str, t.Any], LookAgain] | None]:
        """What the log says since a transaction, and a function that looks again, for some ids; None when there is no repository."""
        with self._session("heads", str(since)) as session:
            if session.stdin is None or session.stdout is None or session.stderr is None:
                raise AssertionError("all three were asked for as pipes")
            line = session.stdout.readline()
            if not line and session.wait() == 3:
                yield None
                return
            try:
                seen = json.loads(line)
            except ValueError:
                session.stdin.close()
                raise self._strange("heads", line or session.stderr.read()) from None

            def again(ids: t.Sequence[str]) -> dict[str, t.Any]:
                session.stdin.write(" ".join(ids) + "\n")  # type: ignore[union-attr]
                session.stdin.flush()  # type: ignore[union-attr]
                try:
                    return {**NOT_NOW, **json.loads(session.stdout.readline())}  # type: ignore[union-attr]
                except (TypeError, ValueError):  # the session ended, or the server has an older program
                    return NOT_NOW

            yield seen, again

    def ids(self, path: str) -> None:
        """Every id of the repository into C(path), one a line."""
        with open(path, "w", encoding="ascii") as handle:
            done = subprocess.run([*self._ssh, "ids", self._name], stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise self._strange("ids", done.stderr)

    def lacking(self, ids: t.Iterable[str]) -> set[str]:
        """Those of C(ids) that the repository does not have."""
        lines = "".join(f"{key}\n" for key in ids)
        done = subprocess.run([*self._ssh, "lacking", self._name], input=lines, capture_output=True, text=True, check=False)
        if done.returncode:
            raise self._strange("lacking", done.stderr)
        return set(done.stdout.split())

    def _strange(self, verb: str, said: str) -> BorgError:
        return BorgError(
            f"{self._name}: the backup server is expected to answer {verb}, but says: {shown(said.strip()) or 'nothing'}. "
            "See whether it is up, and run playbooks/borg.yml for it."
        )


class Watcher:
    """One client's repository, what is remembered and proven of it, and its metrics."""

    def __init__(self, client: Client, ssh_command: str, metrics: str) -> None:
        self.client = client
        self._metrics = metrics
        self._path = f"{STATE}/{client.name}.json"
        self._proof = f"{STATE}/{client.name}.proof.json"
        self._ids = f"{STATE}/{client.name}.ids"
        self._known = f"{STATE}/{client.name}.known"
        self._access = client.access(ssh_command)
        self.server = Server(client, ssh_command)
        self.borg = Borg(run_program, self._access)
        self.notes: list[str] = []
        self.listed: bool | None = None  # whether borg could read the list of archives; None where the server did not answer
        self.became: dict[str, str] = {}  # of missing archives: how each is called now, as far as the list of archives tells
        self.load()

    def load(self) -> None:
        self.memory = Memory.from_dict(read(self._path))
        self.proof = Proof.from_dict(read(self._proof))

    def save(self) -> None:
        for path, what in ((self._path, self.memory), (self._proof, self.proof)):
            write(path, json.dumps(dataclasses.asdict(what), sort_keys=True, indent=1) + "\n", 0o600)

    def watch(self) -> None:
        """What there is and what the log says, of one transaction: if another came meanwhile, the proof waits for the next watch."""
        with self.server.heads(self.proof.transaction) as told:
            try:
                found = self.borg.read()
                self.listed = True
            except RepositoryMissing:
                raise
            except BorgError:
                # an entry of the list that cannot be opened stops borg: what the log says is told all the same
                if told is not None:
                    self._judge(told[0], told[1], [], time.time())
                    self.listed = False
                    self._all_since_the_proof()
                    self.save()
                raise
            now = time.time()
            whole = self.memory.whole
            self.memory = observe(self.memory, found, now)
            if self.proof.transaction < 0:
                self.memory = without_newer(dataclasses.replace(self.memory, whole=whole))
            if told is None:
                raise self.server._strange("heads", "there is no repository")
            seen, again = told[0], told[1]
            checkpoints = [archive.id for archive in found.checkpoints if archive.id not in self.memory.archives]
            answer = self._judge(seen, again, checkpoints, now)
            if self.memory.missing:
                self._all_since_the_proof()
                self.became = self._became()
            elif answer["transaction"] == seen["transaction"]:
                # what was there before it was called a checkpoint may be anybody's
                known = {*self.proof.checkpoints, *answer["new"]}
                kept = [key for key in checkpoints if key in known or self.proof.transaction < 0]
                self.proof = advance(self.proof, seen["transaction"], kept, now)
            self.memory.whole = now if self.proof.proven == now else whole
            self.save()

    def _judge(self, seen: t.Mapping[str, t.Any], again: LookAgain, checkpoints: t.Sequence[str], now: float) -> dict[str, t.Any]:
        """Notes what the log, and the index beside it, say of what was there. Returns what the server said when it looked again."""
        answer, had = again(checkpoints), self.proof.lost
        astray = {key for key, _transaction in answer["astray"]}
        deleted = [(key, transaction) for key, transaction in seen["deleted"] if key not in astray]
        told = {**seen, "deleted": [*answer["astray"], *deleted], "count": seen["count"] + answer["count"], "torn": seen["torn"] or answer["torn"]}
        # nothing excuses an index that is not as the log has it
        self.proof = dataclasses.replace(self.proof, checkpoints=[key for key in self.proof.checkpoints if key not in astray])
        self.proof = judge(self.proof, told, now)
        unharmed = self._unharmed([key for key, _transaction in deleted if key not in self.proof.checkpoints]) if self.proof.lost else set()
        if unharmed:
            self.proof = judge(self.proof, told, now, unharmed)
            answer = again(checkpoints)
        if self.proof.lost and self.proof.lost != had:
            self.save()
            self.proof.affected = self._affected([key for key, _transaction in told["deleted"] if key not in {*self.proof.checkpoints, *unharmed}])
        return answer

    def _all_since_the_proof(self) -> None:
        """The list of archives is not as it was: what is good ends where everything was proven, and not only before the first deletion."""
        if self.proof.lost:
            self.proof.good = self.proof.transaction

    def _unharmed(self, ids: t.Sequence[str]) -> set[str]:
        """Those of C(ids) that are there and are what they were made of: a client that forgot them, as after an error of its disk, put them once more."""
        if not 0 < len(ids) <= PUT_AGAIN:
            return set()
        try:
            there = sorted(set(ids) - self.server.lacking(ids))
            if not there:
                return set()
            with tempfile.TemporaryDirectory(dir=STATE) as tmp:
                with open(f"{tmp}/ids", "w", encoding="ascii") as handle:
                    handle.writelines(f"{key}\n" for key in there)
                answer = self._content({"verb": "read", "ids": f"{tmp}/ids", "from": 0, "to": len(there), "seconds": SHARE_SECONDS})
        except BorgError as exc:
            self.notes.append(str(exc))
            return set()
        return set(there[: answer["read"]]) - set(answer["damaged"])

    def _became(self) -> dict[str, str]:
        """What the list says now of archives that are missing: another name, or one that began at the very same moment, as C(borg rename) makes it."""
        missing = [(key, self.memory.archives[key].start) for key in self.memory.missing]
        try:
            rows = self._content({"verb": "listed", "archives": missing})["archives"]
        except BorgError as exc:
            self.notes.append(str(exc))
            return {}
        archives = self.memory.archives
        older = {known.name for key, known in archives.items() if key not in self.memory.missing and known.first_seen <= self.memory.whole}
        names = {row["id"]: [name for name in row["names"] if name != archives[row["id"]].name] + row["began"] for row in rows}
        return {key: new for key, found in names.items() for new in [name for name in found if name not in older][:1]}

    def examine(self) -> None:
        """New archives have all that they need; and a share of the content is read, never by the client's word."""
        todo = [key for key in self.memory.archives if key not in self.memory.missing and key not in self.proof.complete]
        self.proof.complete = [key for key in self.proof.complete if key in self.memory.archives]
        incomplete: list[str] = []
        until = time.monotonic() + FIRST_ROUND_SECONDS
        while todo and time.monotonic() < until:
            done = self._complete(todo, incomplete)
            todo = todo[done:] if done else []
        self.proof.incomplete = incomplete
        self.save()
        self._read_on()
        self.save()

    def _content(self, job: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        environment = {**os.environ, **self._access.environment()}
        argv = [PYTHON, "-m", "gpulab._borg.programs.content"]
        done = subprocess.run(argv, input=json.dumps(job), env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise BorgError(f"{self.client.name}: its content is expected to be readable, but: {shown(last)}. See whether python3 there has the package borg.")
        return dict(json.loads(done.stdout))

    def _complete(self, todo: list[str], incomplete: list[str]) -> int:
        """Notes which of the first of C(todo) are complete; how many were looked at."""
        with tempfile.TemporaryDirectory(dir=STATE) as tmp:
            fresh = f"{tmp}/fresh"
            answer = self._content({"verb": "needs", "archives": todo, "known": self._known, "fresh": fresh, "seconds": SHARE_SECONDS})
            lacking = self.server.lacking({key for archive in answer["archives"] for key in archive["needs"]})
            complete = [archive["id"] for archive in answer["archives"] if archive["whole"] and not lacking.intersection(archive["needs"])]
            if os.path.exists(fresh):
                with open(fresh, encoding="ascii") as handle:
                    rows = [json.loads(line) for line in handle]
                # a list that two of them have was read for each
                Known(self._known).add([(bytes.fromhex(a), bytes.fromhex(b), bytes.fromhex(c)) for name, a, b, c in rows if name in complete])
        self.proof.complete += complete
        incomplete += [self.memory.archives[archive["id"]].name for archive in answer["archives"] if archive["id"] not in complete]
        return len(answer["archives"])

    def _affected(self, lost: list[str]) -> list[str]:
        """Names of the archives that need one of C(lost); found once, when it is seen."""
        try:
            answer = self._content({"verb": "affected", "lost": lost, "archives": list(self.memory.archives), "seconds": SHARE_SECONDS})
        except BorgError as exc:
            self.notes.append(str(exc))
            return []
        return [self.memory.archives[key].name for key in answer["archives"]]

    def _read_on(self) -> None:
        proof, now = self.proof, time.time()
        if proof.read < 0 or proof.read >= proof.to_read:
            if proof.first_round_ended and now < proof.began + ROUND:
                return
            self.server.ids(self._ids)
            proof.read, proof.to_read, proof.began = 0, os.path.getsize(self._ids) // 65, now
            self.save()
        due = proof.to_read
        if proof.first_round_ended:
            due = min(due, int(proof.to_read * (now - proof.began) / ROUND))
            if due - proof.read < min(SHARE, proof.to_read - proof.read):
                return
        seconds = SHARE_SECONDS if proof.first_round_ended else FIRST_ROUND_SECONDS
        if due > proof.read:
            answer = self._content({"verb": "read", "ids": self._ids, "from": proof.read, "to": due, "seconds": seconds})
            proof.read = answer["read"]
            proof.damaged = sorted({*proof.damaged, *answer["damaged"]})
        if proof.read >= proof.to_read:
            proof.whole_round = now

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

    def retain(self, names: t.Sequence[str] = ()) -> None:
        """Take away what expired, or the archives C(names). Refused while anything that should stay is not proven to be there, and final only when all is."""
        with self.server.held() as hold:
            self.watch()
            self._refuse_if_missing()
            self.examine()
            self._refuse_if_doubtful()
            victims = self._named(names) if names else expired(self.memory, self.client.retention, self.client.allowance * 60, time.time())
            if victims:
                self.memory.removing, self.memory.uncompacted = victims, True
                self.save()
                self.notes += [
                    f"{self.client.name}: archive {shown(name)} is expired and expected to be deleted, but its name cannot be given to borg: it stays."
                    for name in self.borg.delete([self.memory.archives[key].name for key in victims])
                ]
                self.watch()
                self._refuse_if_missing()
                self._forget_lists()
            if self.memory.uncompacted:
                self._refuse_if_doubtful()
                if hold.poll() is not None:
                    raise Refused(f"{self.client.name}: its repository is expected to be held, but the hold was lost: nothing was compacted, run it again.")
                self.borg.compact()
                self.memory.uncompacted = False
                self.watch()
            if not names:
                self.memory.retained = time.time()
            self.save()

    def _named(self, names: t.Sequence[str]) -> list[str]:
        """Ids of the archives C(names)."""
        found = {known.name: key for key, known in self.memory.archives.items()}
        for name in names:
            if name not in found:
                raise Refused(f"{self.client.name}: {shown(name)} is expected to be one of its archives, but is none: nothing was removed, see borg list.")
        return [found[name] for name in dict.fromkeys(names)]

    def _forget_lists(self) -> None:
        """A list of items that is not there any more may come back without what it names."""
        known = Known(self._known)
        known.forget(bytes.fromhex(key) for key in self.server.lacking(key.hex() for key in known.lists()))

    def _refuse_if_missing(self) -> None:
        if self.memory.missing:
            raise Refused(
                f"{self.client.name}: {len(self.memory.missing)} archives are expected that this host has seen and not removed, but they are gone: "
                f"{self._gone(shown)}. Nothing is pruned or compacted: bring them back with playbooks/borg_unhide.yml, or accept their loss by name."
            )

    def _gone(self, plain: t.Callable[[str], str]) -> str:
        """The first archives that are missing, with the names that they have now."""
        named = [(self.memory.archives[key].name, self.became.get(key)) for key in self.memory.missing]
        return few([plain(old) + ("" if new is None else f" (now {plain(new)})" if new != old else " (now another one)") for old, new in named])

    def missing(self) -> str:
        """The sentence of archives that are gone; empty when none is."""
        if not self.memory.missing:
            return ""
        renamed = "; its client renamed what has another name now" if self.became else ""
        renamed += ", and borg lists no name with a slash" if any("/" in name for name in self.became.values()) else ""
        return (
            f"{self.client.name}: {len(self.memory.missing)} archives that were there are gone, and retention did not remove them: "
            f"{self._gone(shown)}{renamed}. Retention waits. Did nobody do that on purpose, take the client for compromised: "
            "playbooks/borg_unhide.yml brings them back. Else accept it by the old names, see roles/borg/README.md."
        )

    def doubts(self) -> str:
        """The sentence why nothing is made final; empty when all is proven."""
        why = doubts(self.proof, [key for key in self.memory.archives if key not in self.memory.missing])
        if not why:
            return ""
        way = "bring it back with playbooks/borg_unhide.yml" if self.proof.lost else "see roles/borg/README.md"
        if not self.proof.lost and not self.proof.unread and not self.proof.damaged and not self.proof.incomplete:
            way = "the watch goes on with it"
        return f"{self.client.name}: everything that should stay is expected to be proven, but {shown(why)}. Nothing is pruned or compacted: {way}."

    def _refuse_if_doubtful(self) -> None:
        why = self.doubts()
        if not why and self.proof.proven != self.memory.watched:
            why = f"{self.client.name}: everything is expected to be proven up to now, but the log could not be read again: run it again."
        if why:
            raise Refused(why)

    # -- told

    def write_metrics(self, readable: bool, retention: bool | None) -> None:
        out = Textfile("gpulab_borg")

        def gauge(name: str, text: str, value: float | None) -> None:
            out.gauge(f"admin_{name}", text, value, client=self.client.name)

        memory = self.memory
        gauge("repository_readable", "Whether the repository could be read at the last watch", readable)
        gauge("list_readable", "Whether Borg could read the list of archives at the last watch; nothing where the server did not answer", self.listed)
        gauge("rpo_seconds", "How old the newest archive may ever be", self.client.rpo * 60)
        gauge("archives", "Archives that are known", len(memory.archives))
        labels = {"client": self.client.name, **({"archives": self._gone(plain)} if memory.missing else {})}
        out.gauge("admin_missing_archives", "Archives that were seen, are gone, and were not removed by retention", len(memory.missing), **labels)
        gauge("whole_timestamp_seconds", "When every known archive was last there, and nothing of them was lost", memory.whole)
        gauge("watched_timestamp_seconds", "When the repository was last read", memory.watched)
        gauge("retained_timestamp_seconds", "When retention last ended well; at first, when the watch began", memory.retained)
        gauge("retention_succeeded", "Whether retention ended well", retention)
        proof = self.proof
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(proof.since)) if proof.since else ""
        labels = {"client": self.client.name, "archives": labelled(proof.affected), "since": when}
        text = "Objects that were there and that its client deleted or overwrote: which archives need them, and since when"
        out.gauge("admin_lost_objects", text, proof.lost, **labels)
        labels = {"client": self.client.name, "archives": labelled(proof.incomplete)}
        out.gauge("admin_incomplete_archives", "Archives that lack something that they need", len(proof.incomplete), **labels)
        gauge("damaged_objects", "Objects with another content than they were made of", len(proof.damaged))
        gauge("log_readable", "Whether the server's log of the repository says what borg writes", not proof.unread)
        gauge("proven_timestamp_seconds", "When nothing that was there was last known to be lost", proof.proven or None)
        gauge("proven_archives_ratio", "Share of the archives that have all that they need", share(len(proof.complete), len(memory.archives)))
        gauge("first_proof_ratio", "How far the content of the repository was read for the first time; before 1 nothing is compacted", self._first())
        good = proof.good if proof.lost else proof.transaction
        gauge("good_transaction", "The transaction to which the repository can be brought back", good if good >= 0 else None)
        there = [known for key, known in memory.archives.items() if key not in memory.missing]
        if there:
            newest = max(known.trusted_start(self.client.allowance * 60) for known in there)
            gauge("archive_start_timestamp_seconds", "When the newest archive began, as far as the client can be believed", newest)
        out.write(f"{self._metrics}/gpulab_borg_admin_{self.client.name}.prom")

    def _first(self) -> float:
        if self.proof.first_round_ended:
            return 1.0
        return max(self.proof.read, 0) / self.proof.to_read if self.proof.to_read else 0.0


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def labelled(names: t.Sequence[str]) -> str:
    """Names of archives for a label: a client has chosen them, so they are cut to what needs no quoting anywhere."""
    return few([plain(name) for name in names])


def few(names: t.Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def plain(name: str) -> str:
    return re.sub("[^A-Za-z0-9_.:+-]", "_", name)[:80]


def read(path: str) -> dict[str, t.Any]:
    """What was remembered; nothing at first."""
    try:
        with open(path, encoding="utf-8") as handle:
            return dict(json.load(handle))
    except FileNotFoundError:
        return {}


def write(path: str, text: str, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(temporary, mode)
    os.replace(temporary, path)


def look_after(watcher: Watcher, verb: str, names: t.Sequence[str] = ()) -> str | None:
    """Watch or retain one client, or remove its archives C(names); the sentence of what went wrong, or None."""
    os.makedirs(f"{STATE}/{watcher.client.name}", mode=0o700, exist_ok=True)
    with open(f"{STATE}/{watcher.client.name}.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if verb == "watch" else 0))
        except BlockingIOError:
            return None  # retention has it, and watches it
        watcher.load()
        readable, retention, said = False, None, None
        try:
            if verb == "retain":
                retention = False
                watcher.retain()
                retention = True
            elif verb == "remove":
                watcher.retain(names)
            else:
                watcher.watch()
                watcher.examine()
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
            said = str(exc) if readable or not (watcher.proof.lost or watcher.proof.unread) else f"{exc} {watcher.doubts()}"
        except Exception as exc:  # one client's repository never stops the work for the others
            said = f"{watcher.client.name}: it is expected to be looked after, but that ended with {type(exc).__name__}: {shown(str(exc))}."
        if said is None and watcher.memory.missing:
            # the object of an archive that was renamed is deleted with its name
            said = " ".join([watcher.missing(), *([watcher.doubts()] if watcher.proof.lost > len(watcher.memory.missing) else [])])
        if said is None and (watcher.proof.lost or watcher.proof.unread or watcher.proof.damaged or watcher.proof.incomplete):
            said = watcher.doubts()
        watcher.write_metrics(readable, retention)
        for note in watcher.notes:
            sys.stderr.write(note + "\n")
        return said


def accept(watcher: Watcher, names: t.Sequence[str]) -> str:
    """Forget missing or incomplete archives by name. One that is neither is refused."""
    given_up = {key for key, known in watcher.memory.archives.items() if known.name in names and known.name in watcher.proof.incomplete}
    names = [name for name in names if name not in {watcher.memory.archives[key].name for key in given_up}]
    try:
        memory = forget(watcher.memory, names) if names else watcher.memory
    except ValueError as exc:
        missing = [shown(watcher.memory.archives[key].name) for key in watcher.memory.missing]
        return f"{watcher.client.name}: missing archives are expected, but {shown(str(exc))} is not: missing are {', '.join(missing) or 'none'}."
    # that the object of an archive that is given up was deleted is no alarm; what else its client deleted with it is
    gone = set(watcher.memory.archives) - set(memory.archives)
    watcher.memory = memory
    watcher.proof = dataclasses.replace(
        watcher.proof,
        complete=sorted({*watcher.proof.complete, *given_up} - gone),
        incomplete=[],
        checkpoints=sorted({*watcher.proof.checkpoints, *gone}),
    )
    if memory == Memory():
        watcher.proof = Proof()
    watcher.save()
    return ""


def main() -> int:
    parser = argparse.ArgumentParser("gpulab-borg-admin", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["watch", "retain", "remove", "accept"])
    parser.add_argument("--client", help="only this one")
    parser.add_argument("--archive", action="append", default=[], help="name of an archive to remove, or to accept as gone")
    parser.add_argument("--lost", action="store_true", help="begin the proof anew: what is lost was looked at, and is given up")
    args = parser.parse_args()
    os.umask(0o077)
    with open(f"{CONFIG}/clients.json", encoding="utf-8") as handle:
        config = json.load(handle)
    chosen = [Client(**entry) for entry in config["clients"] if args.client in (None, entry["name"])]
    watchers = [Watcher(client, config["ssh_command"], config["metrics"]) for client in chosen]
    if args.verb == "remove":
        if not args.client or not args.archive or not watchers:
            parser.error("remove expects --client, one that is watched, and at least one --archive")
        said = [look_after(watchers[0], "remove", args.archive) or ""]
    elif args.verb == "accept":
        if not args.client or not (args.archive or args.lost) or not watchers:
            parser.error("accept expects --client and at least one --archive, or --lost")
        if args.lost:
            watchers[0].proof = Proof()
            watchers[0].save()
        said = [accept(watchers[0], args.archive) if args.archive else ""]
    else:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            said = [text or "" for text in pool.map(lambda watcher: look_after(watcher, args.verb), watchers)]
    for text in filter(None, said):
        sys.stderr.write(text + "\n")  # into the journal
    return 1 if any(said) else 0


if __name__ == "__main__":
    raise SystemExit(main())
