# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of what Harbor keeps.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ..module_utils._harbor.apply import planned
from ..module_utils._harbor.client import ACCESS_SPEC, HarborError
from ..module_utils._harbor.model import KINDS
from ..module_utils._plan.prediction import Tree
from ._objects import ObjectsAction


class HarborAction(ObjectsAction):
    access = ACCESS_SPEC
    error = HarborError

    def planned(self, params: Tree) -> list[Tree]:
        return planned(KINDS[self.kind](None), params["list"])
