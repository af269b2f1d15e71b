# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projects, proxy caches and labels of Harbor.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from .._json_api import ApiError
from .._objects import Coming
from .._prediction import Tree
from .base import HarborKind, InProject, endpoint_number
from .client import NAME

SEVERITIES = ("none", "low", "medium", "high", "critical")
_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


class Project(HarborKind):
    name = "harbor_project"
    options = dict(
        name=dict(type="str", required=True),
        public=dict(type="bool"),
        storage_limit=dict(type="str"),
        auto_scan=dict(type="bool"),
        prevent_vul=dict(type="bool"),
        severity=dict(type="str", choices=list(SEVERITIES)),
        auto_sbom_generation=dict(type="bool"),
        enable_content_trust_cosign=dict(type="bool"),
    )
    _flags = ("public", "auto_scan", "prevent_vul", "auto_sbom_generation", "enable_content_trust_cosign")

    def problem(self, wanted: Tree) -> str:
        if not NAME.fullmatch(wanted["name"]):
            return f"project {wanted['name']}: a name of lower-case letters, digits and single . _ - between them is expected, but it is not one: rename it."
        if wanted.get("storage_limit") is not None and size(wanted["storage_limit"]) is None:
            return f"project {wanted['name']}: storage_limit is expected as 500 GiB, or -1 for none, but is {wanted['storage_limit']!r}: correct it."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.project(wanted["name"])
        if found is None:
            return None
        quota = self.client.get("/quotas", reference="project", reference_id=found["project_id"]) if wanted.get("storage_limit") is not None else None
        return {**found, "quota": quota[0] if quota else None}

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        told: Tree = {flag: wanted[flag] for flag in self._flags if wanted.get(flag) is not None}
        if wanted.get("severity") is not None:
            told["severity"] = wanted["severity"]
        if wanted.get("storage_limit") is not None:
            told["storage_limit"] = size(wanted["storage_limit"])
        return told

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        metadata = found["metadata"]
        told: Tree = {flag: str(metadata.get(flag, "false")).lower() == "true" for flag in self._flags if wanted.get(flag) is not None}
        if wanted.get("severity") is not None:
            told["severity"] = metadata.get("severity", "")
        if wanted.get("storage_limit") is not None:
            told["storage_limit"] = found["quota"]["hard"]["storage"] if found["quota"] else -1
        return told

    def create(self, wanted: Tree) -> t.Any:
        told = Project.desired(self, wanted)
        limit = told.pop("storage_limit", None)
        body: Tree = {"project_name": wanted["name"], "metadata": {"public": "false", **_words(told)}, **self._more(wanted)}
        return self.client.write("POST", "/projects", {**body, **({"storage_limit": limit} if limit is not None else {})})

    def refusal(self, wanted: Tree, found: Tree) -> str:
        if wanted["state"] == "absent":
            if not found["repo_count"]:
                return ""
            return (
                f"project {wanted['name']} is expected to be empty before it is removed, but has {found['repo_count']} repositories: "
                "remove them first, nothing was removed."
            )
        limit, quota = self.desired(wanted).get("storage_limit", -1), found["quota"]
        used = quota["used"]["storage"] if quota else 0
        if not 0 <= limit < used or limit == quota["hard"]["storage"]:
            return ""
        return (
            f"project {wanted['name']}: a storage_limit of at least what it has ({used} bytes) is expected, but {limit} is asked for: "
            "remove images first, or allow more."
        )

    def _more(self, wanted: Tree) -> Tree:
        return {}

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        told = {name: value for name, value in self.desired(wanted).items() if name in differing}
        limit = told.pop("storage_limit", None)
        if limit is not None:
            self.client.write("PUT", f"/quotas/{found['quota']['id']}", {"hard": {"storage": limit}})
        if told:
            self.client.write("PUT", f"/projects/{found['project_id']}", {"metadata": _words(told)})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}")


class ProxyCache(Project):
    """A project that has what was asked for of another registry. Harbor never makes one of a project that is there, nor another's."""

    name = "harbor_proxy_cache"
    options = dict(
        name=dict(type="str", required=True),
        endpoint=dict(type="str", required=True),
        public=dict(type="bool"),
        storage_limit=dict(type="str"),
    )

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if found is None and self._client:
            with contextlib.suppress(Coming):
                self._endpoint(wanted)
        return {**super().desired(wanted, found), "endpoint": wanted["endpoint"]}

    def _endpoint(self, wanted: Tree) -> int:
        return endpoint_number(self, f"proxy cache {wanted['name']}", wanted["endpoint"])

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        number = found.get("registry_id")
        name = (self.client.get(f"/registries/{number}") or {}).get("name", "") if number else ""
        if name != wanted["endpoint"]:
            raise ApiError(
                f"proxy cache {wanted['name']} is expected to be one of endpoint {wanted['endpoint']}, but is {f'one of {name}' if name else 'a project'}, "
                "and Harbor changes none: give the new one another name."
            )
        return {**super().observed(wanted, found), "endpoint": name}

    def _more(self, wanted: Tree) -> Tree:
        return {"registry_id": self._endpoint(wanted)}


class Label(InProject):
    name = "harbor_label"
    options = dict(
        name=dict(type="str", required=True),
        project=dict(type="str"),
        color=dict(type="str", default=""),
        description=dict(type="str", default=""),
    )

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['name']}" if wanted.get("project") else str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        if wanted["color"] and not re.fullmatch(r"#[0-9A-Fa-f]{6}", wanted["color"]):
            return f"label {self.key(wanted)}: a color as #0065AB is expected, but it is {wanted['color']!r}: correct it."
        return ""

    def _where(self, wanted: Tree) -> Tree:
        return {"scope": "p", "project_id": self.number(wanted)} if wanted.get("project") else {"scope": "g"}

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all("/labels", name=wanted["name"], **self._where(wanted))
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"color": wanted["color"], "description": wanted["description"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"color": found.get("color", ""), "description": found.get("description", "")}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", "/labels", {"name": wanted["name"], **self._where(wanted), **self.desired(wanted)})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        where = {name: found[name] for name in ("scope", "project_id") if name in found}
        self.client.write("PUT", f"/labels/{found['id']}", {"name": wanted["name"], **where, **self.desired(wanted)})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/labels/{found['id']}")


def size(text: t.Any) -> int | None:
    """Bytes of C(500 GiB), C(1048576) or C(-1); None of anything else."""
    found = re.fullmatch(r"(-1|[1-9]\d*) ?([KMGT]iB)?", str(text).strip())
    if not found or (found[1] == "-1" and found[2]):
        return None
    return int(found[1]) * _UNITS[found[2] or ""]


def _words(metadata: Tree) -> dict[str, str]:
    """Harbor keeps all of a project's metadata as text."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in metadata.items()}
