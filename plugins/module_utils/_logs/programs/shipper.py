# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives the lines that rsyslog has written to a spool to the log engine, and remembers how far it is only once the engine has them.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

rsyslog masks and formats; it writes each line to C(lines.log) of the spool, which always works and has nothing in flight. Its own output for these
engines drops lines that are answered with anything but JSON, as OpenSearch does while it starts, and its queues lose the batch in hand when it is
restarted meanwhile: both were seen. The request is the engines' bulk API.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import ssl
import stat
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request

TIMEOUT, LONGEST_PAUSE, LOOK, BEAT = 30, 8.0, 0.2, 20.0  # seconds
BATCH_LINES, BATCH_BYTES = 1000, 5 << 20
SEGMENT_BYTES = 32 << 20
USERS = 1000  # the first number of an account or group that is a person's, and not the system's

_LINKS = (
    "Files in {0} are not shipped: it is expected to be writable for the system alone, but users can write there, and have root read any file by a link: "
    "let a service of the system write there, or have the program log to the journal."
)

Post = t.Callable[[bytes], t.Tuple[int, bytes]]  # a bulk request to its status and answer; OSError when nobody answers


class Refused(Exception):
    """The engine has not taken the lines, and may later; the message says why."""


def bulk(lines: t.Sequence[bytes], prefix: str) -> tuple[list[bytes], list[tuple[bytes, str]], bytes]:
    """The lines that can be sent, those that cannot and why, and the request that creates each once; C(line) is what is kept.

    rsyslog reads the end of the journal, and of files, again after it was killed, so a line has an id of its content.
    """
    kept: list[bytes] = []
    foreign: list[tuple[bytes, str]] = []
    known: dict[str, str] = {}
    parts: list[str] = []
    for raw in lines:
        try:
            found = json.loads(raw.decode("utf-8", "replace"))
            index, line = f"{prefix}-{found['line']['event']['dataset']}", found["line"]
            name = _name(line)
            place = os.path.dirname(line.get("log", {}).get("file", {}).get("path", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            foreign.append((raw, "it is no line of ours"))
            continue
        if place and place not in known:
            known[place] = open_to_users(place)
        if known.get(place):
            # what stands there may be the host's secrets, so it is kept nowhere
            foreign.append((b"", _LINKS.format(known[place])))
            continue
        kept.append(raw)
        parts += [json.dumps({"create": {"_index": index, "_id": name}}), json.dumps(line, ensure_ascii=False)]
    return kept, foreign, ("\n".join(parts) + "\n").encode("utf-8", "replace")


def open_to_users(directory: str) -> str:
    """The first directory on the way to C(directory) in which somebody beside root and the system's own services may make a link; empty when there is none.

    rsyslog reads as root and follows links, so whoever can make one among the files that it reads could have any file read.
    """
    first, ways = "", (directory, os.path.realpath(directory))
    for place in ways:
        while place:
            with contextlib.suppress(OSError):  # what is gone is judged by what it was in
                found = os.stat(place)
                # where the sticky bit is set, what others have made there stays theirs
                anybody = found.st_mode & stat.S_IWOTH and (place in ways or not found.st_mode & stat.S_ISVTX)
                if found.st_uid >= USERS or anybody or (found.st_mode & stat.S_IWGRP and found.st_gid >= USERS):
                    first = place
            place = os.path.dirname(place) if place != os.path.dirname(place) else ""
    return first


def _name(line: dict[str, t.Any]) -> str:
    """A file says where a line stands and when it was read, so what is read again within one minute counts as the same."""
    if "file" in line.get("log", {}):
        line = {**line, "@timestamp": line["@timestamp"][: len("2026-11-24T10:00")]}
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:32]


def send(post: Post, lines: t.Sequence[bytes], prefix: str) -> list[tuple[bytes, str]]:
    """Give all C(lines) to the engine; those that it can never take come back, with its reason. Refused when some have to be sent again."""
    kept, foreign, body = bulk(lines, prefix)
    wrong = foreign
    if not kept:
        return wrong
    status, text = post(body)
    try:
        items = json.loads(text)["items"] if status == 200 else None
    except (ValueError, KeyError, TypeError):
        items = None
    if items is None or len(items) != len(kept):
        raise Refused(f"the engine answered {status}: {text[:200].decode('utf-8', 'replace')}")
    for line, item in zip(kept, items):
        told = item.get("create", {})
        if told.get("status") == 400:
            wrong.append((line, json.dumps(told.get("error", {}))[:400]))
        elif told.get("status", 0) not in (200, 201, 409):  # 409: it came through before, and its answer was lost
            raise Refused(f"the engine answered {told.get('status')}: {json.dumps(told.get('error', {}))[:200]}")
    return wrong


def poster(config: t.Mapping[str, t.Any]) -> Post:
    """Posts to the first of C(urls) that answers."""
    context = ssl.create_default_context(cafile=config["ca"])
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    who = base64.b64encode(f"{config['username']}:{config['password']}".encode()).decode()
    headers = {"Authorization": f"Basic {who}", "Content-Type": "application/x-ndjson"}
    urls = list(config["urls"])

    def post(body: bytes) -> tuple[int, bytes]:
        failed: OSError | None = None
        for url in list(urls):
            request = urllib.request.Request(url + "/_bulk", data=body, headers=headers)
            try:
                with opener.open(request, timeout=TIMEOUT) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as exc:
                return exc.code, exc.read()
            except OSError as exc:
                failed = exc
                urls.append(urls.pop(0))
        raise failed or OSError("no engine is configured")

    return post


class Spool:
    """The segments of a directory, oldest first: C(lines-N.log), then C(lines.log), to which rsyslog writes. C(reopen) makes rsyslog begin it anew.

    The place that is remembered is an inode and an offset, because a segment is renamed while it is written to. What is before it has arrived.
    """

    def __init__(self, directory: str, most_bytes: int, reopen: t.Callable[[], None], segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory = directory
        self._most = most_bytes
        self._reopen = reopen
        self._segment = segment_bytes
        self._place = os.path.join(directory, "position.json")
        self._inode, self._offset = 0, 0
        try:
            with open(self._place, encoding="utf-8") as handle:
                found = json.load(handle)
            self._inode, self._offset = int(found["inode"]), int(found["offset"])
        except (OSError, ValueError, KeyError):
            pass  # nothing was sent yet

    def keep_house(self) -> list[str]:
        """Begin a new segment when the open one is large, and let the oldest go when they are too many; what was lost, as sentences."""
        closed = self._closed()
        current = os.path.join(self._directory, "lines.log")
        if os.path.exists(current) and os.path.getsize(current) >= self._segment:
            number = _number(closed[-1]) + 1 if closed else 1
            closed.append(os.path.join(self._directory, f"lines-{number}.log"))
            os.rename(current, closed[-1])
            self._reopen()
        lost = []
        while len(closed) > 1 and sum(map(os.path.getsize, closed)) > self._most:
            if os.stat(closed[0]).st_ino == self._inode or not self._inode:
                lost.append(f"{closed[0]} is expected to be sent, but was removed to make room, because the log engine is away for too long.")
                self._remember(os.stat(closed[1]).st_ino, 0)
            os.unlink(closed.pop(0))
        return lost

    def read(self) -> list[bytes]:
        """The next whole lines, some or none; they count as sent only after done()."""
        while True:
            # listed before it is read: once there is a segment after it, rsyslog writes to it no more
            segments = [*self._closed(), os.path.join(self._directory, "lines.log")]
            segments = [path for path in segments if os.path.exists(path)]
            inodes = [os.stat(path).st_ino for path in segments]
            if not segments:
                return []
            if self._inode not in inodes or self._offset > os.path.getsize(segments[inodes.index(self._inode)]):
                self._inode, self._offset = inodes[0], 0
            here = inodes.index(self._inode)
            for sent in segments[:here]:
                os.unlink(sent)
            with open(segments[here], "rb") as handle:
                handle.seek(self._offset)
                lines = [line for line in handle.readlines(BATCH_BYTES)[:BATCH_LINES] if line.endswith(b"\n")]
            if lines or here == len(segments) - 1:
                return lines
            self._remember(inodes[here + 1], 0)

    def done(self, lines: t.Sequence[bytes]) -> None:
        self._remember(self._inode, self._offset + sum(map(len, lines)))

    def _closed(self) -> list[str]:
        names = [name for name in os.listdir(self._directory) if name.startswith("lines-") and name.endswith(".log")]
        return sorted((os.path.join(self._directory, name) for name in names), key=_number)

    def _remember(self, inode: int, offset: int) -> None:
        self._inode, self._offset = inode, offset
        with open(self._place + ".new", "w", encoding="utf-8") as handle:
            json.dump({"inode": inode, "offset": offset}, handle)
        os.replace(self._place + ".new", self._place)


def _number(path: str) -> int:
    return int(path.rpartition("lines-")[2][: -len(".log")])


def reopen() -> None:
    subprocess.run(["systemctl", "kill", "-s", "HUP", "rsyslog.service"], check=False)


def alive(host: str) -> bytes:
    """A line that tells that this host could tell more; without it nobody knows a quiet host from one that is not heard."""
    now = time.time()
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}+00:00"
    line = {"@timestamp": when, "host": {"name": host}, "event": {"dataset": "alive"}, "message": "alive", "process": {"name": "gpulab-ship"}}
    return json.dumps({"line": line}).encode() + b"\n"


def rsyslog_runs() -> bool:
    return subprocess.run(["systemctl", "is-active", "-q", "rsyslog.service"], check=False).returncode == 0


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # into the journal


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as handle:
        config = json.load(handle)
    post, spool = poster(config), Spool(config["spool"], config["spool_mib"] << 20, reopen)
    pause, told, beat, said = 1.0, "", 0.0, set[str]()
    while True:
        for sentence in spool.keep_house():
            say(sentence)
        lines = spool.read()
        due = time.monotonic() - beat >= BEAT
        if due and not rsyslog_runs():
            due, beat = False, time.monotonic()
        if not lines and not due:
            time.sleep(LOOK)
            continue
        try:
            wrong = send(post, [*lines, *([alive(config["host"])] if due else [])], config["prefix"])
        except (Refused, OSError) as exc:
            if str(exc) != told:
                told = str(exc)
                say(f"The log engine is expected to take lines, but does not: {told}. They wait on this host.")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            continue
        if told:
            say("The log engine takes lines again.")
            pause, told = 1.0, ""
        beat = time.monotonic() if due else beat
        if wrong:
            with os.fdopen(os.open(config["refused"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
                out.writelines(why.encode() + b" " + line for line, why in wrong if line)
            for why in sorted({why for line, why in wrong if not line} - said):
                said.add(why)
                say(why)
        spool.done(lines)


if __name__ == "__main__":
    main()
