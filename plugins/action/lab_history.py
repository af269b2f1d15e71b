# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail

from ..plugin_utils._actions import HostAction
from ..plugin_utils._roadmap import files
from ..plugin_utils._roadmap.evidence import windows
from ..plugin_utils._roadmap.model import RoadmapError
from ..plugin_utils._thresholds.action import thresholds
from ..plugin_utils._thresholds.model import ThresholdError


class ActionModule(HostAction):
    """Asks Prometheus, once for all hosts, for everything that gates and thresholds want to know."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        args = dict(self._task.args)
        try:
            roadmap = files.read_roadmap(args.pop("roadmap", None))
            limits = thresholds(args.pop("thresholds", None) or {})
        except (RoadmapError, ThresholdError) as exc:
            raise AnsibleActionFail(str(exc)) from exc
        queries = {key: {"query": roadmap.evidence[key].query, "window": window} for key, window in windows(roadmap).items()}
        queries.update({key: {"query": limit.query, "window": limit.window} for key, limit in limits.items() if limit.query})
        result.update(self._execute_module(module_name="gpulab.expansion.prometheus_info", module_args={**args, "queries": queries}, task_vars=task_vars))
        result["gpulab_prometheus"] = {"state": result.get("state"), "reason": result.get("reason", "")}
        return result
