# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Access, Borg, BorgError, RepositoryMissing, ages, first_error, seconds

ACCESS = Access("ssh://borg@store1/repo", "/etc/a pass", "ssh -i k", "/var/lib/b")
LISTED = {
    "archives": [
        {"name": "a", "start": "2026-11-23T21:00:00.000000", "end": "2026-11-23T21:01:00.500000", "id": "aa"},
        {"name": "b", "start": "2026-11-23T21:30:00.000000", "end": "2026-11-23T21:31:00.000000", "id": "bb"},
    ],
    "encryption": {"mode": "repokey-blake2"},
    "repository": {"id": "06f4"},
}


def borg(rc: int, out: str = "", err: str = "") -> tuple[Borg, list[t.Any]]:
    calls: list[t.Any] = []

    def run(argv: list[str], **more: t.Any) -> tuple[int, str, str]:
        calls.append((argv, more))
        return rc, out, err

    return Borg(run, ACCESS), calls


def test_read() -> None:
    client, calls = borg(0, json.dumps(LISTED))
    found = client.read(last=2)
    assert (found.id, found.encryption, [a.name for a in found.archives]) == ("06f4", "repokey-blake2", ["a", "b"])
    argv, more = calls[0]
    assert "--bypass-lock" in argv and "--last=2" in argv and argv[-2:] == ["--", "::"]
    assert more["environ_update"]["BORG_PASSCOMMAND"] == "cat '/etc/a pass'" and more["environ_update"]["TZ"] == "UTC"
    now = seconds("2026-11-23T21:40:00.000000")
    assert ages(found.archives, now)["newest_age"] == 600, "an age counts from the start of the archive"


def error(msgid: str, message: str) -> str:
    return json.dumps({"type": "log_message", "levelname": "ERROR", "msgid": msgid, "message": message}) + "\n"


def test_missing_is_not_unreachable() -> None:
    with pytest.raises(RepositoryMissing):
        borg(2, err=error("Repository.DoesNotExist", "Repository /x does not exist."))[0].read()
    unreachable = "ssh: connect to host store1 port 22: No route to host\n" + error("ConnectionClosedWithHint", "Connection closed by remote host.")
    with pytest.raises(BorgError, match=r"ssh://borg@store1/repo: its server is expected to answer.*No route to host") as caught:
        borg(2, err=unreachable)[0].read()
    assert not isinstance(caught.value, RepositoryMissing)


@pytest.mark.parametrize(("msgid", "words"), [("PassphraseWrong", "passphrase is expected to open it"), ("LockTimeout", "break the lock only when none")])
def test_sentences(msgid: str, words: str) -> None:
    with pytest.raises(BorgError, match=words):
        borg(2, err=error(msgid, "it says so"))[0].create("repokey")


def test_first_error_without_a_message_id() -> None:
    assert first_error("garbage\n") == ("", "garbage")
    assert first_error("") == ("", "nothing")
