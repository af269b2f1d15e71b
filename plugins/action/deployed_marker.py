# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import hashlib
import json
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.yaml import yaml_load

from ..module_utils._host import FACTS
from ..module_utils._prediction import RESULT_KEY, Tree, prediction, unknown, unknown_reason_in
from ..module_utils._sealed import without_login
from ..plugin_utils._actions import HostAction

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class ActionModule(HostAction):
    """Writes what was deployed and verified, from which inputs. The same deployment again changes nothing."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        role = os.path.basename(str(self._vars.get("role_path", "")))
        if not role:
            raise AnsibleActionFail("deployed_marker is expected to be a task of a role.")
        self._ledger.finish(self._host, role)
        part = str(self._task.args.get("part") or "main")
        role = role if part == "main" else f"{role}_{part}"
        wanted: Tree = {"role": role, "version": _version(), "inputs": self._inputs(part)}
        markers = self._ledger.markers(self._host)
        if markers is None:
            markers = self._read("gpulab.expansion.resources_info", {})["markers"]
        before = _parse(markers.get(role, ""))
        after = {k: v for k, v in wanted.items() if (before or {}).get(k) != v}
        result["changed"] = bool(after)
        result[RESULT_KEY] = []
        if not after:
            return result
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        verified: t.Any = unknown("time") if self._task.check_mode else now
        if not self._task.check_mode:
            text = json.dumps({**wanted, "verified": now}, indent=2, sort_keys=True) + "\n"
            self._write(f"{FACTS}/gpulab_{role}.fact", text)
        result[RESULT_KEY] = [prediction("deployed_marker", role, before, {**after, "verified": verified})]
        return result

    def _write(self, path: str, text: str) -> None:
        entries = [{"path": p, "type": "directory", "mode": "0755"} for p in (os.path.dirname(FACTS), FACTS)]
        entries.append({"path": path, "type": "file", "mode": "0644", "content": text})
        done = self._execute_module(module_name="gpulab.expansion.files", module_args={"entries": entries}, task_vars=self._vars)
        if done.get("failed"):
            raise AnsibleActionFail(f"{self._host}: {done.get('msg')}")

    def _inputs(self, part: str) -> t.Any:
        """Digest of the role's public variables, without the secret ones: a digest of a passphrase can be guessed offline."""
        with open(os.path.join(str(self._vars["role_path"]), "meta", "argument_specs.yml"), encoding="utf-8") as handle:
            options = yaml_load(handle)["argument_specs"][part]["options"]
        values = {}
        for name, spec in options.items():
            if not spec.get("no_log") and name in self._vars:
                values[name] = _open(self._templar.template(self._vars[name]), spec.get("options") or {})
        text = json.dumps(values, sort_keys=True, default=str)
        reason = unknown_reason_in(text)
        return unknown(reason) if reason else hashlib.sha256(text.encode()).hexdigest()[:16]


def _open(value: t.Any, options: t.Mapping[str, t.Any]) -> t.Any:
    """C(value) without its secret suboptions, and without users and passwords in addresses."""
    if isinstance(value, dict):
        kept = {key: below for key, below in value.items() if not (options.get(key) or {}).get("no_log")}
        return {key: _open(below, (options.get(key) or {}).get("options") or {}) for key, below in kept.items()}
    if isinstance(value, list):
        return [_open(below, options) for below in value]
    return without_login(value) if isinstance(value, str) else value


def _version() -> str:
    for name, keys in (("MANIFEST.json", ("collection_info", "version")), ("galaxy.yml", ("version",))):
        path = os.path.join(_ROOT, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as handle:
                value: t.Any = yaml_load(handle)
            for key in keys:
                value = value[key]
            return str(value)
    raise AnsibleActionFail(f"MANIFEST.json or galaxy.yml is expected in {_ROOT}, but neither is there: reinstall the collection.")


def _parse(text: str) -> dict[str, t.Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
