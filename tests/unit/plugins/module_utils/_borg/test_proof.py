# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the log of a repository says, and what follows from it: segments are written here as Borg writes them."""

from __future__ import annotations

import binascii
import dataclasses
import pathlib
import re
import struct
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg import heads
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.programs.content import Known
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.proof import Proof, advance, doubts, judge

A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


def entry(tag: int, key: bytes = b"", data: bytes = b"") -> bytes:
    rest = struct.pack("<IB", 9 + len(key) + len(data), tag) + key + data
    return struct.pack("<I", binascii.crc32(rest)) + rest


def put(key: bytes) -> bytes:
    # data that looks like an entry is none
    return entry(heads.PUT, key, entry(heads.DELETE, A) * 3)


def delete(key: bytes) -> bytes:
    return entry(heads.DELETE, key)


COMMIT = entry(heads.COMMIT)


class Log:
    def __init__(self, path: pathlib.Path) -> None:
        self.path = path / "repos" / "gpu1"
        (self.path / "data" / "0").mkdir(parents=True)
        (path / "holds").mkdir()
        self.noted = path / "holds" / ".gpu1"

    def segment(self, number: int, *parts: bytes) -> None:
        (self.path / "data" / "0" / str(number)).write_bytes(heads.MAGIC + b"".join(parts))

    def look(self, since: int) -> heads.Seen:
        return heads.look(str(self.path), since, str(self.noted))[0]

    def index(self, path: pathlib.Path, **places: tuple[int, int]) -> heads.Index:
        """One as Borg writes it: a letter for an object, and its place."""
        buckets = [b"\0" * 32 + b"\xff" * 8] * 8
        for letter, place in places.items():
            key = letter.encode() * 32
            at = int.from_bytes(key[:4], "little") % 8
            while buckets[at][32:36] != b"\xff" * 4:
                at = (at + 1) % 8
            buckets[at] = heads.ENTRY.pack(key, *place)
        path.write_bytes(heads.INDEX.pack(b"BORG_IDX", len(places), 8, 32, 8) + b"".join(buckets))
        return heads.Index(str(path))


@pytest.fixture
def log(tmp_path: pathlib.Path) -> Log:
    """At transaction 2, with A, B and the manifest."""
    found = Log(tmp_path)
    found.segment(1, put(A), put(B), put(heads.MANIFEST))
    found.segment(2, COMMIT)
    return found


def test_an_ordinary_backup_takes_nothing_away(log: Log) -> None:
    log.segment(3, put(C), delete(heads.MANIFEST), put(heads.MANIFEST))
    log.segment(4, COMMIT)
    # an object that is new, and gone again in the next transaction: a checkpoint
    log.segment(5, delete(C), COMMIT)
    log.segment(6, put(A))
    seen = log.look(2)
    assert (seen.count, seen.transaction, seen.commits, seen.torn) == (0, 5, [4, 5], ""), "6 is not committed"


@pytest.mark.parametrize("after", [b"", put(A)])
def test_what_was_there_and_is_deleted_or_overwritten(log: Log, after: bytes) -> None:
    log.segment(3, put(C), COMMIT)
    log.segment(4, delete(A), after)
    log.segment(5, COMMIT)
    log.segment(6, delete(B), COMMIT)
    (log.path / "transactions").write_text("transaction 5, UTC time 2026-11-26T19:00:00.1\n\xff", encoding="latin-1")
    seen = log.look(2)
    assert seen.deleted == [(A.hex(), 5), (B.hex(), 6)] and list(seen.times) == [5]
    proof = judge(Proof(transaction=2, checkpoints=[]), dataclasses.asdict(seen) | {"times": {"5": 9.0}}, 1e9)
    assert (proof.lost, proof.good, proof.since) == (2, 3, 9.0), "what came before the first is kept"
    assert advance(proof, 6, [], 1e9).transaction == 2
    assert "2 objects that were there were deleted or overwritten" in doubts(proof, [])
    # only the archive of an unfinished backup that the admin host knows as such may go
    proof = judge(Proof(transaction=2, checkpoints=[A.hex()]), dataclasses.asdict(seen), 1e9)
    assert (proof.lost, proof.good) == (1, 5)


def test_the_admin_hosts_own(log: Log) -> None:
    log.segment(3, delete(A), COMMIT)
    log.segment(4, delete(B), COMMIT)
    log.noted.write_text("hold 2\nfree 3\n", encoding="ascii")
    assert log.look(2).deleted == [(B.hex(), 4)]
    # killed: the hold has no end until a session begins, which notes it
    log.noted.write_text("hold 2\n", encoding="ascii")
    assert log.look(2).count == 0
    (log.path / "data" / "0" / "4").unlink()
    heads.end_of_hold(str(log.path), str(log.noted))
    log.segment(4, delete(B), COMMIT)
    assert log.look(2).deleted == [(B.hex(), 4)] and log.noted.read_text(encoding="ascii") == "hold 2\nfree 3\n"


def test_what_compaction_moves_was_there(log: Log) -> None:
    """Although the admin host's own transaction puts it, and a client deletes it only then."""
    log.noted.write_text("hold 2\nfree 3\n", encoding="ascii")
    log.segment(3, put(A), COMMIT)
    log.segment(4, delete(A), put(C), delete(C), COMMIT)
    assert log.look(2).deleted == [(A.hex(), 4)]


# What the log says after transaction 2, at which A and B were at (1, 8) and (1, 500); what the index says then; what is astray
AFTERWARDS = [
    ([], {"a": (1, 8), "b": (1, 500)}, ""),
    ([put(C)], {"a": (1, 8), "b": (1, 500), "c": (3, 8)}, ""),
    ([delete(A)], {"b": (1, 500)}, ""),
    ([delete(A), put(A)], {"a": (3, 49), "b": (1, 500)}, ""),
    ([put(C), delete(C)], {"a": (1, 8), "b": (1, 500)}, ""),
    ([], {"a": (1, 8)}, "b"),
    ([], {"a": (1, 8), "b": (2, 500)}, "b"),
    ([put(C)], {"a": (1, 8), "b": (1, 500)}, "c"),
    ([delete(A)], {"a": (1, 8), "b": (1, 500)}, "a"),
    # over what is there without a DELETE, which Borg never does; it would make the DELETE that comes then look like that of something new
    ([put(A)], {"a": (3, 8), "b": (1, 500)}, "a"),
    ([put(A), delete(A)], {"b": (1, 500)}, "a"),
    ([put(C), put(C)], {"a": (1, 8), "b": (1, 500), "c": (3, 8 + len(put(C)))}, "c"),
]


@pytest.mark.parametrize(("entries", "index", "astray"), AFTERWARDS)
def test_the_index_is_what_the_log_makes_of_the_one_before(
    log: Log, tmp_path: pathlib.Path, entries: list[bytes], index: dict[str, tuple[int, int]], astray: str
) -> None:
    old = log.index(tmp_path / "old", a=(1, 8), b=(1, 500))
    log.segment(3, *entries)
    log.segment(4, COMMIT)
    _seen, objects = heads.look(str(log.path), 2, str(log.noted))
    assert heads.astray(old, log.index(tmp_path / "new", **index), objects) == {letter.encode() * 32 for letter in astray}


def test_the_index_of_the_proof_is_kept_and_no_other(log: Log) -> None:
    (log.path / "index.2").write_bytes(log.index(log.path / "x", a=(1, 8), b=(1, 500))._map[:])
    noted = str(log.noted)
    seen, objects = heads.look(str(log.path), -1, noted)
    assert heads.look_again(str(log.path), noted, seen, objects, [])["torn"] == "" and pathlib.Path(f"{noted}~2").exists()
    log.segment(3, put(C), COMMIT)
    (log.path / "index.2").rename(log.path / "index.3")
    seen, objects = heads.look(str(log.path), 2, noted)
    answer = heads.look_again(str(log.path), noted, seen, objects, [C.hex(), A.hex()])
    assert (answer["astray"], answer["count"], answer["new"]) == ([(C.hex(), 3)], 1, []), "an index that lacks what the log has is not kept"
    (log.path / "index.3").unlink()  # Borg puts another in its place
    log.index(log.path / "index.3", a=(1, 8), b=(1, 500), c=(3, 8))
    answer = heads.look_again(str(log.path), noted, seen, objects, [C.hex(), A.hex()])
    assert (answer["astray"], answer["new"]) == ([], [C.hex()]), "only what was not there before may be an unfinished backup's"
    heads.forget_indexes(noted, 3)
    assert sorted(path.name for path in log.noted.parent.iterdir() if "~" in path.name) == [".gpu1~3"]
    log.segment(4, COMMIT)
    assert heads.look_again(str(log.path), noted, seen, objects, [])["transaction"] == 4, "that is another transaction, which says nothing"


def test_the_first_look_believes_what_is_there(log: Log) -> None:
    log.segment(3, delete(A), COMMIT)
    log.noted.write_text("hold 2\nfree 99\nhold 3\n", encoding="ascii")
    seen = log.look(-1)
    assert (seen.count, seen.since, seen.transaction) == (0, 3, 3)
    assert log.noted.read_text(encoding="ascii").endswith("begin 3\nhold 3\n")
    log.segment(4, delete(A), COMMIT)
    heads.end_of_hold(str(log.path), str(log.noted))
    log.segment(5, delete(B), COMMIT)
    assert log.look(3).deleted == [(B.hex(), 5)], "notes of another repository excuse nothing"


TORN = [
    (lambda whole: whole[:20], "ends within|has no entry"),
    (lambda whole: b"BORG_XXX" + whole[8:], "does not begin as a segment"),
    (lambda whole: whole[:8] + b"\xff" * 9 + whole[17:], "has no entry"),
    (lambda whole: whole[:40] + b"x" + whole[41:], "checksum"),
    (lambda whole: b"", "does not begin"),
]


@pytest.mark.parametrize(("tear", "words"), TORN)
def test_a_torn_segment_is_told_and_proves_nothing(log: Log, tear: t.Callable[[bytes], bytes], words: str) -> None:
    log.segment(3, delete(heads.MANIFEST), put(C))
    log.segment(4, COMMIT)
    path = log.path / "data" / "0" / "3"
    path.write_bytes(tear(path.read_bytes()))
    seen = log.look(2)
    assert re.search(words, seen.torn)
    proof = judge(Proof(transaction=2), dataclasses.asdict(seen), 1.0)
    assert "cannot be believed" in doubts(proof, []) and advance(proof, 4, [], 1.0).transaction == 2


def test_an_older_repository_is_doubted() -> None:
    seen = dataclasses.asdict(heads.Seen(5, 9))
    assert "it is at transaction 5, but was at 9" in doubts(judge(Proof(transaction=9), seen, 1.0), [])


def test_nothing_is_final_before_all_is_proven() -> None:
    proof = Proof(transaction=5, read=3, to_read=9)
    assert "3 of 9 objects have been read" in doubts(proof, [])
    proof = dataclasses.replace(proof, whole_round=1.0, complete=["x"])
    assert doubts(proof, ["x"]) == "" and "1 archives are not yet proven" in doubts(proof, ["x", "y"])
    assert "archives lack objects" in doubts(dataclasses.replace(proof, incomplete=["n"]), ["x"])
    assert "another content" in doubts(dataclasses.replace(proof, damaged=["d" * 64]), ["x"])


def test_the_index_is_read_in_place(tmp_path: pathlib.Path) -> None:
    """As Borg lays it out: open addressing, and a deleted entry does not end a search."""
    keys = [bytes([n]) + b"\0\0\0" + bytes([n]) * 28 for n in (0, 4, 8, 1)]
    buckets = [keys[0] + b"\1\0\0\0\x08\0\0\0", keys[1] + b"\xfe\xff\xff\xff\0\0\0\0", keys[2] + b"\1\0\0\0\x09\0\0\0", b"\0" * 32 + b"\xff" * 8]
    (tmp_path / "index.7").write_bytes(heads.INDEX.pack(b"BORG_IDX", 2, 4, 32, 8) + b"".join(buckets))
    index = heads.Index(str(tmp_path / "index.7"))
    assert heads.index_at(str(tmp_path)) == 7 and [key in index for key in keys] == [True, False, True, False]
    assert sorted(index.ids()) == sorted([keys[0], keys[2]]) and list(index.besides(index)) == []
    (tmp_path / "index.8").write_bytes(b"BORG_IDX" + b"\0" * 10)
    with pytest.raises(heads.Torn, match="not an index that is known"):
        heads.Index(str(tmp_path / "index.8"))


def test_a_list_is_known_with_what_came_before_it(tmp_path: pathlib.Path) -> None:
    known = Known(str(tmp_path / "known"))
    known.add([(A, b"", b"rest"), (B, b"rest", b"")])
    assert known.rest(A, b"") == b"rest" and known.rest(B, b"rest") == b"" and known.rest(B, b"other") is None
    known.forget([A])
    assert known.rest(A, b"") is None and known.lists() == [B]
