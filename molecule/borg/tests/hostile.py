# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a client that was taken over can do with its own key and Borg's own package, through its append-only session. Piped to the client's python3.

delete PATH       the objects of a file of the newest archive
overwrite PATH    the same, put again with other content, as an object of its own that opens with the key
garbage PATH      the same with what no key opens
twice PATH        delete it and put it back as it was, then delete it again: two transactions
again PATH        delete it and put it back as it was, in one transaction: no harm
same PATH         put it over itself: no harm
undone PATH       delete it, take that back, and commit what was written meanwhile
huge PATH         put more over it than an object may have
forget NAME...    the objects of all archives but what is needed to list these: a check that fails on the way leaves the session with an empty index
stale PATH        a session without a lock removes them from its index; another, which takes its segments away before they count, gives it a log without a word
list NAME         the list of items of an archive
archive NAME      the archive itself, that stays in the list
checkpoint NAME   the archive is listed as NAME.checkpoint instead, then deleted as if it were one
borrow NAME       a new archive NAME.checkpoint with the id of another's list
lend NAME         a new archive NAME.checkpoint that has the list of another
call PATH         a file is listed as called.checkpoint: it has the content of an archive
object ID...      objects, and the archives whose own they are leave the list
find PATH         tells the ids of the objects of a file of the newest archive
dump NAME         tells what the own object of an archive like it would hold
incomplete NAME   a new archive that names an object that never was
rename NAME NEW   an archive is listed under another name; it has its old one in itself
alias NAME NEW    the same, and under its old name, too
mask NAME NEW     a new archive NEW has the name of another in itself
swap NAME         another archive in its place, with its name, its times, and no files
unlist NAME       an archive is taken out of the list
older NAME        the list as it was before an archive
future NAME       a new archive, and a list, of the year 2099
spoil NAME        a new entry in the list that no key opens
scrawl            the list itself is what no key opens
key               a key with a line in it that is none of the key's
refused           what an append-only session refuses; ends well if it refuses all of it
bogus             put something under an id, that no archive needs, and delete it: no harm
"""

from __future__ import annotations

import datetime
import os
import sys
import typing as t

from borg.archiver import Archiver
from borg.helpers import Manifest, msgpack
from borg.logger import setup_logging
from borg.remote import RemoteRepository

setup_logging(level="error")
verb, *words = sys.argv[1:]
args = Archiver().parse_args(["list", "::"])
repository = RemoteRepository(args.location, lock=True, exclusive=True, lock_wait=60, args=args)
repository.__enter__()
manifest, key = Manifest.load(repository, (Manifest.Operation.WRITE,))


def read(what: bytes) -> t.Any:
    return msgpack.unpackb(key.decrypt(what, repository.get(what)))


def chunks(path: str) -> list[bytes]:
    newest = manifest.archives.list(sort_by=["ts"])[-1]
    unpacker = msgpack.Unpacker(use_list=False)
    for piece in read(newest.id)[b"items"]:
        unpacker.feed(key.decrypt(piece, repository.get(piece)))
    return [chunk[0] for item in unpacker if item[b"path"] == os.fsencode(path.lstrip("/")) for chunk in item[b"chunks"]]


def put(data: t.Any) -> bytes:
    packed = msgpack.packb(data)
    name = key.id_hash(packed)
    repository.put(name, key.encrypt(packed))
    return bytes(name)


def save() -> None:
    manifest.write()
    repository.commit(compact=False)


def another(name: str, like: t.Any, **changes: t.Any) -> bytes:
    """An archive's object, made of that of another."""
    return put({**read(like.id), b"name": name.encode(), **{key.encode(): value for key, value in changes.items()}})


def unlocked() -> RemoteRepository:
    session = RemoteRepository(args.location, lock=False, args=args)
    session.__enter__()
    return session


def call(method: str, **words: t.Any) -> bool:
    """Whether the server did it; what its own client would not ask for."""
    try:
        repository.call(method, words)
    except Exception:
        return False
    return True


MANIFEST = Manifest.MANIFEST_ID
if verb in ("delete", "overwrite", "garbage", "twice"):
    hit = chunks(words[0])
    for chunk in hit:
        was = repository.get(chunk)
        if verb in ("delete", "twice"):
            repository.delete(chunk)
        else:
            repository.put(chunk, os.urandom(100) if verb == "garbage" else key.encrypt(b"ruined"))
        if verb == "twice":
            repository.put(chunk, was)
    repository.commit(compact=False)
    if verb == "twice":
        for chunk in hit:
            repository.delete(chunk)
        repository.commit(compact=False)
elif verb in ("again", "same"):
    hit = chunks(words[0])
    for chunk in hit:
        was = repository.get(chunk)
        if verb == "again":
            repository.delete(chunk)
        repository.put(chunk, was)
    repository.commit(compact=False)
elif verb == "undone":
    hit = chunks(words[0])
    for chunk in hit:
        repository.delete(chunk)
    repository.rollback()
    len(repository)
    repository.commit(compact=False)
elif verb == "huge":
    hit = chunks(words[0])
    for chunk in hit:
        call("put", id=chunk, data=bytes((20 << 20) - 10))
    repository.commit(compact=False)
elif verb == "forget":
    kept = [MANIFEST, *(manifest.archives[name].id for name in words)]
    kept += [piece for name in words for piece in read(manifest.archives[name].id)[b"items"]]
    was = {what: repository.get(what) for what in kept}
    hit = [b""] * (len(repository) - len(was))
    repository.put(MANIFEST, was[MANIFEST])
    repository.rollback()
    if call("check", repair=False, save_space=False, max_duration=b"not a number"):
        sys.exit("the check was expected to fail")
    for what, data in was.items():
        repository.put(what, data)
    repository.commit(compact=False)
elif verb == "stale":
    hit, was = chunks(words[0]), repository.get(MANIFEST)
    one, other = unlocked(), unlocked()
    one.put(MANIFEST, was)
    for chunk in hit:
        one.delete(chunk)
    other.put(MANIFEST, was)
    other.get(MANIFEST)  # which the server then writes out
    other.__exit__(None, None, None)
    one.commit(compact=False)
    one.__exit__(None, None, None)
elif verb == "list":
    hit = read(manifest.archives[words[0]].id)[b"items"]
    for piece in hit:
        repository.delete(piece)
    repository.commit(compact=False)
elif verb == "archive":
    hit = [manifest.archives[words[0]].id]
    repository.delete(hit[0])
    repository.commit(compact=False)
elif verb == "checkpoint":
    info = manifest.archives[words[0]]
    hit = [info.id]
    del manifest.archives[words[0]]
    manifest.archives[words[0] + ".checkpoint"] = (info.id, info.ts)
    save()
    repository.delete(info.id)
    repository.commit(compact=False)
elif verb == "borrow":
    info = manifest.archives[words[0]]
    hit = read(info.id)[b"items"]
    manifest.archives[words[0] + ".checkpoint"] = (hit[0], info.ts)
    save()
elif verb == "lend":
    info = manifest.archives[words[0]]
    hit = read(info.id)[b"items"]
    manifest.archives[words[0] + ".checkpoint"] = (another(words[0] + ".checkpoint", info), info.ts)
    save()
elif verb == "call":
    hit = chunks(words[0])
    manifest.archives["called.checkpoint"] = (hit[0], next(iter(manifest.archives.values())).ts)
    save()
elif verb == "object":
    hit = [bytes.fromhex(word) for word in words]
    for what in hit:
        repository.delete(what)
    for name in [name for name in manifest.archives if manifest.archives[name].id in hit]:
        del manifest.archives[name]
    save()
elif verb == "find":
    hit = [chunk.hex() for chunk in chunks(words[0])]
elif verb == "dump":
    hit = [msgpack.packb({**read(manifest.archives[words[0]].id), b"comment": b"a file of anybody's"}).hex()]
elif verb == "incomplete":
    newest = manifest.archives.list(sort_by=["ts"])[-1]
    archive = read(newest.id)
    hit = [os.urandom(32)]
    item = {b"path": b"x", b"mode": 0o100600, b"mtime": 0, b"chunks": [(hit[0], 5, 5)]}
    archive = {**archive, b"name": words[0].encode(), b"items": [put(item)]}
    manifest.archives[words[0]] = (put(archive), newest.ts)
    save()
elif verb in ("rename", "alias"):
    info = manifest.archives[words[0]]
    hit = []
    if verb == "rename":
        del manifest.archives[words[0]]
    manifest.archives[words[1]] = (info.id, info.ts)
    save()
elif verb in ("mask", "swap"):
    info = manifest.archives[words[0]]
    hit = []
    forged = another(words[0], info, **({"comment": b"mask"} if verb == "mask" else {"items": []}))
    manifest.archives[words[-1]] = (forged, info.ts)
    save()
elif verb == "unlist":
    hit = []
    del manifest.archives[words[0]]
    save()
elif verb == "older":
    hit = []
    names = [info.name for info in manifest.archives.list(sort_by=["ts"])]
    for name in names[names.index(words[0]) :]:
        del manifest.archives[name]
    manifest.timestamp = (manifest.last_timestamp - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    save()
elif verb == "future":
    hit = []
    newest = manifest.archives.list(sort_by=["ts"])[-1]
    when = "2099-01-01T00:00:00.000000"
    manifest.archives[words[0]] = (another(words[0], newest, time=when.encode(), time_end=when.encode()), when)
    manifest.timestamp = when
    save()
elif verb == "spoil":
    hit = [os.urandom(32)]
    repository.put(hit[0], os.urandom(100))
    manifest.archives[words[0]] = (hit[0], "2099-01-01T00:00:00.000000")
    save()
elif verb == "scrawl":
    hit = []
    repository.put(MANIFEST, os.urandom(100))
    repository.commit(compact=False)
elif verb == "key":
    hit = []
    repository.save_key(repository.load_key() + b"\rlast_segment_checked = 999999\rid = " + b"0" * 64)
elif verb == "refused":
    hit = []
    path = args.location.path
    done = [
        call("destroy"),
        call("check", repair=True),
        call("open", path=path, create=True),
        call("open", path=path + "/..", lock=False),
        call("open", path=path + "/data", lock=False, create=True),
        call("compact_segments", threshold=0),
        call("__init__", path=path),
        call("write_index"),
        call("prepare_txn", transaction_id=None),
    ]
    if any(done):
        sys.exit(f"was expected to be refused: {done}")
else:
    hit = [os.urandom(32)]
    repository.put(hit[0], b"x" * 100)
    repository.commit(compact=False)
    repository.delete(hit[0])
    repository.commit(compact=False)
print(" ".join(hit) if verb in ("find", "dump") else len(hit))
repository.__exit__(None, None, None)
