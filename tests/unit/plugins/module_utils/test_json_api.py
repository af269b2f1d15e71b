# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import http.server
import threading
import typing as t
import urllib.error

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils import _json_api
from ansible_collections.gpulab.expansion.plugins.module_utils._json_api import TRIES, Answer, ApiError, ask


@contextlib.contextmanager
def hasty(closes: int) -> t.Iterator[tuple[str, list[str]]]:
    """Where a server listens that closes so many connections without an answer, and the methods that it was asked with."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(self.command)
            if len(asked) <= closes:
                self.close_connection = True
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"name": "engine"}')

        do_GET = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_args: t.Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_api.time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_connection_that_is_closed_without_an_answer_is_made_again(method: str) -> None:
    with hasty(closes=2) as (url, asked):
        assert ask(method, url, {"a": 1}, ApiError) == Answer(200, {"name": "engine"}) and asked == [method] * 3


def test_not_for_ever() -> None:
    with hasty(closes=9) as (url, asked), pytest.raises(ApiError, match="closed connection"):
        ask("GET", url, None, ApiError)
    assert len(asked) == TRIES


@pytest.mark.parametrize(
    ("why", "times"),
    [("The read operation timed out", TRIES), ("_ssl.c:975: The handshake operation timed out", TRIES), ("timed out", 1), ("Connection refused", 1)],
)
def test_who_took_the_connection_and_is_too_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch, why: str, times: int) -> None:
    asked = []

    def busy(url: str, **_more: t.Any) -> None:
        asked.append(url)
        raise urllib.error.URLError(TimeoutError(why))

    monkeypatch.setattr(_json_api, "open_url", busy)
    with pytest.raises(ApiError, match=why):
        ask("GET", "https://busy/", None, ApiError)
    assert len(asked) == times


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_could_happen_twice_is_asked_once(method: str) -> None:
    with hasty(closes=1) as (url, asked), pytest.raises(ApiError, match="closed connection"):
        ask(method, url, {"a": 1}, ApiError)
    assert asked == [method]
