# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._networks import NetworkError, load


class ActionModule(ActionBase):
    """Judges the addresses of the lab from the inventory alone."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        try:
            found = load(self._task.args.get("networks") or {}, {str(host): str(at) for host, at in (self._task.args.get("hosts") or {}).items()})
        except NetworkError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        said = " ".join(found.derived) or ("" if found.cidrs else "lab_networks declares none, so that hosts are reached by the names of the inventory.")
        result.update(changed=False, networks=found.cidrs, addresses=found.addresses, msg=said or "as declared")
        return result
