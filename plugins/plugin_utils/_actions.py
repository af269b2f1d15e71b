# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base classes of the actions that predict.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..module_utils._prediction import RESULT_KEY, Tree
from ..module_utils._sealed import seal
from ._ledger import Ledger, Thing


class HostAction(ActionBase):
    """An action that reads a host through modules and knows what this run has left pending there."""

    _supports_check_mode = True
    _vars: dict[str, t.Any]

    @property
    def _host(self) -> str:
        return str(self._task.delegate_to or self._vars["inventory_hostname"])

    @property
    def _ledger(self) -> Ledger:
        return Ledger(constants.DEFAULT_LOCAL_TMP)

    def _compute_environment_string(self, raw_environment_out: dict[str, t.Any] | None = None) -> str:
        """Ansible imports cryptography for https: of a package that is only half there a dry run would leave bytecode."""
        prefix = str(super()._compute_environment_string(raw_environment_out))
        return f"PYTHONDONTWRITEBYTECODE=1 {prefix}" if self._task.check_mode else prefix

    def _execute_module(self, *args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
        """A module of this collection gets its secrets apart from everything else, see module_utils/_sealed.py."""
        if str(kwargs.get("module_name") or "gpulab.expansion.").startswith("gpulab.expansion."):
            kwargs["module_args"] = seal(kwargs.get("module_args") or self._task.args)
        try:
            return super()._execute_module(*args, **kwargs)
        except AnsibleConnectionFailure as exc:
            raise AnsibleConnectionFailure(
                f"{self._host}: the host is expected to answer, but does not: {str(exc).strip()}. Start it, or mend its ansible_host and the way there; "
                "a host that is gone for good leaves the inventory."
            ) from exc

    def _read(self, module: str, args: dict[str, t.Any]) -> dict[str, t.Any]:
        """Execute a reading module. A host that cannot run one gets a sentence instead of a traceback."""
        found = self._execute_module(module_name=module, module_args=args, task_vars=self._vars)
        if found.get("failed") or found.get("unreachable"):
            said = " ".join(str(found.get(k) or "") for k in ("msg", "module_stderr", "module_stdout"))
            if found.get("rc") == 127 or "interpreter" in said and "not found" in said:
                raise AnsibleActionFail(
                    f"{self._host}: Python 3.9 or newer is expected on the host, but none is found: run `apt-get install python3` there, "
                    "or set ansible_python_interpreter."
                )
            if "rc" in found:  # the module never ran, or never answered
                because = " ".join(str(found.get(k) or "") for k in ("module_stderr", "module_stdout")).strip() or found.get("msg")
                raise AnsibleActionFail(
                    f"{self._host}: the host is expected to answer, but does not: {because}. Start it, or see why Python does not run there."
                )
            raise AnsibleActionFail(f"{self._host}: {found.get('msg') or said}")
        return found


class SealingAction(HostAction):
    """Runs the module of the same name. It is there for the secrets alone, which it moves apart."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        result.update(self._execute_module(module_args=dict(self._task.args), task_vars=self._vars))
        return result


class PredictingAction(HostAction):
    """Runs the module of the same name, unless this run has yet to bring what the module needs: then it predicts.

    A subclass says what the module needs on the host and what it would do on a host where nothing exists yet.
    """

    def requires(self, args: dict[str, t.Any]) -> set[Thing]:
        """Things without which the module cannot even read."""
        raise AssertionError("each action answers")

    def predict(self, args: dict[str, t.Any]) -> Tree | list[Tree] | None:
        """The prediction, or several, while a required thing is pending; None when nothing would change."""
        raise AssertionError("each action answers")

    def requires_elsewhere(self, args: dict[str, t.Any]) -> set[tuple[str, Thing]]:
        """Things on other hosts, as (inventory name, thing): a client needs its server."""
        return set()

    def brings(self, args: dict[str, t.Any]) -> set[Thing]:
        return set()

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        args = dict(self._task.args)
        if self._task.check_mode:
            waiting = self.requires(args) & self._ledger.pending(self._host)
            waiting |= {thing for host, thing in self.requires_elsewhere(args) if thing in self._ledger.pending(host)}
            if waiting:
                return self._pending(result, args, waiting)
        done = self._execute_module(module_args=args, task_vars=self._vars)
        if self._task.check_mode and done.get("changed"):
            self._ledger.add(self._host, self.brings(args))
        result.update(done)
        return result

    def _pending(self, result: dict[str, t.Any], args: dict[str, t.Any], waiting: set[Thing]) -> dict[str, t.Any]:
        self._ledger.add(self._host, self.brings(args))
        predicted = self.predict(args)
        names = ", ".join(sorted(f"{kind} {name}" for kind, name in waiting))
        changes = [] if predicted is None else predicted if isinstance(predicted, list) else [predicted]
        result.update(changed=bool(changes), state="pending", msg=f"Predicted, not read: this run would first bring {names}.")
        result[RESULT_KEY] = changes
        return result
