# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of Harbor, https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml (2.16).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import time
import typing as t
from urllib.parse import quote, urlencode

from .._json_api import Answer, ApiError, ask

PAGE = 100  # the most that it gives at once
PAGES = 1000  # of a list; who tells more goes round in a circle
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")  # of a project or robot
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
AGAIN = 2.0  # seconds until a question that came to nothing is asked once more


@dataclasses.dataclass(frozen=True)
class Access:
    url: str
    username: str
    password: str
    ca_path: str = ""


ACCESS_SPEC: dict[str, t.Any] = dict(
    url=dict(type="str", required=True),
    username=dict(type="str", required=True),
    password=dict(type="str", required=True, no_log=True),
    ca_path=dict(type="path", default=""),
    unit=dict(type="str", default=""),
)


class Client:
    """What was read is remembered until something is written, so that a list of objects costs what one does."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._read: dict[str, Answer] = {}

    def get(self, path: str, **query: t.Any) -> t.Any:
        """The body, or None when there is no such object."""
        answer = self._ask("GET", path, query=query)
        return None if answer.status == 404 else self._body("GET", path, answer)

    def project(self, name: str) -> t.Any:
        """The project, or None when there is none. Without this header Harbor takes a name of digits for an id, and answers with another project or none."""
        if not NAME.fullmatch(name):
            return None
        path = f"/projects/{name}"
        answer = self._ask("GET", path, headers={"X-Is-Resource-Name": "true"})
        return None if answer.status == 404 else self._body("GET", path, answer)

    def where(self, path: str, field: str, name: str, **query: t.Any) -> list[t.Any]:
        """The rows whose C(field) is C(name). Harbor's q has a grammar, in which a name can be a list or a range, so it narrows down plain names alone.

        Source: "q" in https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml
        """
        plain = {"q": f"{field}={name}"} if PLAIN.fullmatch(name) else {}
        return [row for row in self.all(path, **plain, **query) if row.get(field) == name]

    def all(self, path: str, **query: t.Any) -> list[t.Any]:
        """All rows of all pages."""
        rows: list[t.Any] = []
        for page in range(1, PAGES + 1):
            answer = self._ask("GET", path, query={**query, "page": page, "page_size": PAGE})
            found = self._body("GET", path, answer) or []
            rows += found
            if len(found) < PAGE:
                return rows
        raise ApiError(f"{self._access.url} is expected to end its list of {path}, but goes on after {PAGES} pages: see the logs of harbor-core.")

    def logs_in(self, username: str, password: str) -> bool:
        """Whether that one has this password."""
        return Client(dataclasses.replace(self._access, username=username, password=password))._once("GET", "/users/current", None, None).status == 200

    def write(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """POST, PUT, PATCH or DELETE. It is asked once: what came to nothing may have been done, so the next run looks first."""
        self._read = {}
        return self._body(method, path, self._ask(method, path, body))

    def _body(self, method: str, path: str, answer: Answer) -> t.Any:
        if answer.status in (401, 403):
            what = "that one's password" if answer.status == 401 else "what that one may do"
            raise ApiError(
                f"{self._access.url} is expected to let {self._access.username} {method} {path}, but refuses with {answer.status}"
                f"{_reason(answer.body)}: correct {what}."
            )
        if answer.status >= 300:
            way = "correct what was asked for" if answer.status < 500 else "see the logs of harbor-core, then run this again"
            raise ApiError(f"{self._access.url} is expected to accept {method} {path}, but answers {answer.status}{_reason(answer.body)}: {way}.")
        return answer.body

    def _ask(
        self, method: str, path: str, body: t.Any = None, query: t.Mapping[str, t.Any] | None = None, headers: t.Mapping[str, str] | None = None
    ) -> Answer:
        if method != "GET":
            return self._once(method, path, body, query)
        asked = f"{path}?{urlencode(query or {})} {headers or ''}"
        if asked not in self._read:
            answer = self._once(method, path, body, query, headers)
            if answer.status >= 500:
                time.sleep(AGAIN)
                answer = self._once(method, path, body, query, headers)
            self._read[asked] = answer
        return copy.deepcopy(self._read[asked])

    def _once(self, method: str, path: str, body: t.Any, query: t.Mapping[str, t.Any] | None, headers: t.Mapping[str, str] | None = None) -> Answer:
        access = self._access
        url = f"{access.url.rstrip('/')}/api/v2.0{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        more: dict[str, t.Any] = {"ca_path": access.ca_path} if access.ca_path else {}
        login = dict(url_username=access.username, url_password=access.password, force_basic_auth=True, **more)
        return ask(method, url, body, self._silent, lambda raw: self._parsed(method, path, raw), headers, **login)

    def _silent(self, why: str) -> ApiError:
        return ApiError(f"{self._access.url} is expected to answer, but does not: {why}. Start Harbor, or correct the address or the certificate.")

    def _parsed(self, method: str, path: str, raw: bytes) -> t.Any:
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError as exc:
            raise ApiError(
                f"{self._access.url} is expected to answer {method} {path} with JSON, but what came is none ({raw[:60]!r}): is that the address of Harbor?"
                " Correct it, or run this again."
            ) from exc


def _reason(body: t.Any) -> str:
    """What Harbor says is wrong, as a clause."""
    errors = body.get("errors") if isinstance(body, dict) else None
    text = errors[0].get("message", "") if errors else body if isinstance(body, str) else ""
    text = " ".join(text.split())[:300].rstrip(".")
    return f" ({text})" if text else ""
