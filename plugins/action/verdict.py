# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """A verdict on what was read back: ok, pending (this dry run would first bring it), or a failure with a sentence."""

    _supports_check_mode = True
    _requires_connection = False

    @classmethod
    def finalize_task_arg(cls, name: str, value: t.Any, templar: t.Any, context: t.Any) -> t.Any:
        return value if name in ("that", "measured", "otherwise") else super().finalize_task_arg(name, value, templar, context)

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        lacking = [k for k in ("subject", "that", "otherwise") if k not in args]
        if lacking:
            raise AnsibleActionFail(f"verdict: {', '.join(lacking)} is expected, but not given.")
        if args.get("pending"):
            reason = args["pending"]
            verdict, measured = "pending", reason if isinstance(reason, str) else "this run would first bring what is to be verified"
        else:
            conditions = args["that"] if isinstance(args["that"], list) else [args["that"]]
            holds = all(self._templar.evaluate_conditional(c) for c in conditions)
            verdict = "ok" if holds else "failed"
            measured = self._templar.template(args.get("measured", "")) if holds else self._templar.template(args["otherwise"])
        result.update(changed=False, failed=verdict == "failed", msg=measured or verdict)
        result["gpulab_verdict"] = {"subject": args["subject"], "verdict": verdict, "measured": measured}
        return result
