# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other registries, and which images go there or come from there.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from urllib.parse import urlsplit

from .._json_api import ApiError
from .._objects import Coming
from .._prediction import Tree, unknown
from .base import HarborKind, cron_problem, endpoint_number

TYPES = (
    "docker-registry",
    "docker-hub",
    "harbor",
    "ali-acr",
    "aws-ecr",
    "azure-acr",
    "dtr",
    "github-ghcr",
    "gitlab",
    "google-gcr",
    "huawei-SWR",
    "jfrog-artifactory",
    "quay",
    "tencent-tcr",
    "volcengine-cr",
)


class Endpoint(HarborKind):
    """Another registry. Harbor tells its secret only as stars, so that one cannot be compared."""

    name = "harbor_registry_endpoint"
    options = dict(
        name=dict(type="str", required=True),
        type=dict(type="str", choices=list(TYPES), default="docker-registry"),
        endpoint=dict(type="str"),
        insecure=dict(type="bool", default=False),
        access_key=dict(type="str", default="", no_log=False),
        access_secret=dict(type="str", no_log=True),
        renew_secret=dict(type="bool", default=False, no_log=False),
        description=dict(type="str", default=""),
    )
    untold = frozenset(("access_secret",))

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "present" and not re.match(r"https?://[^/\s]+", wanted["endpoint"] or ""):
            return f"endpoint {wanted['name']}: an address as https://registry.example is expected, but it is {wanted['endpoint']!r}: correct endpoint."
        if wanted["state"] == "present" and "@" in urlsplit(wanted["endpoint"]).netloc:
            return (
                f"endpoint {wanted['name']}: an address without user and password is expected, because everybody may see it, but it has them: "
                "put them into access_key and access_secret."
            )
        if wanted["access_key"] and not wanted.get("access_secret"):
            return f"endpoint {wanted['name']}: access_secret is expected beside access_key, but is not given: give both, or none."
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        return next(iter(self.client.where("/registries", "name", wanted["name"])), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        told = {"type": wanted["type"], "endpoint": wanted["endpoint"], "insecure": wanted["insecure"], "description": wanted["description"]}
        return {**told, "access_key": wanted["access_key"], **({"access_secret": unknown("secret")} if wanted["renew_secret"] else {})}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        if found["type"] != wanted["type"]:
            raise ApiError(
                f"endpoint {wanted['name']} is expected to be of type {wanted['type']}, but is {found['type']}, and Harbor changes none: "
                "give the new one another name."
            )
        told = {"type": found["type"], "endpoint": found["url"], "insecure": found["insecure"], "description": found.get("description", "")}
        return {**told, "access_key": (found.get("credential") or {}).get("access_key", "")}

    def create(self, wanted: Tree) -> t.Any:
        body = {"name": wanted["name"], "type": wanted["type"], "url": wanted["endpoint"], "insecure": wanted["insecure"], "description": wanted["description"]}
        secret = {"type": "basic", "access_key": wanted["access_key"], "access_secret": wanted["access_secret"]} if wanted["access_key"] else None
        return self.client.write("POST", "/registries", {**body, **({"credential": secret} if secret else {})})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        names = {"endpoint": "url", "insecure": "insecure", "description": "description", "access_key": "access_key"}
        body = {there: wanted[here] for here, there in names.items() if here in differing}
        if wanted["access_key"] and differing & {"access_key", "access_secret"}:
            body.update(credential_type="basic", access_key=wanted["access_key"], access_secret=wanted["access_secret"])
        self.client.write("PUT", f"/registries/{found['id']}", body)

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/registries/{found['id']}")


class Replication(HarborKind):
    """Which images go to another registry, or come from it. Harbor tells no flag that is false, and a speed of -1 as 0."""

    name = "harbor_replication_policy"
    options = dict(
        name=dict(type="str", required=True),
        source=dict(type="str", default=""),
        destination=dict(type="str", default=""),
        namespace=dict(type="str", default=""),
        flatten=dict(type="int", default=-1),
        repositories=dict(type="str", default="**"),
        tags=dict(type="str", default="**"),
        trigger=dict(type="str", choices=["manual", "scheduled", "event_based"], default="manual"),
        cron=dict(type="str", default=""),
        override=dict(type="bool", default=True),
        deletion=dict(type="bool", default=False),
        speed=dict(type="int", default=-1),
        enabled=dict(type="bool", default=True),
    )

    def problem(self, wanted: Tree) -> str:
        what = f"replication {wanted['name']}"
        if wanted["state"] == "absent":
            return ""
        if bool(wanted["source"]) == bool(wanted["destination"]):
            return f"{what}: source or destination is expected, an endpoint, because the other one is this Harbor, but there are both or none: give one."
        if (wanted["trigger"] == "scheduled") != bool(wanted["cron"]):
            return f"{what}: a cron is expected with trigger scheduled and with no other, but the trigger is {wanted['trigger']}: correct one of them."
        if wanted["trigger"] == "event_based" and wanted["source"]:
            return f"{what}: a trigger manual or scheduled is expected, because another registry tells no events, but it is event_based: correct it."
        return cron_problem(what, wanted["cron"]) if wanted["cron"] else ""

    def found(self, wanted: Tree) -> Tree | None:
        rows = self.client.all("/replication/policies", name=wanted["name"])
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def _endpoint(self, wanted: Tree) -> int:
        return endpoint_number(self, f"replication {wanted['name']}", wanted["source"] or wanted["destination"])

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if self._client:
            with contextlib.suppress(Coming):
                self._endpoint(wanted)  # also a dry run says that it is not there
        plain = ("source", "destination", "namespace", "flatten", "trigger", "cron", "repositories", "tags", "override", "deletion", "enabled", "speed")
        return {name: wanted[name] for name in plain}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        trigger = found.get("trigger") or {}
        filters = {row["type"]: row["value"] for row in found.get("filters") or []}
        names = {side: (found.get(f"{there}_registry") or {}) for side, there in (("source", "src"), ("destination", "dest"))}
        return {
            **{side: told.get("name", "") if told.get("id") else "" for side, told in names.items()},
            "namespace": found.get("dest_namespace", ""),
            "flatten": found.get("dest_namespace_replace_count", -1),
            "trigger": trigger.get("type", "manual"),
            "cron": (trigger.get("trigger_settings") or {}).get("cron", ""),
            "repositories": filters.get("name", "**"),
            "tags": filters.get("tag", "**"),
            "override": found.get("override", False),
            "deletion": found.get("replicate_deletion", found.get("deletion", False)),
            "enabled": found.get("enabled", False),
            "speed": found.get("speed") or -1,
        }

    def _body(self, wanted: Tree) -> Tree:
        filters = [{"type": kind, "value": wanted[name]} for kind, name in (("name", "repositories"), ("tag", "tags")) if wanted[name] != "**"]
        return {
            "name": wanted["name"],
            "src_registry" if wanted["source"] else "dest_registry": {"id": self._endpoint(wanted)},
            "dest_namespace": wanted["namespace"],
            "dest_namespace_replace_count": wanted["flatten"],
            "trigger": {"type": wanted["trigger"], "trigger_settings": {"cron": wanted["cron"]}},
            "filters": filters,
            # 2.16 calls deletion deprecated, reads that name alone, and tells both
            **dict.fromkeys(("deletion", "replicate_deletion"), wanted["deletion"]),
            **{name: wanted[name] for name in ("override", "enabled", "speed")},
        }

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", "/replication/policies", self._body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/replication/policies/{found['id']}", self._body(wanted))

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/replication/policies/{found['id']}")
