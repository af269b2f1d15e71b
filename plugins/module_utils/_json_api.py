# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that answers in JSON.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import time
import typing as t
import urllib.error

from ansible.module_utils.urls import open_url

TIMEOUT = 15  # seconds
# How often what may be asked twice (RFC 9110, 9.2.2) is asked, while the server is there and too busy: it takes the connection, and closes it without an
# answer or leaves its handshake or its answer waiting.
TRIES = 8
A = t.TypeVar("A")


class ApiError(Exception):
    """A sentence for the admin."""


class Answer(t.NamedTuple):
    status: int
    body: t.Any


def access_of(kind: t.Type[A], params: t.Mapping[str, t.Any]) -> A:
    """The fields of the dataclass C(kind) from a module's parameters."""
    return kind(**{field.name: params[field.name] for field in dataclasses.fields(kind)})  # type: ignore[arg-type]


def lenient(raw: bytes) -> t.Any:
    """What JSON says, or the text itself: what stands between us and a server answers with pages."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def ask(
    method: str,
    url: str,
    body: t.Any,
    silent: t.Callable[[str], ApiError],
    parse: t.Callable[[bytes], t.Any] = lenient,
    headers: t.Mapping[str, str] | None = None,
    **login: t.Any,
) -> Answer:
    """One answer. C(silent) makes the error out of why nothing answered; C(login) is what open_url() takes for it."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    tries = TRIES if method in ("GET", "PUT") else 1
    while True:
        tries -= 1
        try:
            found = open_url(url, method=method, data=data, headers=sent, timeout=TIMEOUT, **login)
            return Answer(found.status, parse(found.read()))
        except urllib.error.HTTPError as exc:
            return Answer(exc.code, lenient(exc.read()))
        except (OSError, ValueError) as exc:
            why = str(getattr(exc, "reason", exc))
            busy = isinstance(exc, http.client.RemoteDisconnected) or "operation timed out" in why
            if not busy or not tries:
                raise silent(why) from exc
        time.sleep(1)
