# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engines keep, in one form in which what was asked for and what is read back can be compared. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Each kind says where an object lives, which body makes it, and what a body read back means. Values that the engine adds by itself are left out of
both sides; everything else that is there and was not asked for counts as a difference.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

Tree = t.Dict[str, t.Any]
# Source: "Index naming restrictions", https://docs.opensearch.org/2.19/api-reference/index-apis/create-index/; users and roles may have a space
SIGNS = '* , ? / \\ " < > | #'
NO_NAME = re.compile(r"""[*,?/\\"<>|#]|^[_+-]""")


class Kind:
    """One kind of object; C(engine) is opensearch or elastic."""

    name: t.ClassVar[str]

    def __init__(self, engine: str) -> None:
        self.opensearch = engine == "opensearch"

    def path(self, name: str) -> str:
        raise AssertionError("each kind answers")

    def problem(self, wanted: Tree) -> str:
        """What is wrong with what is wanted, in a sentence; empty when nothing is."""
        return ""

    def unusable(self, name: str) -> str:
        """The sentence for a name that the engine takes for a list, for a pattern or for one of its own commands: DELETE of * would be all; or nothing."""
        if name and name not in (".", "..") and not NO_NAME.search(name):
            return ""
        return f"{self.name}: a name without {SIGNS} and not beginning with _ - + is expected, but it is {name!r}: choose another."

    def body(self, wanted: Tree) -> Tree:
        """What makes the object."""
        raise AssertionError("each kind answers")

    def desired(self, wanted: Tree) -> Tree:
        """The object as it shall be, in the form that is compared."""
        raise AssertionError("each kind answers")

    def observed(self, name: str, found: t.Any) -> Tree | None:
        """The object as the engine tells it, in the same form."""
        raise AssertionError("each kind answers")


class Template(Kind):
    name = "search_index_template"

    def path(self, name: str) -> str:
        return f"/_index_template/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return dict(wanted["body"])

    def desired(self, wanted: Tree) -> Tree:
        return _template(wanted["body"])

    def observed(self, name: str, found: t.Any) -> Tree | None:
        rows = (found or {}).get("index_templates") or []
        return _template(rows[0]["index_template"]) if rows else None


class Index(Kind):
    """Whether it is there; its template says what it is like."""

    name = "search_index"

    def path(self, name: str) -> str:
        return f"/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return {}

    def desired(self, wanted: Tree) -> Tree:
        return {"state": "present"}

    def observed(self, name: str, found: t.Any) -> Tree | None:
        return {"state": "present"} if found and name in found else None


class Pipeline(Kind):
    name = "search_ingest_pipeline"

    def path(self, name: str) -> str:
        return f"/_ingest/pipeline/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return dict(wanted["body"])

    def desired(self, wanted: Tree) -> Tree:
        return dict(wanted["body"])

    def observed(self, name: str, found: t.Any) -> Tree | None:
        return None if not found or name not in found else dict(found[name])


class SnapshotRepository(Kind):
    name = "search_snapshot_repository"

    def path(self, name: str) -> str:
        return f"/_snapshot/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        return {"type": wanted["type"], "settings": wanted["settings"]}

    def desired(self, wanted: Tree) -> Tree:
        return {"type": wanted["type"], "settings": flat(wanted["settings"])}

    def observed(self, name: str, found: t.Any) -> Tree | None:
        if not found or name not in found:
            return None
        return {"type": found[name]["type"], "settings": flat(found[name].get("settings") or {})}


class Role(Kind):
    name = "search_role"

    def path(self, name: str) -> str:
        return f"/_plugins/_security/api/roles/{quote(name, safe='')}" if self.opensearch else f"/_security/role/{quote(name, safe='')}"

    def body(self, wanted: Tree) -> Tree:
        of = (
            ("cluster_permissions", "index_permissions", "index_patterns", "allowed_actions")
            if self.opensearch
            else ("cluster", "indices", "names", "privileges")
        )
        return {of[0]: wanted["cluster"], of[1]: [{of[2]: row["patterns"], of[3]: row["actions"]} for row in wanted["indices"]]}

    def desired(self, wanted: Tree) -> Tree:
        return _role(wanted["cluster"], ((row["patterns"], row["actions"]) for row in wanted["indices"]))

    def observed(self, name: str, found: t.Any) -> Tree | None:
        if not found or name not in found:
            return None
        told = found[name]
        if self.opensearch:
            return _role(told["cluster_permissions"], ((row["index_patterns"], row["allowed_actions"]) for row in told["index_permissions"]))
        return _role(told["cluster"], ((row["names"], row["privileges"]) for row in told["indices"]))


class User(Kind):
    name = "search_user"

    def path(self, name: str) -> str:
        return f"/_plugins/_security/api/internalusers/{quote(name, safe='')}" if self.opensearch else f"/_security/user/{quote(name, safe='')}"

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "absent" or wanted["password"]:
            return ""
        return f"{self.name} {wanted['name']} is expected to have a password, but has none: give one, from a vault, or say state: absent."

    @property
    def login(self) -> str:
        return "/_plugins/_security/authinfo" if self.opensearch else "/_security/_authenticate"

    def body(self, wanted: Tree) -> Tree:
        return {"password": wanted["password"], ("opendistro_security_roles" if self.opensearch else "roles"): wanted["roles"]}

    def desired(self, wanted: Tree) -> Tree:
        return {"roles": sorted(wanted["roles"])}

    def observed(self, name: str, found: t.Any) -> Tree | None:
        if not found or name not in found:
            return None
        return {"roles": sorted(found[name]["opendistro_security_roles" if self.opensearch else "roles"])}


KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Template, Index, Pipeline, SnapshotRepository, Role, User)}


def differing(desired: Tree, observed: Tree | None) -> tuple[Tree | None, Tree]:
    """C(before) and C(after) of the parts that differ; a part that is to go becomes None."""
    if observed is None:
        return None, desired
    names = sorted(name for name in {*desired, *observed} if desired.get(name) != observed.get(name))
    return {name: observed.get(name) for name in names}, {name: desired.get(name) for name in names}


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
