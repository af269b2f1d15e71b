# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._roadmap import files
from ..plugin_utils._roadmap.evidence import from_hosts, from_prometheus, merged
from ..plugin_utils._roadmap.model import RoadmapError
from ..plugin_utils._thresholds.scale_out import plan


class ActionModule(ActionBase):
    """Puts together what hosts, Prometheus and the inventory say, each labelled with its source."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        now = time.time()
        try:
            roadmap = files.read_roadmap(args.get("roadmap"))
        except RoadmapError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        hosts = {host: _usage(told) for host, told in (args.get("hosts") or {}).items()}
        usages = {host: told["usage"] for host, told in hosts.items()}
        known = merged(from_prometheus(roadmap, args.get("history") or {}, now), from_hosts(usages, args.get("logs_host"), now))
        evidence = {key: readings for key, readings in known.items() if key in roadmap.evidence}
        users = next((reading["value"] for reading in evidence.get("users", []) if reading.get("value") is not None), None)
        users = users if users is not None else (args.get("declared") or {}).get("users")
        result.update(changed=False, evidence=evidence, phase=None if users is None else roadmap.phase_of(users))
        result["msg"] = f"Read {sum(usage is not None for usage in usages.values())} of {len(usages)} hosts."
        result["gpulab_evidence"] = {
            "readings": {key: [{k: v for k, v in reading.items() if k != "samples"} for reading in readings] for key, readings in evidence.items()},
            "declared": dict(args.get("declared") or {}),
            "phase": result["phase"],
            "horizontal": plan({host: told for host, told in hosts.items() if told["gpus"] is not None}),
        }
        return result


def _usage(told: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What was registered of a host, whose tasks may have failed or not have been run."""
    usage = told.get("usage") or {}
    gpus, links = told.get("gpus") or {}, told.get("links") or {}
    return {"usage": usage if "tasks" in usage else None, "gpus": gpus.get("gpus"), "links": links.get("links", [])}
