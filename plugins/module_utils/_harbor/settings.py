# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Harbor has once: schedules and settings.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from .._json_api import ApiError
from .._prediction import Tree, unknown
from .base import HarborKind, cron_problem


class GarbageCollection(HarborKind):
    """When layers go that no image has any more. Harbor keeps one schedule, and takes a second one for a change of it."""

    name = "harbor_gc_schedule"
    options = dict(
        cron=dict(type="str", default="0 0 2 * * *"),
        delete_untagged=dict(type="bool", default=True),
        workers=dict(type="int", default=1),
    )
    _path = "/system/gc/schedule"

    def key(self, wanted: Tree) -> str:
        return "gc"

    def problem(self, wanted: Tree) -> str:
        return "" if wanted["state"] == "absent" else cron_problem("the schedule of garbage collection", wanted["cron"])

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.get(self._path)
        return t.cast("Tree", found) if found and (found.get("schedule") or {}).get("type") not in (None, "None") else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {name: wanted[name] for name in ("cron", "delete_untagged", "workers")}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        told = json.loads(found.get("job_parameters") or "{}")
        return {"cron": found["schedule"]["cron"], "delete_untagged": told.get("delete_untagged", False), "workers": told.get("workers", 1)}

    def create(self, wanted: Tree) -> t.Any:
        parameters = {"delete_untagged": wanted["delete_untagged"], "workers": wanted["workers"], "dry_run": False}
        return self.client.write("PUT", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}, "parameters": parameters})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.create(wanted)

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "None", "cron": ""}})


class ScanAll(HarborKind):
    """When all images are looked at for known weaknesses, which takes a scanner."""

    name = "harbor_scan_all"
    options = dict(
        cron=dict(type="str", default="0 0 3 * * 0"),
    )
    _path = "/system/scanAll/schedule"

    def key(self, wanted: Tree) -> str:
        return "scan_all"

    def problem(self, wanted: Tree) -> str:
        return "" if wanted["state"] == "absent" else cron_problem("the schedule of scans", wanted["cron"])

    def found(self, wanted: Tree) -> Tree | None:
        found = self.client.get(self._path)
        return t.cast("Tree", found) if found and (found.get("schedule") or {}).get("type") not in (None, "None") else None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        return {"cron": wanted["cron"]}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"cron": found["schedule"]["cron"]}

    def create(self, wanted: Tree) -> t.Any:
        return self.client.write("POST", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}})

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "Custom", "cron": wanted["cron"]}})

    def delete(self, wanted: Tree, found: Tree) -> None:
        self.client.write("PUT", self._path, {"schedule": {"type": "None", "cron": ""}})


class Setting(HarborKind):
    """Harbor takes settings that it does not know without a word, so they are looked for."""

    name = "harbor_configuration"
    asks = True
    options = dict(
        name=dict(type="str", required=True),
        value=dict(type="raw", no_log=False),
        secret=dict(type="bool", default=False, no_log=False),
    )
    untold = frozenset(("value",))

    def problem(self, wanted: Tree) -> str:
        return f"setting {wanted['name']} is expected to have a value, but Harbor removes no setting: give it one." if wanted["state"] == "absent" else ""

    def found(self, wanted: Tree) -> Tree | None:
        known = self.client.get("/configurations")
        if wanted["secret"]:
            return {"secret": True}
        if "value" not in known.get(wanted["name"], {}):
            near = difflib.get_close_matches(wanted["name"], known, 1)
            raise ApiError(f"setting {wanted['name']} is expected to be one of Harbor's, but is none{f' (is {near[0]} meant?)' if near else ''}: correct it.")
        return t.cast("Tree", known[wanted["name"]])

    def _value(self, wanted: Tree, found: Tree) -> t.Any:
        """What is wanted, in the type that Harbor has for it; Ansible often makes a text of a number."""
        text = str(wanted["value"])
        if isinstance(found["value"], bool):
            if text.lower() in ("true", "yes", "false", "no"):
                return text.lower() in ("true", "yes")
        elif isinstance(found["value"], int):
            if re.fullmatch(r"-?\d+", text):
                return int(text)
        else:
            return text
        kind = "true or false" if isinstance(found["value"], bool) else "a whole number"
        raise ApiError(f"setting {wanted['name']} is expected to be {kind}, but is {wanted['value']!r}: correct it.")

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        if wanted["secret"] or found is None:
            return {"value": unknown("secret")}
        value = self._value(wanted, found)
        if value != found["value"] and not found.get("editable"):
            raise ApiError(
                f"setting {wanted['name']} is expected to be {value!r}, but is {found['value']!r}, and this Harbor does not let it be changed "
                "(the way to log in, for example, is fixed once there are users): leave it, or begin with a new Harbor."
            )
        return {"value": value}

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        return {"value": None if wanted["secret"] else found["value"]}

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        self.client.write("PUT", "/configurations", {wanted["name"]: wanted["value"] if wanted["secret"] else self._value(wanted, found)})
