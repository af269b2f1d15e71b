# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ..plugin_utils._role_inputs import complaints, misspelled


class ActionModule(ActionBase):
    """Holds the variables of the role it is in against the role's argument specification, before anything is read or changed."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        known = task_vars or {}
        folder = str(known.get("role_path", ""))
        if not folder:
            raise AnsibleActionFail("role_inputs is expected to be a task of a role.")
        with open(os.path.join(folder, "meta", "argument_specs.yml"), encoding="utf-8") as handle:
            specs: dict[str, t.Any] = yaml_load(handle)["argument_specs"]
        options = {name: spec for part in self._task.args.get("parts") or ["main"] for name, spec in specs[part]["options"].items()}
        found = []
        for name, spec in options.items():
            if name in known:
                found += complaints(name, spec, self._templar.template(known[name]))
            elif spec.get("required"):
                found.append(f"{name} is expected to be set, but is not")
        role = os.path.basename(folder)
        all_names = {name for part in specs.values() for name in part["options"]} | set(self._task.args.get("facts") or [])
        found += misspelled(f"{role}_", known, all_names, bool(self._task.args.get("near")))
        host = known["inventory_hostname"]
        way_out = f"correct it in the inventory, ansible-doc -t role gpulab.expansion.{role} tells what it means."
        result.update(changed=False, failed=bool(found), msg=f"{host}: {'; '.join(found)}: {way_out}" if found else "as specified")
        return result
