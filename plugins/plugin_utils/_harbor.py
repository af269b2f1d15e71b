# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of what Harbor keeps.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import importlib
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._harbor.apply import planned, spec_of
from ..module_utils._harbor.client import HarborError
from ..module_utils._harbor.model import KINDS
from ..module_utils._plan.prediction import Tree
from ._predicting import PredictingAction


class HarborAction(PredictingAction):
    """Only a Harbor that this very run starts for the first time is known to keep nothing; any other has to be asked."""

    kind: t.ClassVar[str]

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("first_start", str(args.get("unit")))}

    def predict(self, args: dict[str, t.Any]) -> list[Tree]:
        module = importlib.import_module(f"..modules.{self.kind}", __package__)
        checked = ArgumentSpecValidator(spec_of(module.OPTIONS)).validate(args)
        if checked.error_messages:
            raise AnsibleActionFail(" ".join(checked.error_messages))
        try:
            return planned(KINDS[self.kind](None), checked.validated_parameters["list"])
        except HarborError as exc:
            raise AnsibleActionFail(str(exc)) from exc
