# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._calls import lacks


class ActionModule(ActionBase):
    """Judges the call alone, so that it can speak on any host that is left."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args, variables = self._task.args, task_vars or {}
        asked = [*(args.get("variables") or {}), *(args.get("hosts") or {})]
        given = {name: self._templar.template(variables[name]) for name in asked if name in variables}
        said = lacks(args, given, variables["groups"], variables["ansible_play_hosts_all"])
        if said:
            raise AnsibleActionFail(said)
        result.update(changed=False, msg="The call names what it needs.")
        return result
