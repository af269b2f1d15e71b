# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that an earlier version of a role, or an input that is gone, has left. Never data: a role names each file that it once
wrote, and a text by which it knows it for its own, where others may write a file of that name.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import typing as t

from ...module_utils._prediction import Tree
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World


class Absent(Resource):
    kind = "absent"
    spec: t.ClassVar[dict[str, t.Any]] = dict(path=dict(type="path", required=True), holds=dict(type="str", default=""))

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key, posixpath.dirname(self.key)], "contents": [self.key] if self.args["holds"] else []}

    def actual(self, seen: Seen) -> Tree | None:
        return {"present": seen["paths"].get(self.key) is not None}

    def brings(self) -> set[Thing]:
        """Whoever read it reads it no more."""
        return {("content", self.key)}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        if key in seen["paths"]:
            seen["paths"][key] = None

    def plan(self, world: World) -> Change | None:
        observed = world.seen["paths"][self.key]
        if observed is None:
            return None
        if observed["type"] != "file":
            raise self.error(f"a file that an earlier version wrote is expected there, but a {observed['type']} is found: remove it yourself if it shall go.")
        if self.args["holds"] and self.args["holds"] not in world.seen["contents"].get(self.key, ""):
            return None  # somebody else's file of that name
        self.require_writable(world)
        step = Step("ansible.builtin.file", {"path": self.key, "state": "absent"})
        return Change(self, {"present": True}, {"present": False}, ("removes what an earlier version wrote",), (step,))
