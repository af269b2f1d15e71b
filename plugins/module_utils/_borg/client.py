# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Borg repositories through the borg program, https://borgbackup.readthedocs.io/en/stable/internals/frontends.html

This module util is PRIVATE to the collection. It can have breaking changes at any time.
The passphrase goes from its file to borg through BORG_PASSCOMMAND: never an argument, and in this process only to change it.
"""

from __future__ import annotations

import argparse
import calendar
import dataclasses
import json
import os
import re
import shlex
import subprocess
import time
import typing as t

SEVERAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.+-]|:(?!:))*")  # names that borg takes as they are, many at once; its parser drops a second C(--)
DELETING = ["delete", "--lock-wait=600"]
Run = t.Callable[..., t.Tuple[int, str, str]]  # AnsibleModule.run_command


class BorgError(Exception):
    """A sentence for the admin: what was attempted, what came."""


class PassphraseWrong(BorgError):
    """The repository is there, and another passphrase opens it."""


class NameRefused(BorgError):
    """One archive's name cannot be given to borg."""


class RepositoryMissing(BorgError):
    """There is no repository yet, and the place where it would be can be reached."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """Times are seconds since the epoch. The age of a backup counts from its start: later changes are not in it.

    C(id) is the digest of the archive's content, so that another archive under the same name is another one.
    """

    name: str
    start: float
    end: float
    id: str = ""


@dataclasses.dataclass(frozen=True)
class Repository:
    id: str
    encryption: str
    archives: tuple[Archive, ...]  # oldest first
    checkpoints: tuple[Archive, ...] = ()  # what an unfinished backup has left


def lost(repository: str, known_id: str, found_id: str | None) -> str:
    """The sentence for a repository that is not the one that was there; empty when it is, or when none was."""
    if not known_id or found_id == known_id:
        return ""
    return (
        f"repository {repository}: the one with id {known_id[:12]} is expected, whose archives are in the bucket, but "
        f"{'there is none' if found_id is None else 'found is ' + found_id[:12]}: recover it with playbooks/borg_recover.yml, or give it up and begin a new "
        "one by setting borg_begin_anew to the client's name."
    )


def newest(archives: t.Sequence[Archive], now: float) -> Archive | None:
    """The newest that did not begin after C(now): a clock that once was wrong leaves archives from the future."""
    return next((archive for archive in reversed(archives) if archive.start <= now), None)


def ages(archives_of: t.Sequence[Archive], now: float) -> dict[str, t.Any]:
    """What modules return of archives, read at C(now) by the clock of the host that makes its archives."""
    young = newest(archives_of, now)
    archives = [dataclasses.asdict(a) for a in archives_of]
    return {"state": "present", "archives": archives, "newest_age": now - young.start if young else None, "now": now}


@dataclasses.dataclass(frozen=True)
class Access:
    """How to get at a repository; paths are on the host that runs borg."""

    repository: str
    passphrase_file: str
    ssh_command: str
    base_directory: str  # where borg keeps its cache and what it knows of repositories

    @classmethod
    def of(cls, args: argparse.Namespace) -> Access:
        """From the arguments that add_access declares."""
        return cls(args.repository, args.passphrase_file, args.ssh_command, args.base_directory)

    def environment(self) -> dict[str, str]:
        return {
            "BORG_REPO": self.repository,
            "BORG_PASSCOMMAND": f"cat {shlex.quote(self.passphrase_file)}",
            "BORG_RSH": self.ssh_command,
            "BORG_BASE_DIR": self.base_directory,
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",  # a copy from the bucket lies elsewhere
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }


def add_access(parser: argparse.ArgumentParser) -> None:
    for name in ("repository", "passphrase-file", "ssh-command", "base-directory"):
        parser.add_argument(f"--{name}", required=True)


def access_spec(**more: t.Any) -> dict[str, t.Any]:
    """The argument specification that all modules on repositories share, as documented in the fragment C(borg)."""
    return dict(
        repository=dict(type="str", required=True),
        passphrase_file=dict(type="path", required=True, no_log=False),
        ssh_command=dict(type="str", default="ssh"),
        known_hosts=dict(type="str"),
        **more,
    )


def access_of(params: t.Mapping[str, t.Any], tmp: str, base_directory: str | None = None) -> Access:
    """From a module's parameters. Without C(base_directory) borg keeps what it learns in C(tmp), so that reading leaves no trace."""
    ssh_command = params["ssh_command"]
    if params["known_hosts"]:
        trusted = os.path.join(tmp, "known_hosts")
        with open(trusted, "w", encoding="utf-8") as handle:
            handle.write(params["known_hosts"] + "\n")
        program, _space, options = ssh_command.partition(" ")
        ssh_command = f"{program} -o UserKnownHostsFile={trusted} {options}"  # ssh takes the first value it is given
    return Access(params["repository"], params["passphrase_file"], ssh_command, base_directory or tmp)


_SENTENCES = {
    "PassphraseWrong": "its passphrase is expected to open it, but does not: give the one it was made with, or rotate it",
    "Repository.InvalidRepository": "a Borg repository is expected there, but something else is found: move that away, nothing is overwritten",
    "Repository.StorageQuotaExceeded": "its quota is expected to have room, but is used up: raise the client's quota on the server",
    "NoManifestError": "it was begun and never finished, so no archive can be in it: look at it on the server, move it away, and run again",
    "LockTimeout": "its lock is expected to become free, but is held: see which backup still runs, and break the lock only when none does",
    "ConnectionClosed": "its server is expected to answer, but closed the connection: see the server's sshd log",
    "ConnectionClosedWithHint": "its server is expected to answer, but closed the connection: see whether it is up, and whether it knows this client's key",
}


class Borg:
    def __init__(self, run: Run, access: Access) -> None:
        self._run = run
        self._access = access

    def read(self, last: int | None = None) -> Repository:
        """RepositoryMissing when there is none; BorgError when that cannot be told. Takes no lock, so it writes nothing."""
        # an archive's end is in the archive itself, so each that is listed is opened: what is called a checkpoint is an archive, and no object of another
        argv = ["list", "--json", "--bypass-lock", "--consider-checkpoints", "--format={start}{end}{id}", *([f"--last={last}"] if last else [])]
        found = json.loads(self._borg("read", argv, ["::"]))
        archives = tuple(Archive(a.get("barchive", a["name"]), seconds(a["start"]), seconds(a["end"]), a["id"]) for a in found["archives"])
        whole = tuple(archive for archive in archives if not is_checkpoint(archive.name))
        return Repository(found["repository"]["id"], found["encryption"]["mode"], whole, tuple(archive for archive in archives if archive not in whole))

    def create(self, encryption: str) -> None:
        self._borg("make", ["init", f"--encryption={encryption}"], [])

    def delete(self, names: t.Sequence[str]) -> list[str]:
        """Takes archives out of the list. Their data stay until compact, so this can still be rolled back. Returns the names that Borg cannot be given."""
        plain = [name for name in names if SEVERAL.fullmatch(name)]
        if plain:
            self._borg("delete archives in", DELETING, [f"::{plain[0]}", *plain[1:]])
        refused = []
        for name in names:
            if name in plain:
                continue
            try:
                self._borg("delete an archive in", DELETING, [named(name)])
            except NameRefused:
                refused.append(name)
        return refused

    def compact(self) -> None:
        """Frees what no archive needs. After this nothing comes back."""
        self._borg("compact", ["compact", "--lock-wait=600"], ["::"])

    def export_key(self, path: str) -> None:
        """The repository's key, still protected by its passphrase, as text into C(path)."""
        self._borg("export the key of", ["key", "export"], ["::", path])

    def rekey(self, new: str) -> None:
        """Protects the key with the passphrase C(new) from now on. Borg takes it from its environment only."""
        self._borg("change the passphrase of", ["key", "change-passphrase"], ["::"], environment={"BORG_NEW_PASSPHRASE": new})

    def extract(self, archive: str, paths: t.Sequence[str], destination: str) -> None:
        """C(paths) as they are in the archive, each alone or with what is below it."""
        self._borg("extract", ["extract", "--bypass-lock"], [named(archive), *map(below, paths)], cwd=destination)

    def extract_files(self, archive: str, paths: t.Sequence[str], destination: str) -> None:
        """C(paths) as they were listed, so that a C(?) is one letter or byte."""
        self._borg("extract", ["extract", "--bypass-lock"], [named(archive), *map(exactly, paths)], cwd=destination)

    def list_paths(self, archive: str, paths: t.Sequence[str]) -> list[str]:
        """Paths in C(archive), without a leading slash."""
        return [path for _kind, path in self._items("list", archive, "{path}", paths)]

    def list_files(self, archive: str) -> list[str]:
        """Paths of the regular files of C(archive), without a leading slash."""
        return [path for kind, path in self._items("list", archive, "{path}") if kind == "-"]

    def digests(self, archive: str) -> dict[str, str]:
        """SHA-256 by path of the regular files of C(archive); borg fetches and decrypts each for it."""
        found = (text.partition(" ") for kind, text in self._items("read every file of", archive, "{sha256} {path}") if kind == "-")
        return {path: digest for digest, _sep, path in found}

    def _items(self, verb: str, archive: str, form: str, paths: t.Sequence[str] = ()) -> list[tuple[str, str]]:
        """Type of each item, and its C(form). Items end with a NUL, because a name may hold all else; for each byte that is no UTF-8 borg writes C(?)."""
        out = self._borg(verb, ["list", "--bypass-lock", f"--format={{type}}{form}{{NUL}}"], [named(archive), *map(below, paths)])
        return [(item[0], item[1:]) for item in out.split("\0") if item]

    def _borg(self, verb: str, options: t.Sequence[str], names: t.Sequence[str], cwd: str | None = None, environment: t.Mapping[str, str] | None = None) -> str:
        """The one place that builds borg's command line: C(options) are ours, C(names) anybody's, and nothing after C(--) is an option."""
        argv = ["borg", "--log-json", *options, "--", *names]
        environ = {**self._access.environment(), **(environment or {})}
        rc, out, err = self._run(argv, environ_update=environ, cwd=cwd, errors="surrogateescape", expand_user_and_vars=False)
        if rc <= 1:  # 1 is "done, with warnings"
            return out
        kind, message = first_error(err)
        where = f"repository {self._access.repository}"
        if kind == "Repository.DoesNotExist":
            raise RepositoryMissing(f"{where}: it is expected to exist, but does not: run the backup role, or correct the address.")
        if kind == "PassphraseWrong":
            raise PassphraseWrong(f"{where}: {_SENTENCES[kind]}. Borg says: {shown(message)}")
        sentence = _SENTENCES.get(kind, f"borg is expected to {verb} it, but fails")
        raise BorgError(f"{where}: {sentence}. Borg says: {shown(message)}")


def named(archive: str) -> str:
    """An archive for borg's command line. Borg takes braces for placeholders, and cannot be given every name that a client can make."""
    if not archive or "/" in archive or "\0" in archive:
        raise NameRefused(f"archive {shown(archive)}: a name is expected that borg can be given, but this one is not: look at it by its id with borg debug.")
    return "::" + archive.replace("{", "{{").replace("}", "}}")


def below(path: str) -> str:
    """A path for borg's command line: never a pattern, whatever its first letters are."""
    return f"pp:{path}"


def exactly(path: str) -> str:
    """The one path for borg's command line, as borg lists it: C(?) stands for any letter there, since borg lists no byte that is no UTF-8."""
    return "sh:" + re.sub(r"[][*]", r"[\g<0>]", path) if "?" in path else f"pf:{path}"


def real_paths(root: str, path: str) -> list[str]:
    """Paths below C(root) that borg lists as C(path): more than one only where names differ in nothing but bytes that are no UTF-8."""
    found = [root]
    for part in path.split("/"):
        below_it = []
        for folder in found:
            if os.path.lexists(os.path.join(folder, part)):
                below_it.append(os.path.join(folder, part))
            elif "?" in part and os.path.isdir(folder):
                below_it += [os.path.join(folder, name) for name in os.listdir(folder) if name.encode("utf-8", "replace").decode() == part]
        found = below_it
    return found


def shown(text: str) -> str:
    """Somebody else's text for a line of ours: of one line, printable, and not endless."""
    plain = "".join(letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii") for letter in text)
    return plain if len(plain) <= 400 else f"{plain[:400]}…"


def is_checkpoint(name: str) -> bool:
    """Whether Borg itself makes and replaces archives of this name while a backup runs."""
    return re.search(r"\.checkpoint(\.[0-9]+)?\Z", name) is not None


def run_program(
    argv: t.Sequence[str], environ_update: t.Mapping[str, str], cwd: str | None = None, errors: str = "strict", expand_user_and_vars: bool = False
) -> tuple[int, str, str]:
    """A Run for programs on the host, which have no AnsibleModule."""
    if expand_user_and_vars:
        raise AssertionError("names are taken as they are")
    environment = {**os.environ, **environ_update}
    done = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, encoding="utf-8", errors=errors, check=False)
    return done.returncode, done.stdout, done.stderr


def seconds(text: str) -> float:
    """Borg's time, which runs in UTC here: C(2026-11-23T21:39:20.000000)."""
    whole, _sep, fraction = text.partition(".")
    return calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction[:6] or 0}")


def first_error(log: str) -> tuple[str, str]:
    """Message id and text of the first error in a log of JSON lines; what is not JSON comes from ssh and explains it."""
    said: list[str] = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            said.append(line.strip())
            continue
        message = entry.get("message", "").strip().splitlines()
        if entry.get("levelname") in ("ERROR", "CRITICAL") and message:
            last = entry.get("msgid") in (None, "Exception") or message[0].startswith("Traceback")
            return entry.get("msgid") or "", " ".join([*said, message[-1 if last else 0]])
        if entry.get("levelname") == "WARNING" and message:
            said.append(message[0].replace("Remote: ", ""))
    return "", " ".join(said) or "nothing"
