# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a repository holds through Borg's own Python package. The admin host runs it with the system's Python, which has that package.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

    needs      per archive of the job, the ids of objects that are not known to be there; each list of items is read once, not once an archive
    known      say that those of the last needs are there, or that some of all are not any more
    read       fetch objects of a list, open them with the key and compare them with their id
    affected   which archives need an object that is lost
    listed     under which names archives are in the list, and those that began when one of the job did; borg list leaves some names out

A job comes as JSON on standard input, the answer goes as JSON to standard output. Access is Borg's own environment.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import sqlite3
import sys
import time
import typing as t

BATCH = 64
MANIFEST = bytes(32)  # the one object whose id is not made of its content


class Reader:
    """One repository, opened without a lock."""

    def __init__(self) -> None:
        from borg.archiver import Archiver
        from borg.helpers import Manifest
        from borg.logger import setup_logging
        from borg.remote import RemoteRepository
        from borg.repository import Repository

        setup_logging(level="error")
        args = Archiver().parse_args(["list", "--bypass-lock", "::"])
        remote = args.location.proto == "ssh"
        self.repository = RemoteRepository(args.location, lock=False, args=args) if remote else Repository(args.location.path, lock=False)
        self.repository.__enter__()
        manifest, self.key = Manifest.load(self.repository, Manifest.NO_OPERATION_CHECK)
        self.names: dict[bytes, list[str]] = {}  # of each archive
        self.starts: dict[int, list[str]] = {}  # names by when an archive began, seconds since the epoch, as borg list tells it
        for name, info in manifest.archives.items():
            self.names.setdefault(info.id, []).append(name)
            start = info.ts if info.ts.tzinfo else info.ts.replace(tzinfo=datetime.timezone.utc)
            self.starts.setdefault(int(start.timestamp()), []).append(name)

    def close(self) -> None:
        self.repository.__exit__(None, None, None)

    def get(self, key: bytes) -> bytes | None:
        """An object's content; None when it is not there or is not what its id says."""
        from borg.helpers import IntegrityError
        from borg.repository import Repository

        try:
            return bytes(self.key.decrypt(key, self.repository.get(key)))
        except (Repository.ObjectNotFound, IntegrityError):
            return None

    def damaged(self, keys: t.Sequence[bytes]) -> list[bytes]:
        """Those of C(keys) with another content than they were made of. One that is not there any more is none: the log tells of those."""
        from borg.helpers import IntegrityError
        from borg.repository import Repository

        found, left = [], [key for key in keys if key != MANIFEST]
        try:
            for key, data in zip(tuple(left), self.repository.get_many(left[:])):
                left.remove(key)
                try:
                    self.key.decrypt(key, data)
                except IntegrityError:
                    found.append(key)
        except (Repository.ObjectNotFound, IntegrityError):
            for key in left:
                try:
                    self.key.decrypt(key, self.repository.get(key))
                except IntegrityError:
                    found.append(key)
                except Repository.ObjectNotFound:
                    continue
        return found

    def lists(self, archive: bytes) -> tuple[list[bytes], str] | None:
        """Ids of the objects that hold an archive's list of items, in order, and its name in itself; None when the archive cannot be read."""
        from borg.helpers import msgpack

        data = self.get(archive)
        if data is None:
            return None
        found = msgpack.unpackb(data)
        items, name = found.get(b"items", found.get("items")), found.get(b"name", found.get("name"))
        return [as_bytes(key) for key in items], name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def as_bytes(key: t.Any) -> bytes:
    """Borg 1.4 reads what older ones wrote as text."""
    return key.encode("utf-8", "surrogateescape") if isinstance(key, str) else bytes(key)


def items_of(data: bytes) -> tuple[list[t.Any], bytes]:
    """The whole items at the beginning of C(data), and what is left of it."""
    from borg.helpers import msgpack

    unpacker = msgpack.Unpacker(use_list=True)
    unpacker.feed(data)
    found, end = [], 0
    for item in unpacker:
        found.append(item)
        end = unpacker.tell()
    return found, data[end:]


def chunks_of(item: t.Any) -> list[bytes]:
    if not isinstance(item, dict):
        return []
    chunks = item.get(b"chunks", item.get("chunks")) or []
    return [as_bytes(chunk[0]) for chunk in chunks]


class Known:
    """Lists of items that were read, with what each left for the next. An item may begin in one and end in the next, so that belongs to the name."""

    def __init__(self, path: str) -> None:
        self._base = sqlite3.connect(path)
        self._base.execute("create table if not exists known (list blob, before blob, rest blob, primary key (list, before)) without rowid")

    def rest(self, key: bytes, before: bytes) -> bytes | None:
        row = self._base.execute("select rest from known where list = ? and before = ?", (key, hashlib.sha256(before).digest())).fetchone()
        return row[0] if row else None

    def add(self, rows: t.Sequence[tuple[bytes, bytes, bytes]]) -> None:
        with self._base:
            self._base.executemany(
                "insert or replace into known values (?, ?, ?)", [(key, hashlib.sha256(before).digest(), rest) for key, before, rest in rows]
            )

    def lists(self) -> list[bytes]:
        return [row[0] for row in self._base.execute("select distinct list from known")]

    def forget(self, keys: t.Iterable[bytes]) -> None:
        with self._base:
            self._base.executemany("delete from known where list = ?", [(key,) for key in keys])


def needs(reader: Reader, known: Known, archive: bytes) -> tuple[set[bytes], list[tuple[bytes, bytes, bytes]], bool]:
    """Ids that C(archive) needs and that are not known to be there, the lists that were read for it, and whether all of them could be read."""
    wanted, fresh, before = {archive}, [], b""
    found = reader.lists(archive)
    # borg takes an archive out of the list by the name that it has in itself, which may be another's
    if found is None or reader.names.get(archive) != [found[1]]:
        return wanted, [], False
    for key in found[0]:
        wanted.add(key)
        rest = known.rest(key, before)
        if rest is None:
            data = reader.get(key)
            if data is None:
                return wanted, [], False
            items, rest = items_of(before + data)
            wanted.update(chunk for item in items for chunk in chunks_of(item))
            fresh.append((key, before, rest))
        before = rest
    return wanted, fresh, before == b""


def affected(reader: Reader, archive: bytes, lost: t.Collection[bytes], lists: dict[bytes, bool]) -> bool:
    """Whether C(archive) needs one of C(lost). C(lists) remembers which list of items does, of any archive."""
    if archive in lost:
        return True
    found = reader.lists(archive)
    if found is None:
        return True
    before, hit = b"", False
    for key in found[0]:
        name = hashlib.sha256(key + before).digest()
        data = None if key in lost else reader.get(key)
        if data is None:
            return True
        items, before = items_of(before + data)
        if name not in lists:
            lists[name] = any(chunk in lost for item in items for chunk in chunks_of(item))
        hit = hit or lists[name]
        if hit:
            return True
    return False


def answer(job: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    verb, until = job["verb"], time.monotonic() + job.get("seconds", 30)
    if verb == "known":
        known = Known(job["known"])
        if "gone" in job:
            known.forget(bytes.fromhex(key) for key in job["gone"])
        return {"lists": [key.hex() for key in known.lists()]}
    reader = Reader()
    try:
        if verb == "needs":
            known = Known(job["known"])
            archives = []
            for name in job["archives"]:
                wanted, fresh, whole = needs(reader, known, bytes.fromhex(name))
                archives.append({"id": name, "needs": sorted(key.hex() for key in wanted), "whole": whole})
                with open(job["fresh"], "a", encoding="ascii") as handle:
                    handle.writelines(json.dumps([name, *(part.hex() for part in row)]) + "\n" for row in fresh)
                if time.monotonic() > until:
                    break
            return {"archives": archives}
        if verb == "listed":
            rows = [(name, reader.names.get(bytes.fromhex(name), []), reader.starts.get(int(start), [])) for name, start in job["archives"]]
            return {"archives": [{"id": name, "names": same, "began": [other for other in began if other not in same]} for name, same, began in rows]}
        if verb == "affected":
            lost, lists = {bytes.fromhex(key) for key in job["lost"]}, dict[bytes, bool]()
            hit: list[str] = []
            for name in job["archives"]:
                if affected(reader, bytes.fromhex(name), lost, lists):
                    hit.append(name)
                if time.monotonic() > until:
                    break
            return {"archives": hit}
        place, bad = job["from"], list[str]()
        with open(job["ids"], encoding="ascii") as handle:
            handle.seek(place * 65)
            while time.monotonic() < until and place < job.get("to", place + 1):
                keys = [bytes.fromhex(line.strip()) for line in handle.readlines(BATCH * 65 - 1)]
                bad += [key.hex() for key in reader.damaged(keys)]
                place += len(keys)
                if not keys:
                    break
        return {"read": place, "damaged": bad}
    finally:
        reader.close()


def main() -> int:
    sys.stdout.write(json.dumps(answer(json.load(sys.stdin))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
