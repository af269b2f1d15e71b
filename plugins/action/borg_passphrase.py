# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._prediction import Tree, prediction, unknown
from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """Whether the new passphrase opens the repository already cannot be tried before the old one's file is there."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("path", str(args.get("passphrase_file"))), ("content", str(args.get("passphrase_file")))}

    def predict(self, args: dict[str, t.Any]) -> Tree:
        return prediction("borg_passphrase", str(args.get("repository")), {"passphrase": unknown("secret")}, {"passphrase": unknown("secret")})
