# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Says for each roadmap module of a phase what became of it, so that nothing is left out in silence."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        if "modules" not in self._task.args:
            raise AnsibleActionFail("phase_outcome: modules is expected, but not given.")
        outcomes, closed = [], []
        for module in self._task.args["modules"]:
            gate = module.get("gate") or {}
            if not module["hosts"]:
                outcome = f"skipped: the group {module['group']} is empty"
            elif not gate.get("passes", True):
                outcome = f"stopped by its gate: {gate['reason']}"
                closed.append(f"{module['module']}: {gate['reason']}")
            else:
                done = "predicted" if self._task.check_mode else "deployed and verified"
                outcome = f"{done} on {', '.join(module['hosts'])}" + (f"; {gate['reason']}" if gate.get("reason") else "")
            outcomes.append({"module": module["module"], "outcome": outcome})
        result.update(changed=False, failed=bool(closed), gpulab_outcomes=outcomes)
        result["msg"] = " ".join(closed) if closed else [f"{o['module']}: {o['outcome']}" for o in outcomes]
        return result
