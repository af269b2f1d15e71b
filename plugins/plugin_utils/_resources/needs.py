# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host must have already, because no role makes it. A run would fail without, late and somewhere else.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._prediction import Tree
from .base import Change, Resource, Seen, World


class Needs(Resource):
    kind = "needs"
    spec: t.ClassVar[dict[str, t.Any]] = dict(directory=dict(type="path"), address_of=dict(type="str"), set_by=dict(type="str", required=True))

    @property
    def key(self) -> str:
        return str(self.args["directory"] or self.args["address_of"])

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key]} if self.args["directory"] else {"addresses": [self.key]}

    def actual(self, seen: Seen) -> Tree | None:
        return None

    def plan(self, world: World) -> Change | None:
        if self.args["directory"]:
            found = world.seen["paths"][self.key]
            if ("path", self.key) not in world.pending and (found is None or found["type"] == "file"):
                raise self.error(
                    f"it is expected to be a directory on this host, too, because {self.args['set_by']} names it, but {'a file' if found else 'nothing'} is "
                    f"there: make it, or correct {self.args['set_by']}."
                )
        elif not world.seen["addresses"][self.key]:
            raise self.error(
                f"this host is expected to find the address of {self.key}, but does not: add it to DNS or to /etc/hosts there, or correct "
                f"{self.args['set_by']}."
            )
        return None
