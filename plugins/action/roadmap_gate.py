# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Judges whether a roadmap module may be deployed. Changes nothing and never fails for a closed gate."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        if "module" not in args:
            raise AnsibleActionFail("roadmap_gate: module is expected, but not given.")
        declared = args.get("declared") or {}
        missing = [p for p in args.get("preconditions") or [] if not declared.get(p["name"])]
        sentences = [
            f"{args['module']} expects {p['meaning']}, and the inventory does not declare it: when it holds, set {p['name']}: true in lab_preconditions."
            for p in missing
        ]
        state = "closed" if missing else "open"
        result.update(changed=False, state=state, msg=" ".join(sentences) or f"The gate of {args['module']} is open.")
        result["gpulab_gate"] = {"module": args["module"], "state": state, "reason": " ".join(sentences)}
        return result
