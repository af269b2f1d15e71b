# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a killed run of Ansible has left on a host. In no list: each run looks for it.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._host import POLICY_RC_D
from ...module_utils._prediction import Tree
from .base import Change, Resource, Seen, Step, World


class Leftover(Resource):
    """A forbidding policy-rc.d of ours, or what ansible-core put there for a run, with its arguments in it, see module_utils/_host.py."""

    kind = "leftover"
    spec: t.ClassVar[dict[str, t.Any]] = {}

    def actual(self, seen: Seen) -> Tree | None:
        return {"present": self.key in leftovers(seen)}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        seen["policy_rc_d"] = "absent" if key == POLICY_RC_D else seen["policy_rc_d"]
        seen["left_modules"] = [path for path in seen["left_modules"] if path != key]

    def plan(self, world: World) -> Change | None:
        step = Step("ansible.builtin.file", {"path": self.key, "state": "absent"})
        return Change(self, {"present": True}, {"present": False}, ("removes what an interrupted run left behind",), (step,))


def leftovers(seen: Seen) -> list[str]:
    """Their paths."""
    return [*([POLICY_RC_D] if seen["policy_rc_d"] == "ours" else []), *seen["left_modules"]]
