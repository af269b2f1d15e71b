# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._roadmap import files
from ..plugin_utils._roadmap.model import RoadmapError


class ActionModule(ActionBase):
    """Reads the lab's requests. A file that is none is told, and is no failure."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        directory = str(args.get("directory") or "")
        try:
            modules = files.read_roadmap(args.get("roadmap")).modules
        except RoadmapError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        found, wrong = files.read_requests(directory, modules) if directory else ([], [])
        result.update(changed=False, requests=[request.as_dict() for request in found], wrong=wrong)
        result["msg"] = " ".join(wrong) or f"{len(found)} requests."
        result["gpulab_requests"] = {"kept": bool(directory) and os.path.isdir(directory), "requests": result["requests"], "wrong": wrong}
        return result
