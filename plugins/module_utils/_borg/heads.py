# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a repository's segments say of objects that were taken away, without any key. The admin host's sessions run it on the backup server.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

    heads CLIENT FROM   (-1: from now on) what was deleted or overwritten since transaction FROM that was there then; then, for each line of standard
                        input, the last transaction again, whether Borg's index says what the log says, and which of the line's ids are new since FROM
    hold CLIENT         takes the lock that every session of the client shares, and notes where the admin host's own transactions begin and end
    lacking CLIENT      of the ids on standard input (hexadecimal, one a line) those that are not in the index
    ids CLIENT          every id of the index
    opened CLIENT       a session of the client begins: notes the end of a hold that had none

A repository is a log. Borg writes a DELETE before it puts an object over another, and none for an object that is not there, so a DELETE whose
object was not put since FROM concerns one that was there at FROM. What the admin host deletes under its hold is known by transaction.
But compaction goes by Borg's index, and a session can be led to write one that differs from its log. So the index of FROM is kept where no client can
write, and what the log says since must lead from it to the index of now, object by object.
Format: https://borgbackup.readthedocs.io/en/stable/internals/data-structures.html#segments
"""

from __future__ import annotations

import argparse
import binascii
import calendar
import contextlib
import dataclasses
import fcntl
import json
import mmap
import os
import re
import shutil
import struct
import sys
import time
import typing as t

MAGIC = b"BORG_SEG"
HEAD = struct.Struct("<IIB")  # CRC of what follows it, size, tag
PUT, DELETE, COMMIT = 0, 1, 2
LARGEST = 21 << 20  # more than Borg's MAX_OBJECT_SIZE
KEY = 32
ENTRY = struct.Struct("<32sII")  # of the index: key, segment, place in it
MANIFEST = bytes(KEY)
MOST = 100_000  # ids that are told one by one
INDEX = struct.Struct("<8siibb")
EMPTY = 0xFFFFFFFE  # and above it: a bucket without an object
HOLD_SECONDS = 900
INDEX_SECONDS = 60


class Torn(Exception):
    """A segment is not what Borg writes: where, and what is wrong."""


class Behind(Torn):
    """Borg has not written the index of the last transaction yet."""


def segment_paths(repository: str) -> dict[int, str]:
    """Path by number."""
    data = f"{repository}/data"
    return {
        int(name): f"{data}/{folder}/{name}" for folder in os.listdir(data) if folder.isdigit() for name in os.listdir(f"{data}/{folder}") if name.isdigit()
    }


def entries(path: str) -> t.Iterator[tuple[int, bytes, int]]:
    """Tag, key and place of each entry of a segment, in order; of data nothing is read. C(Torn) for what Borg did not write."""
    with open(path, "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        if handle.read(len(MAGIC)) != MAGIC:
            raise Torn(f"{path} does not begin as a segment")
        at = len(MAGIC)
        while at < size:
            head = handle.read(HEAD.size)
            if len(head) < HEAD.size:
                raise Torn(f"{path} ends within an entry at {at}")
            crc, length, tag = HEAD.unpack(head)
            keyed = tag in (PUT, DELETE)
            least = HEAD.size + (KEY if keyed else 0)
            if tag not in (PUT, DELETE, COMMIT) or not least <= length <= LARGEST or at + length > size or (tag != PUT and length != least):
                raise Torn(f"{path} has no entry of Borg's at {at}")
            key = handle.read(KEY) if keyed else b""
            if tag != PUT and binascii.crc32(key, binascii.crc32(head[4:])) != crc:
                raise Torn(f"{path} has an entry at {at} whose checksum is wrong")
            yield tag, key, at
            at += length
            if tag == PUT:
                handle.seek(at)


def committed(path: str) -> bool:
    """Whether a segment ends with a commit."""
    with contextlib.suppress(Torn, FileNotFoundError):
        tags = [tag for tag, _key, _at in entries(path)]
        return tags[-1:] == [COMMIT]
    return False


def last_transaction(repository: str) -> int:
    """Number of the last transaction: the last segment that ends with a commit, as Borg tells it when its index is behind; -1 for none."""
    paths = segment_paths(repository)
    return next((number for number in sorted(paths, reverse=True) if committed(paths[number])), -1)


# -- whose transactions


def note(log: str, word: str, transaction: int) -> None:
    with open(log, "a", encoding="ascii") as handle:
        handle.write(f"{word} {transaction}\n")
        handle.flush()
        os.fsync(handle.fileno())


def notes(log: str) -> list[tuple[str, int]]:
    """What sessions have noted, in order: C(hold), C(free) and C(begin) with a transaction."""
    try:
        with open(log, encoding="ascii") as handle:
            return [(word, int(number)) for word, number in re.findall(r"(?m)^(hold|free|begin) (-?\d+)$", handle.read())]
    except FileNotFoundError:
        return []


def holds(noted: t.Sequence[tuple[str, int]], last: int, ever: bool = False) -> list[tuple[int, int]]:
    """(after, up to) of the transactions that were the admin host's: from the beginning of a hold to the next note. Only those that there were, and
    without C(ever) only since the proof began: numbers before that may come again in another repository.

    A hold that was never ended lasts until now, since a client's session that begins notes its end.
    """
    found: list[tuple[int, int]] = []
    for place, (word, number) in enumerate(noted):
        if word == "begin" and not ever:
            found = []
        elif word == "hold":
            end = noted[place + 1][1] if place + 1 < len(noted) else last
            if end > number:
                found.append((number, end))
    return found


def begin(log: str, last: int) -> int:
    """The proof begins at transaction C(last). A hold that lasts goes on."""
    running = [number for word, number in notes(log)[-1:] if word == "hold"]
    note(log, "begin", last)
    if running:
        note(log, "hold", min(running[0], last))
    return last


def times(log: str) -> dict[int, float]:
    """When an append-only session committed a transaction; that of others is not known."""
    try:
        with open(log, encoding="utf-8", errors="replace") as handle:
            found = re.findall(r"(?m)^transaction (\d+), UTC time (\S{19})\S*$", handle.read())
    except FileNotFoundError:
        return {}
    return {int(number): calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S")) for number, text in found}


# -- what was taken away


@dataclasses.dataclass
class Seen:
    """What the log says after transaction C(since), up to C(transaction)."""

    transaction: int
    since: int
    deleted: list[tuple[str, int]] = dataclasses.field(default_factory=list)  # id and transaction of what was there at C(since)
    count: int = 0  # of them, also where they are too many to be told
    commits: list[int] = dataclasses.field(default_factory=list)
    times: dict[int, float] = dataclasses.field(default_factory=dict)  # of transactions with a deletion
    put: int = 0  # objects that are new
    own: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # the admin host's transactions: after, up to
    torn: str = ""  # why no more can be told


@dataclasses.dataclass
class Objects:
    """What the log says of objects after a transaction, by id."""

    places: dict[bytes, tuple[int, int] | None] = dataclasses.field(default_factory=dict)  # segment and place of each that it names; None: deleted
    put: set[bytes] = dataclasses.field(default_factory=set)  # by a client
    new: set[bytes] = dataclasses.field(default_factory=set)  # put by a client, and not deleted before: it was not there
    over: set[bytes] = dataclasses.field(default_factory=set)  # put over what was there without a word, which Borg never does


def look(repository: str, since: int, log: str) -> tuple[Seen, Objects]:
    """Reads the heads of the committed segments after C(since), in order. The cost is that of what is new."""
    paths = segment_paths(repository)
    last = last_transaction(repository)
    if since < 0:
        since = begin(log, last)
    seen, objects = Seen(last, since, own=holds(notes(log), last)), Objects()
    pending: list[bytes] = []
    try:
        for number in sorted(number for number in paths if since < number <= last):
            ours = any(start < number <= end for start, end in seen.own)
            commit = False
            for tag, key, at in entries(paths[number]):
                commit = tag == COMMIT
                if tag == PUT:
                    seen.put += 1
                    if not ours:  # what compaction moves was there
                        if key not in objects.places:
                            objects.new.add(key)
                        elif objects.places[key]:
                            objects.over.add(key)
                        objects.put.add(key)
                    objects.places[key] = number, at
                elif tag == DELETE:
                    objects.places[key] = None
                    if key != MANIFEST and not ours and key not in objects.put:
                        pending.append(key)
            if commit:
                seen.count += len(pending)
                seen.deleted += [(key.hex(), number) for key in pending[: MOST - len(seen.deleted)]]
                pending = []
                seen.commits.append(number)
    except (Torn, FileNotFoundError) as exc:
        seen.torn = str(exc)
    if seen.deleted:
        when = times(f"{repository}/transactions")
        seen.times = {number: when[number] for _key, number in seen.deleted if number in when}
    return seen, objects


# -- the index


class Index:
    """Borg's C(index.N), read in place: a look-up costs the same in a small one and in a large one."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        magic, _entries, self._buckets, key, value = INDEX.unpack_from(self._map)
        if magic != b"BORG_IDX" or key != KEY or value != 8 or len(self._map) != INDEX.size + self._buckets * ENTRY.size:
            raise Torn(f"{path} is not an index that is known here")

    def place(self, key: bytes) -> tuple[int, int] | None:
        """Segment and place in it."""
        start = int.from_bytes(key[:4], "little") % self._buckets
        for step in range(self._buckets):
            found, segment, place = ENTRY.unpack_from(self._map, INDEX.size + (start + step) % self._buckets * ENTRY.size)
            if segment == 0xFFFFFFFF:
                return None
            if found == key and segment < EMPTY:
                return segment, place
        return None

    def __contains__(self, key: bytes) -> bool:
        return self.place(key) is not None

    def ids(self) -> t.Iterator[bytes]:
        return (key for key, _place in self.besides(None))

    def besides(self, other: Index | None) -> t.Iterator[tuple[bytes, tuple[int, int]]]:
        """Objects and their places, but for blocks that C(other) has as well: nearly all where they are of one size."""
        step = ENTRY.size * 1024
        for at in range(INDEX.size, len(self._map), step):
            block = self._map[at : at + step]
            if other is None or len(other._map) != len(self._map) or other._map[at : at + step] != block:
                yield from ((key, (segment, place)) for key, segment, place in ENTRY.iter_unpack(block) if segment < EMPTY)


def index_at(repository: str) -> int:
    """Transaction of the newest index."""
    numbers = [int(name[6:]) for name in os.listdir(repository) if name.startswith("index.") and name[6:].isdigit()]
    if not numbers:
        raise Torn(f"{repository} has no index")
    return max(numbers)


def astray(old: Index, new: Index, objects: Objects) -> set[bytes]:
    """Objects that the index C(new) does not have where C(old) and the log since then have them, and those that came over others without a word."""
    found = objects.over | {key for key in objects.new if key in old}
    found |= {key for key, place in objects.places.items() if new.place(key) != place}
    return found | {key for key, place in old.besides(new) if key not in objects.places and new.place(key) != place}


def kept_index(log: str, transaction: int) -> str:
    """Where the index of a transaction is kept: no client is called so."""
    return f"{log}~{transaction}"


def keep_index(repository: str, log: str, transaction: int) -> None:
    """Borg never writes into an index that it has, so a second name for it is enough."""
    path, kept = f"{repository}/index.{transaction}", kept_index(log, transaction)
    if not os.path.exists(kept):
        try:
            os.link(path, kept)
        except OSError:  # of another file system
            shutil.copyfile(path, f"{kept}.new")
            os.replace(f"{kept}.new", kept)


def forget_indexes(log: str, but: int) -> None:
    folder, name = os.path.split(log)
    for other in os.listdir(folder):
        if other.startswith(f"{name}~") and other != f"{name}~{but}":
            os.unlink(f"{folder}/{other}")


def look_again(repository: str, log: str, seen: Seen, objects: Objects, ids: t.Sequence[str]) -> dict[str, t.Any]:
    """The last transaction; if it is that of C(seen), too, what of Borg's index is not as the log has it, and which of C(ids) were not there before."""
    last = last_transaction(repository)
    answer: dict[str, t.Any] = {"transaction": last, "astray": [], "count": 0, "new": [], "torn": ""}
    if last != seen.transaction or last < 0 or seen.torn:
        return answer
    try:
        at = current_index(repository)
        if at != last:
            return {**answer, "transaction": at}
        index, kept = Index(f"{repository}/index.{at}"), kept_index(log, seen.since)
        found = set[bytes]()
        if os.path.exists(kept):
            found = astray(Index(kept), index, objects)
        first = next(iter(seen.commits), last)
        answer["astray"] = [(key.hex(), first) for key in sorted(found)[:MOST]]
        answer["count"] = len(found - {bytes.fromhex(key) for key, _transaction in seen.deleted})
        answer["new"] = [key for key in ids if bytes.fromhex(key) in objects.new - found]
        if not found:
            keep_index(repository, log, last)
    except (Behind, FileNotFoundError):  # another transaction comes
        answer["transaction"] = -2
    except Torn as exc:
        answer["torn"] = str(exc)
    return answer


# -- sessions


def tell(line: str) -> None:
    """At once: the admin host waits for it while this goes on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def hold(repository: str, lock: str, log: str) -> int:
    """Held until standard input ends. Notes the end before the lock is free, and waits for a session of the admin host that outlives its master."""
    with open(lock, "a", encoding="ascii") as handle:
        until = time.monotonic() + HOLD_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    return 1
                time.sleep(0.1)
        there = os.path.isdir(f"{repository}/data")
        if there:
            end_of_hold(repository, log)
            note(log, "hold", last_transaction(repository))
        tell("held")
        sys.stdin.read()
        until = time.monotonic() + HOLD_SECONDS
        while os.path.exists(f"{repository}/lock.exclusive") and time.monotonic() < until:
            time.sleep(0.1)
        if there:
            end_of_hold(repository, log)
    return 0


def end_of_hold(repository: str, log: str) -> None:
    """Notes the end of a hold that has none, which a server that lost power leaves behind."""
    if [word for word, _number in notes(log)][-1:] == ["hold"]:
        note(log, "free", last_transaction(repository))


def current_index(repository: str) -> int:
    """Transaction of the index, once it is at the last one: Borg writes it after the commit."""
    last, until = last_transaction(repository), time.monotonic() + INDEX_SECONDS
    while True:
        at = index_at(repository)
        if at >= last:
            return at
        if time.monotonic() > until:
            raise Behind(f"{repository} has an index of transaction {at}, but is at {last}")
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True, help="of the backup server")
    parser.add_argument("verb", choices=["heads", "hold", "lacking", "ids", "opened"])
    parser.add_argument("client")
    parser.add_argument("since", type=int, nargs="?", default=-1)
    args = parser.parse_args()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", args.client):
        sys.stderr.write(f"{args.verb} expects the name of a client, but is given {ascii(args.client)}.\n")
        return 2
    repository = f"{args.directory}/repos/{args.client}"
    lock, log = f"{args.directory}/holds/{args.client}", f"{args.directory}/holds/.{args.client}"
    if args.verb == "hold":
        return hold(repository, lock, log)
    if not os.path.isdir(f"{repository}/data"):
        sys.stderr.write(f"{repository}: a repository is expected, but there is none.\n")
        return 0 if args.verb == "opened" else 3
    try:
        if args.verb == "opened":
            end_of_hold(repository, log)
        elif args.verb == "heads":
            forget_indexes(log, args.since)
            seen, objects = look(repository, args.since, log)
            tell(json.dumps(dataclasses.asdict(seen)))
            for line in sys.stdin:
                tell(json.dumps(look_again(repository, log, seen, objects, line.split())))
        elif args.verb == "ids":
            sys.stdout.writelines(f"{key.hex()}\n" for key in Index(f"{repository}/index.{current_index(repository)}").ids())
        else:
            index = Index(f"{repository}/index.{current_index(repository)}")
            sys.stdout.writelines(line for line in sys.stdin if bytes.fromhex(line.strip()) not in index)
    except Torn as exc:
        sys.stderr.write(f"{exc}.\n")
        return 4
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
