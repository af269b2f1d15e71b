# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._prediction import Tree, prediction, unknown
from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """A dry run that has yet to install rclone, or to write its configuration, cannot look into the bucket."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("package", "rclone"), ("path", str(args.get("config")))}

    def brings(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("path", str(args.get("destination")))}

    def predict(self, args: dict[str, t.Any]) -> Tree:
        after = {"objects": unknown("server_assigned"), "bytes": unknown("server_assigned")}
        return prediction("borg_offsite_fetch", str(args.get("destination")), None, after)
