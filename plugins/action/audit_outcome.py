# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._audit import POLICIES, broken, document
from ..plugin_utils._ledger import Ledger


class ActionModule(ActionBase):
    """Fails by the lab's policy, so that a pipeline has an exit code. The records are those that the callback has kept."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        policy = self._task.args.get("fail_on", ["drift", "violation"])
        policy = [policy] if isinstance(policy, str) else list(policy)
        wrong = [kind for kind in policy if kind not in POLICIES]
        if wrong:
            raise AnsibleActionFail(f"audit_fail_on is expected to be some of {', '.join(POLICIES)}, but has {', '.join(map(str, wrong))}: correct it.")
        ledger = Ledger(constants.DEFAULT_LOCAL_TMP)
        records = ledger.records()
        if not records:
            raise AnsibleActionFail(
                "The callback gpulab.expansion.audit_report is expected to be enabled, but is not: add it to callbacks_enabled in ansible.cfg, "
                "or set ANSIBLE_CALLBACKS_ENABLED."
            )
        told = broken(document(records, ledger.deployed(), "", 0.0, None), policy)
        result.update(changed=False, failed=bool(told), msg=" ".join(told) or "Nothing that the policy forbids.")
        result["gpulab_policy"] = {"broken": told}  # its failure is the policy's, and no failure of the lab
        return result
