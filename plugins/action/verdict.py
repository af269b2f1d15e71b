# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._ledger import Ledger


class ActionModule(ActionBase):
    """Verdicts on what was read back: ok, pending (this dry run would first bring it), or a failure with a sentence."""

    _supports_check_mode = True
    _requires_connection = False

    @classmethod
    def finalize_task_arg(cls, name: str, value: t.Any, templar: t.Any, context: t.Any) -> t.Any:
        # rendered one by one, and only what is needed: a sentence on what was not found cannot be rendered when it was found
        return value if name in ("list", "pending", "that", "measured", "otherwise") else super().finalize_task_arg(name, value, templar, context)

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        verdicts = [self._judge(item) for item in args.get("list", [args]) if self._all(item.get("when", []))]
        failed = [v["measured"] for v in verdicts if v["verdict"] == "failed"]
        result.update(changed=False, failed=bool(failed), msg=" ".join(failed) or "; ".join(str(v["measured"] or v["verdict"]) for v in verdicts))
        result["gpulab_verdicts"] = verdicts
        if self._task._role:
            role = self._task._role.get_name().rpartition(".")[2]
            Ledger(constants.DEFAULT_LOCAL_TMP).note_verdicts((task_vars or {})["inventory_hostname"], role, verdicts)
        return result

    def _judge(self, item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        lacking = [k for k in ("subject", "that", "otherwise") if k not in item]
        if lacking:
            raise AnsibleActionFail(f"verdict: {', '.join(lacking)} is expected, but not given.")
        subject, pending = (self._templar.template(item.get(name)) for name in ("subject", "pending"))
        if pending:
            reason = pending if isinstance(pending, str) else "this run would first bring what is to be verified"
            return {"subject": subject, "verdict": "pending", "measured": reason}
        holds = self._all(item["that"])
        told = item.get("measured", "") if holds else item["otherwise"]
        return {"subject": subject, "verdict": "ok" if holds else "failed", "measured": self._templar.template(told)}

    def _all(self, conditions: t.Any) -> bool:
        return all(self._templar.evaluate_conditional(c) for c in (conditions if isinstance(conditions, list) else [conditions]))
