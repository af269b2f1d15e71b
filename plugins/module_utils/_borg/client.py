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
import shlex
import subprocess
import time
import typing as t

Run = t.Callable[..., t.Tuple[int, str, str]]  # AnsibleModule.run_command


class BorgError(Exception):
    """A sentence for the admin: what was attempted, what came."""


class PassphraseWrong(BorgError):
    """The repository is there, and another passphrase opens it."""


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
        argv = ["list", "--json", "--bypass-lock", "--format", "{start}{end}{id}", *(["--last", str(last)] if last else []), "::"]
        found = json.loads(self._borg("read", argv))
        archives = tuple(Archive(a["name"], seconds(a["start"]), seconds(a["end"]), a["id"]) for a in found["archives"])
        return Repository(found["repository"]["id"], found["encryption"]["mode"], archives)

    def create(self, encryption: str) -> None:
        self._borg("make", ["init", "--encryption", encryption])

    def delete(self, names: t.Sequence[str]) -> None:
        """Takes archives out of the list. Their data stay until compact, so this can still be rolled back."""
        if names:
            self._borg("delete archives in", ["delete", "--lock-wait", "600", f"::{names[0]}", *names[1:]])

    def compact(self) -> None:
        """Frees what no archive needs. After this nothing comes back."""
        self._borg("compact", ["compact", "--lock-wait", "600", "::"])

    def export_key(self, path: str) -> None:
        """The repository's key, still protected by its passphrase, as text into C(path)."""
        self._borg("export the key of", ["key", "export", "::", path])

    def rekey(self, passphrase_file: str) -> None:
        """Protects the key with the passphrase in C(passphrase_file) from now on. Borg takes a new one from its environment only."""
        with open(passphrase_file, encoding="utf-8") as handle:
            new = handle.read().rstrip("\n")
        self._borg("change the passphrase of", ["key", "change-passphrase", "::"], environment={"BORG_NEW_PASSPHRASE": new})

    def extract(self, archive: str, paths: t.Sequence[str], destination: str) -> None:
        self._borg("extract", ["extract", "--bypass-lock", f"::{archive}", *paths], cwd=destination)

    def list_paths(self, archive: str, paths: t.Sequence[str]) -> list[str]:
        """Paths in C(archive), without a leading slash."""
        return self._borg("list", ["list", "--bypass-lock", "--format", "{path}{NL}", f"::{archive}", *paths]).splitlines()

    def list_files(self, archive: str) -> list[str]:
        """Paths of the regular files of C(archive), without a leading slash."""
        found = self._borg("list", ["list", "--bypass-lock", "--format", "{type}{path}{NL}", f"::{archive}"]).splitlines()
        return [line[1:] for line in found if line.startswith("-")]

    def digests(self, archive: str) -> dict[str, str]:
        """SHA-256 by path of the regular files of C(archive); borg fetches and decrypts each for it."""
        found = self._borg("read every file of", ["list", "--bypass-lock", "--format", "{type}{sha256} {path}{NL}", f"::{archive}"]).splitlines()
        return {path: digest for digest, _sep, path in (line[1:].partition(" ") for line in found if line.startswith("-"))}

    def _borg(self, verb: str, argv: t.Sequence[str], cwd: str | None = None, environment: t.Mapping[str, str] | None = None) -> str:
        rc, out, err = self._run(["borg", "--log-json", *argv], environ_update={**self._access.environment(), **(environment or {})}, cwd=cwd)
        if rc <= 1:  # 1 is "done, with warnings"
            return out
        kind, message = first_error(err)
        where = f"repository {self._access.repository}"
        if kind == "Repository.DoesNotExist":
            raise RepositoryMissing(f"{where}: it is expected to exist, but does not: run the backup role, or correct the address.")
        if kind == "PassphraseWrong":
            raise PassphraseWrong(f"{where}: {_SENTENCES[kind]}. Borg says: {message}")
        sentence = _SENTENCES.get(kind, f"borg is expected to {verb} it, but fails")
        raise BorgError(f"{where}: {sentence}. Borg says: {message}")


def run_program(argv: t.Sequence[str], environ_update: t.Mapping[str, str], cwd: str | None = None) -> tuple[int, str, str]:
    """A Run for programs on the host, which have no AnsibleModule."""
    done = subprocess.run(argv, env={**os.environ, **environ_update}, cwd=cwd, capture_output=True, text=True, check=False)
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
            return entry.get("msgid") or "", " ".join([*said, message[-1] if entry.get("msgid") in (None, "Exception") else message[0]])
        if entry.get("levelname") == "WARNING" and message:
            said.append(message[0].replace("Remote: ", ""))
    return "", " ".join(said) or "nothing"
