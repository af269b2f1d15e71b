# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._logs.programs.shipper import Refused, Spool, alive, open_to_users, send


def line(number: int, dataset: str = "system") -> bytes:
    return json.dumps({"line": {"message": f"m{number}", "event": {"dataset": dataset}}}).encode()


def answering(*statuses: int, status: int = 200, body: bytes | None = None) -> t.Any:
    asked: list[bytes] = []

    def post(data: bytes) -> tuple[int, bytes]:
        asked.append(data)
        items = [{"create": {"status": each, **({"error": {"reason": "why"}} if each > 299 else {})}} for each in statuses]
        return status, body if body is not None else json.dumps({"items": items}).encode()

    post.asked = asked  # type: ignore[attr-defined]
    return post


def test_each_line_is_created_once_in_the_index_of_its_dataset() -> None:
    post = answering(201, 409)
    assert send(post, [line(1), line(2, "job")], "logs-lab") == [], "one that was there already has arrived"
    rows = [json.loads(row) for row in post.asked[0].splitlines()]
    assert rows[0]["create"]["_index"] == "logs-lab-system" and rows[2]["create"]["_index"] == "logs-lab-job"
    assert rows[1]["message"] == "m1" and post.asked[0].endswith(b"\n")


def named(**line: t.Any) -> str:
    """The id with which such a line of a file, or of the journal, is sent."""
    post = answering(201)
    whole = {"message": "m", "@timestamp": "2026-11-24T10:00:01.5Z", "event": {"dataset": "app"}, **line}
    send(post, [json.dumps({"line": whole}).encode()], "logs-lab")
    return str(json.loads(post.asked[0].splitlines()[0])["create"]["_id"])


def test_what_is_read_again_after_a_crash_is_the_same_line() -> None:
    of = {"file": {"path": "/var/log/app/a.log"}, "offset": 7}
    assert named() == named() != named(message="other")
    assert named() != named(**{"@timestamp": "2026-11-24T10:00:01.6Z"}), "the journal says when it was logged"
    assert named(log=of) == named(log=of, **{"@timestamp": "2026-11-24T10:00:59Z"}), "a file, when it was read"
    assert len({named(log=of), named(log={**of, "offset": 8}), named(log=of, **{"@timestamp": "2026-11-24T10:01:00Z"})}) == 3


@pytest.mark.parametrize("status", [429, 403, 500, 503])
def test_a_line_that_may_be_taken_later_is_sent_again(status: int) -> None:
    with pytest.raises(Refused, match=str(status)):
        send(answering(201, status), [line(1), line(2)], "logs-lab")


@pytest.mark.parametrize(
    ("status", "body"),
    [(503, b"OpenSearch Security not initialized."), (200, b"not JSON"), (200, b'{"items": []}'), (401, b'{"error": "no"}'), (200, b"[]")],
)
def test_an_answer_that_does_not_say_so_takes_nothing(status: int, body: bytes) -> None:
    with pytest.raises(Refused):
        send(answering(status=status, body=body), [line(1)], "logs-lab")


def test_what_can_never_be_taken_comes_back_and_holds_up_no_other() -> None:
    wrong = send(answering(400, 201), [b"nonsense", line(1), b"{}", line(2)], "logs-lab")
    assert [each[0] for each in wrong] == [b"nonsense", b"{}", line(1)]
    assert send(answering(), [b"nonsense"], "logs-lab")[0][1] == "it is no line of ours"


def test_bytes_that_are_no_text_are_kept_as_well_as_can_be() -> None:
    post = answering(201)
    assert send(post, [line(1).replace(b"m1", b"\xff\xfe")], "logs-lab") == []
    assert "\ufffd\ufffd" in post.asked[0].decode()


def test_a_quiet_host_is_heard() -> None:
    post = answering(201)
    assert send(post, [alive("gpu1")], "logs-lab") == []
    head, told = (json.loads(row) for row in post.asked[0].splitlines())
    assert head["create"]["_index"] == "logs-lab-alive" and head["create"]["_id"] and told["host"] == {"name": "gpu1"}


def test_a_file_that_a_user_can_make_a_link_of_is_not_sent(tmp_path: pathlib.Path) -> None:
    """rsyslog reads as root, and follows links."""
    theirs = tmp_path / "app" / "deep"
    theirs.mkdir(parents=True)
    (tmp_path / "app").chmod(0o777)
    when = "2026-11-26T00:00:00Z"
    secret = {"@timestamp": when, "message": "root:$y$j9T$:20783", "event": {"dataset": "app"}, "log": {"file": {"path": str(theirs / "s.log")}}}
    post = answering(201)
    ((kept, why),) = send(post, [line(1), json.dumps({"line": secret}).encode()], "logs-lab")
    assert kept == b"" and why.startswith(f"Files in {tmp_path / 'app'} are not shipped: it is expected to be writable for the system alone, but users")
    assert b"20783" not in post.asked[0] and b"m1" in post.asked[0]
    (tmp_path / "app").chmod(0o755)
    assert open_to_users(str(theirs)) == open_to_users("/var/log") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory to another user")
@pytest.mark.parametrize(
    ("owner", "group", "mode", "open_"), [(1000, 0, 0o755, True), (998, 998, 0o755, False), (0, 1000, 0o775, True), (0, 998, 0o775, False)]
)
def test_a_directory_of_a_service_is_the_systems(tmp_path: pathlib.Path, owner: int, group: int, mode: int, open_: bool) -> None:
    place = tmp_path / "app"
    place.mkdir()
    os.chown(place, owner, group)
    place.chmod(mode)
    (tmp_path / "by link").symlink_to(place)
    assert bool(open_to_users(str(place))) == bool(open_to_users(str(tmp_path / "by link"))) == open_


# -- the spool


class Lab:
    """A spool with a rsyslog that writes to the file that it has open until it is told to begin anew."""

    def __init__(self, directory: pathlib.Path, most: int = 10**9, segment: int = 40) -> None:
        self.directory, self.most, self.segment = directory, most, segment
        self.handle: t.Any = None
        self.hup = False

    def begin_anew(self) -> None:
        self.hup = True

    def write(self, *texts: str) -> None:
        if self.hup or self.handle is None:
            self.handle = open(self.directory / "lines.log", "a", encoding="ascii")  # noqa: SIM115
            self.hup = False
        self.handle.write("".join(f"{text}\n" for text in texts))
        self.handle.flush()

    def spool(self) -> Spool:
        return Spool(str(self.directory), self.most, self.begin_anew, self.segment)


def sent(spool: Spool) -> list[str]:
    out: list[str] = []
    while True:
        spool.keep_house()
        lines = spool.read()
        if not lines:
            return out
        out += [each.decode().strip() for each in lines]
        spool.done(lines)


def test_each_line_is_read_once_also_by_a_program_that_was_killed_at_any_time(tmp_path: pathlib.Path) -> None:
    lab = Lab(tmp_path)
    assert sent(lab.spool()) == []
    written, found = [], []
    for number in range(60):
        texts = [f"line {number}.{part}" for part in range(number % 4)]
        lab.write(*texts)
        written += texts
        if number % 7 == 3:
            lab.spool().keep_house()  # killed after the renaming
        if number % 5 == 2:
            lab.spool().read()  # killed before the engine answered
        if number % 3 == 1:
            found += sent(lab.spool())
    lab.write("the last")
    assert found + sent(lab.spool()) == [*written, "the last"]
    assert len(list(tmp_path.glob("lines*.log"))) <= 2, "what was sent is removed"


def test_what_rsyslog_writes_to_a_renamed_segment_is_read(tmp_path: pathlib.Path) -> None:
    lab = Lab(tmp_path)
    lab.write("x" * 50)
    spool = lab.spool()
    spool.keep_house()
    assert lab.hup
    lab.hup = False  # not told yet
    lab.write("late")
    assert sent(spool) == ["x" * 50, "late"]
    lab.write("later")
    lab.hup = True
    lab.write("after")
    assert sent(spool) == ["later", "after"]


def test_half_a_line_waits_for_its_end(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lines.log").write_text("one\ntw", encoding="ascii")
    spool = Lab(tmp_path).spool()
    assert sent(spool) == ["one"]
    with open(tmp_path / "lines.log", "a", encoding="ascii") as handle:
        handle.write("o\n")
    assert sent(spool) == ["two"]


def test_when_the_room_is_used_up_the_oldest_goes_and_that_is_said(tmp_path: pathlib.Path) -> None:
    lab = Lab(tmp_path, most=120)
    spool = lab.spool()
    said = []
    for number in range(6):
        lab.write(f"{number}" * 49)
        said += spool.keep_house()
    assert len(said) == 4 and "was removed to make room" in said[0]
    assert sent(spool) == ["4" * 49, "5" * 49]
