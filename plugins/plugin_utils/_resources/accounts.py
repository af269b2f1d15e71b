# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System users.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._prediction import Tree, difference, project, unknown
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World, become


class User(Resource):
    kind = "user"
    spec = dict(
        name=dict(type="str", required=True),
        home=dict(type="path", required=True),
        shell=dict(type="path", default="/usr/sbin/nologin"),
        comment=dict(type="str", default=""),
        create_home=dict(type="bool", default=False),
    )

    @property
    def key(self) -> str:
        return str(self.args["name"])

    def query(self) -> dict[str, t.Any]:
        return {"users": [self.key], "groups": [self.key]}

    def brings(self) -> set[Thing]:
        return {("user", self.key)}

    def actual(self, seen: Seen) -> Tree | None:
        return seen["users"].get(self.key)

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        become(seen["users"], key, after, {})

    def plan(self, world: World) -> Change | None:
        observed = world.seen["users"][self.key]
        # who is given no comment keeps his own
        asked = {name: self.args[name] for name in ("home", "shell", "comment") if self.args[name] or name != "comment"}
        desired = {**asked, "group": self.key}
        if observed is None:
            desired["uid"] = unknown("server_assigned")
        if observed is not None and not self._is_the_roles(observed, desired):
            raise self.error(
                f"the role's own account is expected to have the home {desired['home']} and the group {desired['group']}, but one is there with "
                f"{observed['home']} and {observed['group']}: it is somebody's, so rename it, or move its home and group if it shall be the role's."
            )
        after = difference(desired, observed)
        if not after:
            return None
        args = {"name": self.key, "system": True, "create_home": self.args["create_home"], **asked}
        steps = [Step("ansible.builtin.user", args)]
        if observed is None:
            group = world.seen["groups"].get(self.key)
            if group is not None and (group["members"] or not group["local"]):
                who = f"with {', '.join(group['members'])} in it" if group["members"] else "of a directory service, with whom nobody here knows in it"
                raise self.error(
                    f"a group of its own is expected to be free for it, but there is one {who}, who could then read what is the role's: rename that group."
                )
            # useradd makes none of a name that is taken, and none at all where login.defs says so
            args["group"] = self.key
            steps[:0] = [Step("ansible.builtin.group", {"name": self.key, "system": True})] if group is None else []
        return Change(self, None if observed is None else project(observed, after), after, (), tuple(steps))

    def _is_the_roles(self, observed: Tree, desired: Tree) -> bool:
        """One whose home moves with a variable of the role still says by its comment whose it is."""
        mine = bool(self.args["comment"]) and observed["comment"] == self.args["comment"]
        return bool(observed["group"] == desired["group"] and (mine or observed["home"] == desired["home"]))
