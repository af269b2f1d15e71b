# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of modules that keep a list of objects behind an API.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import importlib
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._plan.objects import spec_of
from ..module_utils._plan.prediction import Tree
from ._predicting import PredictingAction


class ObjectsAction(PredictingAction):
    """Only a server that this very run starts for the first time is known to keep nothing; any other has to be asked."""

    kind: t.ClassVar[str]
    access: t.ClassVar[dict[str, t.Any]]
    error: t.ClassVar[type[Exception]]

    def planned(self, params: Tree) -> list[Tree]:
        """What would be made on a server that keeps nothing yet."""
        raise AssertionError("each action answers")

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("first_start", str(args.get("unit")))}

    def predict(self, args: dict[str, t.Any]) -> list[Tree]:
        module = importlib.import_module(f"..modules.{self.kind}", __package__)
        checked = ArgumentSpecValidator(spec_of(module.OPTIONS, self.access)).validate(args)
        if checked.error_messages:
            raise AnsibleActionFail(" ".join(checked.error_messages))
        try:
            return self.planned(checked.validated_parameters)
        except self.error as exc:
            raise AnsibleActionFail(str(exc)) from exc
