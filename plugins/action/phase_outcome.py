# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._prediction import RESULT_KEY, prediction
from ..plugin_utils._ledger import Ledger
from ..plugin_utils._roadmap import files


class ActionModule(ActionBase):
    """Says for each roadmap module of a phase what became of it, so that nothing is left out in silence, and accepts what was asked for."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        if "modules" not in self._task.args:
            raise AnsibleActionFail("phase_outcome: modules is expected, but not given.")
        ledger = Ledger(constants.DEFAULT_LOCAL_TMP)
        tags, skipped = (sorted((task_vars or {}).get(f"ansible_{name}_tags") or []) for name in ("run", "skip"))
        outcomes, closed, done = [], [], []
        for module in self._task.args["modules"]:
            gate = module.get("gate") or {}
            finished = [host for host in module["hosts"] if host in ledger.finished(module["module"])]
            missing = [host for host in module["hosts"] if host not in finished]
            short, why = "", gate.get("reason") or ""
            if module["module"] in skipped:
                short, why = f"left out: --skip-tags {','.join(skipped)}", ""
            elif not {"all", module["module"]} & set(tags or ["all"]):
                short, why = f"left out: --tags {','.join(tags)}", ""
            elif not module["hosts"]:
                short, why = f"skipped: the group {module['group']} is empty", ""
            elif not gate.get("passes", True):
                short, why = "stopped by its gate", f": {why}"
                closed.append(f"{module['module']}: {gate['reason']}")
            else:
                told = "checked" if self._task.check_mode else "deployed and verified"
                parts = [f"{told} on {', '.join(finished)}"] if finished else []
                parts += [f"not brought to its end on {', '.join(missing)}"] if missing else []
                short, why = "; ".join(parts), f"; {why}" if why else ""
                done += [] if missing else [module["module"]]
            outcomes.append({"module": module["module"], "outcome": short + why, "short": short})
        accepted = self._accept(ledger, done)
        result.update(changed=bool(accepted), failed=bool(closed), gpulab_outcomes=outcomes)
        result[RESULT_KEY] = accepted
        result["msg"] = " ".join(closed) if closed else [f"{o['module']}: {o['outcome']}" for o in outcomes]
        return result

    def _accept(self, ledger: Ledger, done: t.Collection[str]) -> list[dict[str, t.Any]]:
        """A record for each approved request whose module was brought to its end on all of its hosts."""
        directory = str(self._task.args.get("requests") or "")
        accepted = []
        for request in files.read_requests(directory, files.read_roadmap().modules)[0] if directory else []:
            if request.state == "approved" and request.module in done:
                accepted.append(prediction("acceptance", files.record_of(directory, request.name), None, {"module": request.module}))
                if not self._task.check_mode:
                    files.accept(directory, request, ledger.verdicts(request.module))
        return accepted
