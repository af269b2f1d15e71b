# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of these tests answers as the real Harbor 2.16 did when the same was asked in the same order."""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t
import urllib.error
import urllib.request

from harbor_server import Harbor

RECORDED = json.loads((pathlib.Path(__file__).parent / "recorded.json").read_text(encoding="utf-8"))


def ask(harbor: Harbor, row: dict[str, t.Any]) -> tuple[int, t.Any, t.Any]:
    password = {"admin": "Harbor12345", "alice": "Passw0rd1"}.get(row["auth"], "") if row["note"] != "wrong password" else "wrong"
    headers = {"Content-Type": "application/json"}
    if row["auth"] != "none":
        headers["Authorization"] = "Basic " + base64.b64encode(f"{row['auth']}:{password}".encode()).decode()
    data = None if row["body"] is None else json.dumps(row["body"]).encode()
    request = urllib.request.Request(f"{harbor.url}/api/v2.0{row['path']}", data=data, headers=headers, method=row["method"])
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None, answer.headers
    except urllib.error.HTTPError as exc:
        raw = exc.read()
        return exc.code, json.loads(raw) if raw else None, exc.headers


def shape(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return sorted(value)
    if isinstance(value, list):
        return ["list", *([sorted(value[0])] if value and isinstance(value[0], dict) else [])]
    return None if value is None else type(value).__name__


def test_it_answers_as_the_real_one_did(harbor: Harbor) -> None:
    wrong = []
    harbor.dead = {"http://127.0.0.1:1"}
    for number, row in enumerate(RECORDED):
        status, body, headers = ask(harbor, row)
        found: dict[str, t.Any] = {"status": status}
        if isinstance(body, dict) and "errors" in body:
            found["code"] = body["errors"][0]["code"]
        else:
            found["shape"] = shape(body)
        for name, header in (("total", "X-Total-Count"), ("location", "Location")):
            if name in row:
                found[name] = int(headers[header]) if name == "total" else headers[header]
        expected = {name: row[name] for name in ("status", "code", "shape", "total", "location") if name in row}
        if row["path"] in ("/systeminfo", "/configurations"):  # what it is, and its settings, the server of the tests tells in part
            found.pop("shape", None)
            expected.pop("shape", None)
        if found != expected:
            wrong.append((number, row["method"], row["path"], row["note"], found, expected))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(RECORDED) > 110
