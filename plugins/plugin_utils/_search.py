# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of what a search engine keeps.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ..module_utils._plan.prediction import Tree
from ..module_utils._search.apply import planned
from ..module_utils._search.client import ACCESS_SPEC, SearchError
from ..module_utils._search.model import KINDS
from ._objects import ObjectsAction


class SearchAction(ObjectsAction):
    access = ACCESS_SPEC
    error = SearchError

    def planned(self, params: Tree) -> list[Tree]:
        return planned(KINDS[self.kind](params["engine"]), params["list"])
