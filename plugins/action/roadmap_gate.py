# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ..module_utils._roadmap.judge import judge
from ..module_utils._roadmap.model import Override, Reading, Roadmap, RoadmapError, load

_ROADMAP = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "playbooks", "files", "roadmap.yml")


class ActionModule(ActionBase):
    """Judges whether a roadmap module may be deployed. Changes nothing and never fails for a gate that is not open."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        now = time.time()
        try:
            roadmap = self._roadmap(str(args.get("roadmap") or _ROADMAP))
            if args.get("module") not in roadmap.modules:
                raise RoadmapError(f"One of the roadmap's modules {', '.join(roadmap.modules)} is expected, but given is {args.get('module')!r}: correct it.")
            overrides = [Override.from_dict(entry) for entry in args.get("overrides") or []]
            gate = judge(roadmap.modules[args["module"]], _known(roadmap, args.get("evidence") or {}, args.get("declared") or {}, now), overrides, now)
        except RoadmapError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        conditions = [
            {"evidence": j.condition.evidence.key, "state": j.state, "found": j.found, "source": j.source, "limit": j.condition.limit} for j in gate.judgements
        ]
        told = gate.reason or f"The gate of {gate.module} is open."
        result.update(changed=False, state=gate.state, passes=gate.passes, conditions=conditions, msg=told)
        result["gpulab_gate"] = {"module": gate.module, "state": gate.state, "passes": gate.passes, "reason": gate.reason}
        return result

    def _roadmap(self, path: str) -> Roadmap:
        try:
            with open(path, encoding="utf-8") as handle:
                return load(yaml_load(handle), path)
        except OSError as exc:
            raise RoadmapError(f"The roadmap is expected at {path}, but it cannot be read: {exc.strerror}. Correct the path.") from exc


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
