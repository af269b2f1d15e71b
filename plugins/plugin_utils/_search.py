# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of what a search engine keeps.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ..module_utils._plan.prediction import Tree
from ..module_utils._search.apply import predicted
from ..module_utils._search.model import KINDS
from ._predicting import PredictingAction


class SearchAction(PredictingAction):
    """Only an engine that this very run starts for the first time is known to keep nothing; any other has to be asked."""

    kind: t.ClassVar[str]

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("first_start", str(args.get("unit")))}

    def predict(self, args: dict[str, t.Any]) -> list[Tree]:
        kind = KINDS[self.kind](str(args.get("engine")))
        defaults = {"state": "present", "cluster": [], "indices": [], "roles": [], "type": "fs", "settings": {}}
        found = [predicted(kind, {**defaults, **wanted}, None) for wanted in args.get("list") or []]
        return [change for change in found if change]
