# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom Harbor tells what happens in a project.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._prediction import Tree
from .base import InProject

EVENTS = (
    "PUSH_ARTIFACT",
    "PULL_ARTIFACT",
    "DELETE_ARTIFACT",
    "QUOTA_EXCEED",
    "QUOTA_WARNING",
    "SCANNING_FAILED",
    "SCANNING_STOPPED",
    "SCANNING_COMPLETED",
    "REPLICATION",
    "TAG_RETENTION",
)


class Webhook(InProject):
    """Whoever knows its address can post there, so that it is a secret."""

    name = "harbor_webhook"
    options = dict(
        project=dict(type="str", required=True),
        name=dict(type="str", required=True),
        address=dict(type="str", no_log=True),
        kind=dict(type="str", choices=["http", "slack"], default="http"),
        payload=dict(type="str", choices=["Default", "CloudEvents"], default="Default"),
        events=dict(type="list", elements="str", choices=list(EVENTS), default=[]),
        insecure=dict(type="bool", default=False),
        enabled=dict(type="bool", default=True),
    )
    hidden = frozenset(("address",))

    def key(self, wanted: Tree) -> str:
        return f"{wanted['project']}/{wanted['name']}"

    def problem(self, wanted: Tree) -> str:
        if wanted["state"] == "absent":
            return ""
        if not re.match(r"https?://[^/\s]+", wanted.get("address") or ""):
            return f"webhook {self.key(wanted)}: an address as https://ci.example/hook is expected, but it is none: correct it."
        return "" if wanted["events"] else f"webhook {self.key(wanted)}: events are expected, but none is given: say of what it shall be told."

    def found(self, wanted: Tree) -> Tree | None:
        number = self.number(wanted)
        rows = self.client.all(f"/projects/{number}/webhook/policies")
        return next((row for row in rows if row["name"] == wanted["name"]), None)

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {**{name: wanted[name] for name in ("address", "kind", "payload", "insecure", "enabled")}, "events": sorted(wanted["events"])}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        target = (found.get("targets") or [{}])[0]
        told = {"address": target.get("address", ""), "kind": target.get("type", ""), "payload": target.get("payload_format", "Default")}
        more = {"insecure": target.get("skip_cert_verify", False), "enabled": found.get("enabled", False), "events": sorted(found["event_types"])}
        return {**told, **more}

    def _body(self, wanted: Tree) -> Tree:
        target = {"type": wanted["kind"], "address": wanted["address"], "skip_cert_verify": wanted["insecure"], "payload_format": wanted["payload"]}
        return {"name": wanted["name"], "targets": [target], "event_types": wanted["events"], "enabled": wanted["enabled"]}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", f"/projects/{self.number(wanted)}/webhook/policies", self._body(wanted))

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", f"/projects/{found['project_id']}/webhook/policies/{found['id']}", {**self._body(wanted), "id": found["id"]})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("DELETE", f"/projects/{found['project_id']}/webhook/policies/{found['id']}")
