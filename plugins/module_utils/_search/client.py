# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The REST API of OpenSearch and Elasticsearch, https://docs.opensearch.org/2.19/api-reference/ and
https://www.elastic.co/docs/api/doc/elasticsearch/

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .._json_api import Answer, ApiError, ask
from .._waiting import read_until

AGAIN = 15.0  # seconds in which a question that comes to nothing is asked again


@dataclasses.dataclass(frozen=True)
class Access:
    """Where the engine answers and who asks: a client certificate, or a user and a password."""

    url: str
    unit: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    username: str = ""
    password: str = ""


ACCESS_SPEC: dict[str, t.Any] = dict(
    engine=dict(type="str", choices=["opensearch", "elastic"], required=True),
    url=dict(type="str", required=True),
    unit=dict(type="str", default=""),
    ca_path=dict(type="path", default=""),
    client_cert=dict(type="path", default=""),
    client_key=dict(type="path", default="", no_log=False),
    username=dict(type="str", default=""),
    password=dict(type="str", default="", no_log=True),
    wait_seconds=dict(type="int", default=120),
)


class Client:
    """C(run) executes an argv, to see whether the engine's unit runs when nobody answers."""

    def __init__(self, run: t.Callable[..., tuple[int, str, str]], access: Access) -> None:
        self._access = access
        self._run = run

    def get(self, path: str) -> t.Any:
        """The body, or None when there is no such object."""
        # while the security plugin reads its own index anew, after a start and after each change of a role or a user, it answers 500
        answer = read_until(lambda: self._ask("GET", path), lambda told: told.status < 500, AGAIN, 0.5)
        return None if answer.status == 404 else self._body("GET", path, answer)

    def search(self, path: str, body: t.Any) -> t.Any:
        return self._body("POST", path, self._ask("POST", path, body))

    def put(self, path: str, body: t.Any) -> t.Any:
        return self._body("PUT", path, self._ask("PUT", path, body))

    def delete(self, path: str) -> t.Any:
        return self._body("DELETE", path, self._ask("DELETE", path))

    def logs_in(self, path: str, username: str, password: str) -> bool:
        """Whether C(username) has this password: asks C(path), which answers everybody who is somebody."""
        return self._ask("GET", path, who=(username, password)).status == 200

    def wait(self, seconds: float) -> t.Any:
        """What the engine says of itself as soon as it answers, None if it refuses. A unit that does not run is not waited for."""
        answer = Answer(0, None)

        def ask() -> str:
            nonlocal answer
            try:
                answer = self._ask("GET", "/")
            except ApiError as exc:
                return str(exc)
            early = answer.status in (401, 503) and "not" in json.dumps(answer.body) and "initialized" in json.dumps(answer.body)
            return "it is still starting" if early or answer.status in (429, 503) else ""

        why = ask()
        if why and self._running():
            why = read_until(ask, lambda told: not told or not self._running(), seconds, 1.0)
        if why:
            raise ApiError(why if why.endswith(".") else self._late(seconds))
        return answer.body if answer.status < 300 else None

    def _late(self, seconds: float) -> str:
        return f"{self._access.url} is expected to be ready within {seconds:.0f} s, but is not: see journalctl -u {self._access.unit or 'its unit'}."

    def _running(self) -> bool:
        if not self._access.unit:
            return True
        return self._run(["systemctl", "is-active", "--", self._access.unit])[1].strip() in ("active", "activating", "reloading")

    def _body(self, method: str, path: str, answer: Answer) -> t.Any:
        if answer.status in (401, 403):
            raise ApiError(
                f"{self._access.url} is expected to let {self._access.username or self._access.client_cert or 'us'} {method} {path}, but refuses with "
                f"{answer.status}{_reason(answer.body)}: correct who asks, or what that one may do."
            )
        if answer.status >= 300:
            raise ApiError(f"{self._access.url} is expected to accept {method} {path}, but answers {answer.status}{_reason(answer.body)}.")
        return answer.body

    def _ask(self, method: str, path: str, body: t.Any = None, who: tuple[str, str] | None = None) -> Answer:
        access = self._access
        more: dict[str, t.Any] = {}
        if who or access.username:
            more.update(url_username=(who or (access.username,))[0], url_password=(who or ("", access.password))[1], force_basic_auth=True)
        if access.client_cert and not who:
            more.update(client_cert=access.client_cert, client_key=access.client_key)
        if access.ca_path:
            more["ca_path"] = access.ca_path
        return ask(method, access.url.rstrip("/") + path, body, self._silent, **more)

    def _silent(self, why: str) -> ApiError:
        if self._access.unit and not self._running():
            return ApiError(
                f"{self._access.unit} is expected to run, but does not, and what it keeps can only be read from it: "
                f"see journalctl -u {self._access.unit}, start it, then run this again."
            )
        return ApiError(f"{self._access.url} is expected to answer, but does not: {why}. Start {self._access.unit or 'the engine'}, or correct the address.")


def _reason(body: t.Any) -> str:
    """What the engine says is wrong, as a clause: its own words are the last thing in C(reason)."""
    if isinstance(body, dict):
        error = body.get("error") or body.get("message") or body
        roots = error.get("root_cause") if isinstance(error, dict) else None
        told = (roots or [error])[0]
        body = told.get("reason") or told if isinstance(told, dict) else told
    text = (body if isinstance(body, str) else json.dumps(body)).strip().splitlines()
    return f" ({text[0][:400].rstrip('.')})" if text and text[0] else ""
