# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies a repository to an object store. The backup server runs it by a timer, once for each repository.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A Borg repository is a log of segments that never change once committed, and a small index. So committed segments are
copied first, without any lock, which may take days the first time while backups go on; then the rest under Borg's lock,
which takes seconds, so that what lies in the bucket is a repository and not a moment between two. A segment in the
bucket is never overwritten, and only a share of them is removed in a day: a server that lost or damaged its
repository cannot take the bucket's copy along (docs/adr/0002).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
import typing as t

from ..._textfile import Textfile
from ..heads import holds, notes
from ..segments import NAMED, SEGMENTS, State, lines, number, rclone_argv, read_state, segments, write_state

CONFIG = "/etc/gpulab/borg-offsite/rclone.conf"
DAY = 86400.0


class OffsiteError(Exception):
    """A sentence for the admin."""


def transaction(repository: str) -> int:
    """Number of the last transaction, from the name of C(index.N); -1 for a repository that was never written to."""
    numbers = [int(name.split(".")[1]) for name in os.listdir(repository) if name.startswith("index.") and name.split(".")[1].isdigit()]
    return max(numbers, default=-1)


def repository_id(config: str) -> str:
    """The C(id) of a repository's C(config) file."""
    found = re.search(r"(?m)^id = ([0-9a-f]{64})$", config)
    return found.group(1) if found else ""


def removable(obsolete: t.Sequence[str], objects: int, share: float, removed: t.Sequence[t.Sequence[float]], now: float) -> list[str]:
    """Those of C(obsolete) that may go now: C(share) of C(objects) a day, lowest number first.

    C(removed) are (time, count) of earlier removals.
    """
    spent = sum(count for when, count in removed if when > now - DAY)
    budget = max(0, int(objects * share) - int(spent))
    return sorted(obsolete, key=number)[:budget]


def rclone(verb: str, *options: str, paths: t.Sequence[str], stdin: str | None = None) -> str:
    """rclone's output. Its reason goes into the journal and into the OffsiteError."""
    done = subprocess.run(rclone_argv(CONFIG, verb, options, paths), input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        lines = [re.sub(r"^.*?(ERROR|NOTICE) *: ", "", line) for line in done.stderr.splitlines() if line.strip()]
        said = next((line for line in lines if "immutable" in line or "Error" in line or "error" in line), lines[-1] if lines else "nothing")
        if "immutable" in done.stderr:
            raise OffsiteError(
                f"a committed segment is expected to be the same here and in the bucket, but differs: {said}. Nothing in the bucket is overwritten: "
                "check the repository with borg check, and see whether the bucket or the server has the good one."
            )
        raise OffsiteError(f"rclone {verb} is expected to end well, but says: {said}")
    return done.stdout


class Copy:
    """One repository and its folder in the bucket, C(target) as C(remote:bucket/prefix/client)."""

    def __init__(self, repository: str, target: str, share: float, bandwidth: str, log: str = "") -> None:
        self.repository = repository
        self.target = target
        self.share = share
        self.log = log  # what sessions of the admin host have noted
        self.limit = ["--bwlimit", bandwidth] if bandwidth else []

    def run(self, state: State, with_lock: t.Callable[[int], None]) -> State:
        """The new state. C(synced) is a time up to which every finished backup is in the bucket.

        OffsiteError when something stops it; the old state then stays, and what was copied already is not copied again.
        """
        started = time.time()
        with open(f"{self.repository}/config", encoding="utf-8") as handle:
            identity = repository_id(handle.read())
        last = transaction(self.repository)
        known = state.get("id") or repository_id(self._text("config"))
        if known and known != identity:
            raise OffsiteError(
                f"{self.repository} is expected to be the repository {known[:12]} that is in the bucket, but is {identity[:12]}: the bucket's copy is "
                "left as it is. Recover from it, or give this one another prefix with playbooks/borg_reseed.yml."
            )
        if last < state.get("transaction", -1):
            raise OffsiteError(
                f"{self.repository} is expected to be at transaction {state['transaction']} at least, as its copy in the bucket is, but is at {last}: "
                "it lost data or was rolled back. The bucket's copy is left as it is: recover from it, or re-seed it with playbooks/borg_reseed.yml."
            )
        if state.get("transaction") == last:
            # Taking the lock starts a transaction of its own, so a repository without news is left alone.
            return {**self._remove_obsolete(state, started), "synced": started}
        self._send(segments(self.repository, up_to=last))
        locked = time.time()
        with_lock(last)
        # the lock's own transaction, which says nothing, is committed by now and goes with the next copy
        done = {**state, "id": identity, "transaction": transaction(self.repository), "synced": locked, "seconds": round(time.time() - started, 1)}
        return self._remove_obsolete(done, time.time())

    def finish(self, sent: int) -> None:
        """Under the lock: what was committed after transaction C(sent), then the index and what else changes."""
        last = transaction(self.repository)
        listed = segments(self.repository, up_to=last)
        if last != sent:
            self._send(listed)
        keep = ["--exclude", "/data/**", "--exclude", "/lock.*/**", "--exclude", "/lock.*", "--exclude", f"/{SEGMENTS}"]
        rclone("sync", *self.limit, "--delete-after", *keep, paths=[self.repository, self.target])
        rclone("rcat", paths=[f"{self.target}/{SEGMENTS}"], stdin=lines(listed))

    def _send(self, listed: t.Sequence[str]) -> None:
        rclone("copy", *self.limit, "--immutable", *NAMED, paths=[f"{self.repository}/data", f"{self.target}/data"], stdin=lines(listed))

    def _text(self, name: str) -> str:
        """Content of a small object; empty when there is none."""
        listed = rclone("lsf", "--files-only", "--include", f"/{name}", paths=[self.target]) if self._exists() else ""
        return rclone("cat", paths=[f"{self.target}/{name}"]) if listed.strip() else ""

    def _exists(self) -> bool:
        done = subprocess.run(rclone_argv(CONFIG, "lsf", ["--max-depth", "1"], [self.target]), capture_output=True, text=True, check=False)
        if done.returncode and "directory not found" not in done.stderr:
            raise OffsiteError(f"the bucket is expected to answer, but rclone says: {(done.stderr.strip().splitlines() or ['nothing'])[-1]}")
        return done.returncode == 0

    def _remove_obsolete(self, state: State, now: float) -> State:
        """What compaction has replaced goes from the bucket, no more than the share in a day; C(withheld) says how many wait."""
        if state.get("transaction") == state.get("pruned_at") and not state.get("withheld"):
            return state
        here = sorted(number(name) for name in segments(self.repository))
        if set(state.get("segments", [-1])) <= set(here) and not state.get("withheld") and state.get("listed", 0) > now - DAY:
            # nothing was compacted since, so nothing there is obsolete
            return {**state, "pruned_at": state["transaction"], "segments": here}
        listing = rclone("lsf", "-R", "--files-only", "--format", "ps", paths=[f"{self.target}/data"]).splitlines()
        there = {name: int(size) for name, _sep, size in (line.rpartition(";") for line in listing) if name}
        live = set(segments(self.repository))
        unexplained = self._unexplained(state, here)
        gone = [name for name in there if name not in live and number(name) <= state["transaction"]]
        obsolete = [name for name in gone if number(name) not in unexplained]
        removed = [row for row in state.get("removed", []) if row[0] > now - DAY]
        victims = removable(obsolete, len(there), self.share, removed, now)
        if victims:
            rclone("delete", *NAMED, paths=[f"{self.target}/data"], stdin=lines(victims))
            removed.append([now, len(victims)])
        sizes = {"objects": len(there), "bytes": sum(there.values())}
        told = {
            "removed": removed,
            "withheld": len(gone) - len(victims),
            "unexplained": unexplained,
            "pruned_at": state["transaction"],
            "segments": here,
            "listed": now,
        }
        return {**state, **told, **sizes}

    def _unexplained(self, state: State, here: t.Sequence[int]) -> list[int]:
        """Segments that are gone from the repository though the admin host, which proves all before it compacts, has done nothing since the last look.

        They stay in the bucket.
        """
        found = set(state.get("unexplained", [])) - set(here)
        committed = state.get("pruned_at", -1)
        vanished = {segment for segment in state.get("segments", []) if segment <= committed} - set(here)
        if vanished and all(end <= committed for _after, end in holds(notes(self.log), transaction(self.repository), ever=True)):
            sys.stderr.write(
                f"{self.repository}: all segments are expected that were there at the last copy, since nothing was compacted, but {len(vanished)} are gone: "
                "they stay in the bucket. See what happened to the server's disk.\n"
            )
            found |= vanished
        return sorted(found)


def under_lock(argv: t.Sequence[str], repository: str) -> t.Callable[[int], None]:
    """Runs this program again under borg's lock, which waits for a backup to end, and says up to which transaction all was sent."""

    def run(sent: int) -> None:
        locked = ["borg", "with-lock", "--lock-wait=900", "--", repository, *argv, f"--sent={sent}"]
        if subprocess.run(locked, check=False).returncode:
            raise OffsiteError(f"{repository}: the second pass of the copy is expected to end well, but did not: see above.")

    return run


@contextlib.contextmanager
def no_retention(path: str) -> t.Iterator[None]:
    """Shares the lock that retention takes alone."""
    with open(path, "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def break_stale_lock(repository: str, hold: str) -> bool:
    """Breaks Borg's lock when its holder is provably dead: every session of a client shares C(hold) for as long as it lives.

    If C(hold) can be taken alone, no session lives; this program is the only other one that locks, and does not now.
    """
    held = [name for name in ("lock.exclusive", "lock.roster") if os.path.exists(f"{repository}/{name}")]
    if not held:
        return False
    with open(hold, "a", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not any(os.path.exists(f"{repository}/{name}") for name in held):
            return False  # its holder ended well while we looked
        subprocess.run(["borg", "break-lock", "--", repository], check=True)
    return True


def write_metrics(path: str, client: str, state: t.Mapping[str, t.Any], succeeded: bool, repository: str) -> None:
    out = Textfile("gpulab_borg")

    def gauge(name: str, text: str, value: float | None) -> None:
        out.gauge(name, text, value, client=client)

    gauge("offsite_last_run_succeeded", "Whether the last off-site copy ended well", succeeded)
    gauge("offsite_synced_timestamp_seconds", "Every backup finished by then is in the bucket", state.get("synced"))
    gauge("offsite_seconds", "Duration of the last copy that had something to do", state.get("seconds"))
    gauge("offsite_objects", "Segments in the bucket", state.get("objects"))
    gauge("offsite_bytes", "Size of the segments in the bucket, which a verification fetches", state.get("bytes"))
    gauge("offsite_withheld_objects", "Segments that are obsolete and wait for the daily share of removals", state.get("withheld", 0))
    gauge("stale_locks_broken", "Locks that were broken because their holder was dead", state.get("stale_locks", 0))
    gauge("stale_lock_timestamp_seconds", "When a lock was last broken", state.get("stale_lock"))
    gauge("offsite_verified_timestamp_seconds", "When the whole copy was last compared byte by byte", state.get("verified"))
    gauge("offsite_verify_succeeded", "Whether the last comparison found no difference", state.get("verify_succeeded"))
    place = os.statvfs(os.path.dirname(repository))
    free = place.f_bavail / place.f_blocks if place.f_blocks else None
    gauge("server_available_ratio", "Share of the server's file system that is free for repositories", free)
    out.write(path)


def verify(copy: Copy, state: State) -> State:
    """Compares every committed segment with the bucket by fetching it, since an object sent in parts has no checksum to compare."""
    listed = rclone("cat", paths=[f"{copy.target}/{SEGMENTS}"])
    options = ["--download", "--one-way", "--combined", "-", *copy.limit, *NAMED]
    argv = rclone_argv(CONFIG, "check", options, [f"{copy.repository}/data", f"{copy.target}/data"])
    done = subprocess.run(argv, input=listed, capture_output=True, text=True, check=False)
    told = {"*": "differs", "+": "is lost in the bucket", "!": "cannot be read"}
    for line in done.stdout.splitlines():
        if line[:1] in told:
            sys.stderr.write(f"segment {line[2:]} {told[line[0]]}\n")
    sys.stderr.write(done.stderr)
    return {**state, "verified": time.time(), "verify_succeeded": done.returncode == 0}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["copy", "finish", "verify", "metrics"])
    parser.add_argument("--client", required=True)
    parser.add_argument("--repositories", required=True)
    parser.add_argument("--holds", required=True)
    parser.add_argument("--target", required=True, help="remote:bucket/prefix, without the client")
    parser.add_argument("--states", required=True)
    parser.add_argument("--share", type=float, default=0.1, help="of the objects that may be removed in a day")
    parser.add_argument("--bandwidth", default="")
    parser.add_argument("--sent", type=int, default=-1, help="transaction whose segments are there already")
    parser.add_argument("--metrics", help="directory of the textfile")
    args = parser.parse_args()
    repository, path, hold = f"{args.repositories}/{args.client}", f"{args.states}/{args.client}.json", f"{args.holds}/{args.client}"
    copy = Copy(repository, f"{args.target}/{args.client}", args.share, args.bandwidth, f"{args.holds}/.{args.client}")
    if args.verb == "metrics":
        # systemd tells a service's ExecStopPost how it ended
        succeeded = os.environ.get("SERVICE_RESULT") == "success"
        write_metrics(f"{args.metrics}/gpulab_borg_offsite_{args.client}.prom", args.client, read_state(path), succeeded, repository)
        return 0
    if not os.path.exists(f"{repository}/config"):
        state = read_state(path)
        said = "but is gone: recover it from the bucket" if state.get("id") else "the client has not made it yet, nothing to copy"
        sys.stderr.write(f"{repository}: a repository is expected here, {said}.\n")
        return 1 if state.get("id") else 0
    try:
        if args.verb == "finish":
            copy.finish(args.sent)
            return 0
        state = read_state(path)
        if args.verb == "verify":
            state = verify(copy, state)
            write_state(path, {**read_state(path), **{key: state[key] for key in ("verified", "verify_succeeded")}})
            return 0 if state["verify_succeeded"] else 1
        if break_stale_lock(repository, hold):
            state = {**state, "stale_locks": state.get("stale_locks", 0) + 1, "stale_lock": time.time()}
            write_state(path, state)
            sys.stderr.write(f"{repository}: its lock was held by a session that is dead, and was broken.\n")
        with no_retention(hold):
            again = [sys.executable, "-m", "gpulab._borg.programs.offsite", "finish", *sys.argv[2:]]
            write_state(path, copy.run(state, under_lock(again, repository)))
    except OffsiteError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
