# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._host import others_read
from ..module_utils._prediction import RESULT_KEY
from ..plugin_utils._actions import HostAction

# option of resources_info -> kind in the ledger
_KINDS = {"packages": "package", "paths": "path", "users": "user", "units": "unit", "python_envs": "path"}


class ActionModule(HostAction):
    """Says C(pending) when this dry run has predicted a change of something that is asked for, and then waits for nothing: it does not come."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        asked = {(kind, name) for option, kind in _KINDS.items() for name in self._task.args.get(option) or []}
        waiting = asked & self._ledger.pending(self._host) if self._task.check_mode else set()
        args = {**self._task.args, **({"wait_seconds": 0} if waiting else {})}
        result.update(self._read("gpulab.expansion.resources_info", args))
        result.pop(RESULT_KEY, None)
        for seen in filter(None, result.get("paths", {}).values()):
            if "sha256" in seen and not others_read(seen["mode"]):
                del seen["sha256"]  # a digest of a password lets it be guessed offline
        result["state"] = "pending" if waiting else "present"
        return result
