# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._ledger import Ledger
from ..plugin_utils._roadmap import files
from ..plugin_utils._roadmap.judge import Gate, judge
from ..plugin_utils._roadmap.model import Override, Reading, Roadmap, RoadmapError
from ..plugin_utils._roadmap.requests import missing


class ActionModule(ActionBase):
    """Judges whether a roadmap module may be deployed. Changes nothing and never fails for a gate that is not open."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        now = time.time()
        try:
            roadmap = files.read_roadmap(args.get("roadmap"))
            wanted = [args["module"]] if args.get("module") else list(roadmap.modules)
            if wanted[0] not in roadmap.modules:
                raise RoadmapError(f"One of the roadmap's modules {', '.join(roadmap.modules)} is expected, but given is {wanted[0]!r}: correct it.")
            overrides = [Override.from_dict(entry) for entry in args.get("overrides") or []]
            known = _known(roadmap, args.get("evidence") or {}, args.get("declared") or {}, now)
            gates = [judge(roadmap.modules[key], known, overrides, now) for key in wanted]
        except RoadmapError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        if args.get("requests") and not self._task.check_mode:
            gates = [_approved(gate, str(args["requests"]), roadmap) for gate in gates]
        told = [_told(gate, roadmap) for gate in gates]
        if args.get("module"):
            result.update({key: value for key, value in told[0].items() if key in ("state", "passes", "reason", "conditions")})
            if not told[0]["passes"]:
                result["warnings"] = [told[0]["reason"]]  # a playbook of one module has no outcome that says it
            Ledger(constants.DEFAULT_LOCAL_TMP).note_gate(told[0]["module"], {key: told[0][key] for key in ("passes", "reason")})
        result.update(changed=False, msg=" ".join(gate["reason"] or f"The gate of {gate['module']} is open." for gate in told), gpulab_gates=told)
        return result


def _told(gate: Gate, roadmap: Roadmap) -> dict[str, t.Any]:
    module = roadmap.modules[gate.module]
    conditions = [
        {
            "evidence": j.condition.evidence.key,
            "name": j.condition.evidence.name,
            "name_zh": j.condition.evidence.name_zh,
            "state": j.state,
            "found": j.found,
            "source": j.source,
            "operator": j.condition.operator,
            "limit": j.condition.limit,
            "unit": j.condition.evidence.unit,
            "window": j.condition.window,
            "share": j.condition.share,
        }
        for j in gate.judgements
    ]
    about = {key: getattr(module, key) for key in ("phase", "name", "name_zh", "urgency", "difficulty")}
    return {"module": gate.module, "state": gate.state, "passes": gate.passes, "reason": gate.reason, "conditions": conditions, **about}


def _approved(gate: Gate, directory: str, roadmap: Roadmap) -> Gate:
    """A lab that keeps requests deploys nothing that the team has not approved. A dry run is not asked."""
    if not os.path.isdir(directory):
        return gate
    found, wrong = files.read_requests(directory, roadmap.modules)
    why = missing(gate.module, found)
    return dataclasses.replace(gate, state="closed", reason=" ".join([why, *wrong, gate.reason]).strip()) if why else gate


def _known(roadmap: Roadmap, evidence: t.Mapping[str, t.Any], declared: t.Mapping[str, t.Any], now: float) -> dict[str, list[Reading]]:
    """Readings by evidence; what the inventory declares is one of them."""
    wrong = [name for name in [*evidence, *declared] if name not in roadmap.evidence]
    if wrong:
        raise RoadmapError(
            f"Evidence of the roadmap is expected in lab_preconditions ({', '.join(roadmap.evidence)}), but found is {', '.join(wrong)}: correct it."
        )
    known = {name: [Reading.from_dict(name, entry) for entry in entries] for name, entries in evidence.items()}
    for name, value in declared.items():
        if not isinstance(value, (bool, int, float)) or isinstance(value, bool) != (roadmap.evidence[name].unit == "truth"):
            wanted = "true or false" if roadmap.evidence[name].unit == "truth" else f"a number of {roadmap.evidence[name].unit}"
            raise RoadmapError(f"{name} in lab_preconditions is expected to be {wanted}, but is {value!r}: correct it in the inventory.")
        known.setdefault(name, []).append(Reading("declared", now, float(value)))
    return known
