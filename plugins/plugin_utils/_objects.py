# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action of all modules that keep objects behind an API; C(plugin_routing) in meta/runtime.yml brings each of them here.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._json_api import ApiError
from ..module_utils._objects import Kind, planned, spec_of, stages_of
from ..module_utils._prediction import Tree
from ._actions import PredictingAction


class ObjectsAction(PredictingAction):
    """Only a server that this very run starts for the first time is known to keep nothing; any other has to be asked."""

    kinds: t.ClassVar[t.Mapping[str, type[Kind]]]

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("first_start", str(args.get("unit")))}

    def predict(self, args: dict[str, t.Any]) -> list[Tree]:
        kind = self.kinds.get(str(self._task.resolved_action).rpartition(".")[2])
        spec = spec_of(kind) if kind else dict(next(iter(self.kinds.values())).access, list=dict(type="list", elements="dict", required=True))
        checked = ArgumentSpecValidator(spec).validate(args)
        if checked.error_messages:
            raise AnsibleActionFail(" ".join(checked.error_messages))
        params = checked.validated_parameters
        try:
            return planned([(kind, params["list"])] if kind else stages_of(self.kinds, params["list"]), params)
        except ApiError as exc:
            raise AnsibleActionFail(str(exc)) from exc
