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
from ..plugin_utils._roadmap.model import Module, Roadmap, RoadmapError


class ActionModule(ActionBase):
    """Says for each roadmap module of a phase what became of it, so that nothing is left out in silence, and accepts what was asked for."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args, variables = self._task.args, task_vars or {}
        try:
            roadmap = files.read_roadmap(args.get("roadmap"))
        except RoadmapError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        phase = int(args["phase"]) if str(args.get("phase")).isdigit() else None
        if phase not in roadmap.phases:
            raise AnsibleActionFail(f"phase_outcome: phase is expected to be one of {', '.join(map(str, roadmap.phases))}, but is {args.get('phase')!r}.")
        ledger = Ledger(constants.DEFAULT_LOCAL_TMP)
        outcomes, closed, done = [], [], []
        for module in roadmap.deployable(phase):
            hosts = list(dict.fromkeys(host for group in module.groups for host in variables["groups"].get(group, [])))
            finished = [host for host in hosts if host in ledger.finished(module.key)]
            missing = [host for host in hosts if host not in finished]
            gate = ledger.gate(module.key)
            # another module's play may have brought it along
            short, why = "" if finished else _left_out(module, variables), gate.get("reason") or ""
            if short:
                why = ""
            elif not gate.get("passes", True):
                short, why = "stopped by its gate", f": {why}"
                closed.append(f"{module.key}: {gate['reason']}")
            else:
                told = "checked" if self._task.check_mode else "deployed and verified"
                parts = [f"{told} on {', '.join(finished)}"] if finished else []
                parts += [f"not brought to its end on {', '.join(missing)}"] if missing else []
                short, why = "; ".join(parts), f"; {why}" if why else ""
                done += [] if missing else [module.key]
            outcomes.append({"module": module.key, "outcome": short + why, "short": short})
        accepted = self._accept(ledger, roadmap, done)
        result.update(changed=bool(accepted), failed=bool(closed), gpulab_outcomes=outcomes)
        result[RESULT_KEY] = accepted
        result["msg"] = " ".join(closed) if closed else [f"{o['module']}: {o['outcome']}" for o in outcomes]
        return result

    def _accept(self, ledger: Ledger, roadmap: Roadmap, done: t.Collection[str]) -> list[dict[str, t.Any]]:
        """A record for each approved request whose module was brought to its end on all of its hosts."""
        directory = str(self._task.args.get("requests") or "")
        accepted = []
        for request in files.read_requests(directory, roadmap.modules)[0] if directory else []:
            if request.state == "approved" and request.module in done:
                accepted.append(prediction("acceptance", files.record_of(directory, request.name), None, {"module": request.module}))
                if not self._task.check_mode:
                    files.accept(directory, request, ledger.verdicts(request.module))
        return accepted


def _left_out(module: Module, variables: t.Mapping[str, t.Any]) -> str:
    """By tags or by the inventory; empty when it is not."""
    tags, skipped = (sorted(variables.get(f"ansible_{name}_tags") or []) for name in ("run", "skip"))
    if module.key in skipped:
        return f"left out: --skip-tags {','.join(skipped)}"
    if not {"all", module.key} & set(tags or ["all"]):
        return f"left out: --tags {','.join(tags)}"
    return "" if any(variables["groups"].get(group) for group in module.groups) else f"skipped: the group {module.groups[0]} is empty"
