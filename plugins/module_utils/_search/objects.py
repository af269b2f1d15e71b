# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engines keep, in one form in which what was asked for and what is read back can be compared.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Each kind says where an object lives, which body makes it, and what a body read back means. Values that the engine adds by itself are left out of
both sides; everything else that is there and was not asked for counts as a difference.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from .._json_api import access_of
from .._objects import Kind
from .._prediction import Tree, is_unknown, unknown
from .._sealed import SECRET_NAME, SealedModule
from .client import ACCESS_SPEC, Access, Client

# Source: "Index naming restrictions", https://docs.opensearch.org/2.19/api-reference/index-apis/create-index/; users and roles may have a space
SIGNS = '* , ? / \\ " < > | #'
NO_NAME = re.compile(r"""[*,?/\\"<>|#]|^[_+-]""")


class SearchKind(Kind):
    access = ACCESS_SPEC
    whole = True
    see = "See the engine's own log"

    def __init__(self, params: Tree, *more: t.Any) -> None:
        super().__init__(params, *more)
        self.opensearch = params["engine"] == "opensearch"

    @classmethod
    def connect(cls, module: SealedModule) -> Client:
        client = Client(module.run_command, access_of(Access, module.plain))
        client.wait(module.plain["wait_seconds"])
        return client

    @property
    def client(self) -> Client:
        return t.cast("Client", self._client)

    def problem(self, wanted: Tree) -> str:
        """The sentence for a name that the engine takes for a list, for a pattern or for one of its own commands: DELETE of * would be all; or nothing."""
        name = wanted["name"]
        if name and name not in (".", "..") and not NO_NAME.search(name):
            return ""
        return f"{self.name}: a name without {SIGNS} and not beginning with _ - + is expected, but it is {name!r}: choose another."

    def path(self, name: str) -> str:
        raise AssertionError("each kind answers")

    def body(self, wanted: Tree) -> Tree:
        """What makes the object."""
        raise AssertionError("each kind answers")

    def row(self, name: str, answer: Tree) -> Tree | None:
        """The object in what the engine answers when it is asked for it."""
        return t.cast("Tree | None", answer.get(name))

    def found(self, wanted: Tree) -> Tree | None:
        return self.row(wanted["name"], self.client.get(self.path(wanted["name"])) or {})

    def create(self, wanted: Tree) -> t.Any:
        return self.client.put(self.path(wanted["name"]), self.body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.create(wanted)

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.delete(self.path(wanted["name"]))


class Template(SearchKind):
    name = "search_index_template"
    options = dict(
        name=dict(type="str", required=True),
        body=dict(type="dict", required=True),
    )

    def path(self, name: str) -> str:
        return f"/_index_template/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return dict(wanted["body"])

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return _template(wanted["body"])

    def row(self, name: str, answer: Tree) -> Tree | None:
        rows = answer.get("index_templates") or []
        return t.cast("Tree", rows[0]["index_template"]) if rows else None

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return _template(found)


class Index(SearchKind):
    """Whether it is there; its template says what it is like."""

    name = "search_index"
    options = dict(
        name=dict(type="str", required=True),
    )

    def path(self, name: str) -> str:
        return f"/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return {}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {}


class Pipeline(SearchKind):
    name = "search_ingest_pipeline"
    options = dict(
        name=dict(type="str", required=True),
        body=dict(type="dict", required=True),
    )

    def path(self, name: str) -> str:
        return f"/_ingest/pipeline/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return dict(wanted["body"])

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return dict(wanted["body"])

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return dict(found)


class SnapshotRepository(SearchKind):
    name = "search_snapshot_repository"
    options = dict(
        name=dict(type="str", required=True),
        type=dict(type="str", default="fs"),
        settings=dict(type="dict", default={}),
    )

    def path(self, name: str) -> str:
        return f"/_snapshot/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return {"type": wanted["type"], "settings": wanted["settings"]}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"type": wanted["type"], "settings": flat(wanted["settings"])}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"type": found["type"], "settings": flat(found.get("settings") or {})}

    def told(self, tree: Tree) -> Tree:
        return _hidden(tree)


class Role(SearchKind):
    name = "search_role"
    options = dict(
        name=dict(type="str", required=True),
        cluster=dict(type="list", elements="str", default=[]),
        indices=dict(
            type="list",
            elements="dict",
            default=[],
            options=dict(patterns=dict(type="list", elements="str", required=True), actions=dict(type="list", elements="str", required=True)),
        ),
    )

    def path(self, name: str) -> str:
        return f"/_plugins/_security/api/roles/{quote(name, safe='')}" if self.opensearch else f"/_security/role/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        of = (
            ("cluster_permissions", "index_permissions", "index_patterns", "allowed_actions")
            if self.opensearch
            else ("cluster", "indices", "names", "privileges")
        )
        return {of[0]: wanted["cluster"], of[1]: [{of[2]: row["patterns"], of[3]: row["actions"]} for row in wanted["indices"]]}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return _role(wanted["cluster"], ((row["patterns"], row["actions"]) for row in wanted["indices"]))

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        if self.opensearch:
            return _role(found["cluster_permissions"], ((row["index_patterns"], row["allowed_actions"]) for row in found["index_permissions"]))
        return _role(found["cluster"], ((row["names"], row["privileges"]) for row in found["indices"]))


class User(SearchKind):
    name = "search_user"
    options = dict(
        name=dict(type="str", required=True),
        password=dict(type="str", no_log=True),
        roles=dict(type="list", elements="str", default=[]),
    )
    hidden = frozenset(("password",))

    def path(self, name: str) -> str:
        return f"/_plugins/_security/api/internalusers/{quote(name, safe='')}" if self.opensearch else f"/_security/user/{quote(name, safe='')}"

    def problem(self, wanted: Tree) -> str:
        if super().problem(wanted) or wanted["state"] == "absent" or wanted["password"]:
            return super().problem(wanted)
        return f"{self.name} {wanted['name']} is expected to have a password, but has none: give one, from a vault, or say state: absent."

    @property
    def login(self) -> str:
        return "/_plugins/_security/authinfo" if self.opensearch else "/_security/_authenticate"

    def body(self, wanted: Tree) -> Tree:
        return {"password": wanted["password"], ("opendistro_security_roles" if self.opensearch else "roles"): wanted["roles"]}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        told: Tree = {"roles": sorted(wanted["roles"])}
        right = found is not None and self.client.logs_in(self.login, wanted["name"], wanted["password"])
        return told if right else {**told, "password": unknown("secret")}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"roles": sorted(found["opendistro_security_roles" if self.opensearch else "roles"])}


KINDS: t.Dict[str, t.Type[SearchKind]] = {kind.name: kind for kind in (Template, Index, Pipeline, SnapshotRepository, Role, User)}


def _hidden(tree: Tree) -> Tree:
    """C(tree) without values whose names say that they are secret."""
    out: Tree = {}
    for name, value in tree.items():
        secret = SECRET_NAME.search(name) and isinstance(value, (str, int, float))
        out[name] = unknown("secret") if secret else _hidden(value) if isinstance(value, dict) and not is_unknown(value) else value
    return out


def flat(settings: Tree, prefix: str = "") -> dict[str, str]:
    """Settings as the engine tells them with C(flat_settings): dotted names, values as text."""
    out: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            out.update(flat(value, f"{prefix}{name}."))
        elif value is not None:
            out[prefix + name] = str(value).lower() if isinstance(value, bool) else str(value)
    return out


def _template(body: Tree) -> Tree:
    inner = body.get("template") or {}
    settings = flat(inner.get("settings") or {})
    out: Tree = {
        "index_patterns": sorted(body["index_patterns"]),
        "priority": body.get("priority", 0),
        "settings": {name if name.startswith("index.") else f"index.{name}": value for name, value in settings.items()},
        "mappings": inner.get("mappings") or {},
        "data_stream": "data_stream" in body,
    }
    for name in ("composed_of", "_meta", "version"):
        if body.get(name):
            out[name] = body[name]
    if inner.get("aliases"):
        out["aliases"] = inner["aliases"]
    return out


def _role(cluster: t.Iterable[str], indices: t.Iterable[tuple[t.Iterable[str], t.Iterable[str]]]) -> Tree:
    rows = [{"patterns": sorted(patterns), "actions": sorted(actions)} for patterns, actions in indices]
    return {"cluster": sorted(cluster), "indices": sorted(rows, key=str)}
