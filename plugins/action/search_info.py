# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """An engine that has never run has nothing to tell."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("first_start", str(args.get("unit")))}

    def predict(self, args: dict[str, t.Any]) -> None:
        return None
