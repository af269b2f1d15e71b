# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._prediction import Tree, prediction, unknown
from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """A dry run that has yet to install borg, or to fetch the repository, cannot list the archive."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {("package", "borgbackup"), ("path", str(args.get("repository"))), ("path", str(args.get("passphrase_file")))}

    def predict(self, args: dict[str, t.Any]) -> Tree:
        after = {"archive": args.get("archive") or unknown("server_assigned"), "files": unknown("server_assigned")}
        return prediction("restore", str(args.get("destination") or ", ".join(args.get("paths") or [])), None, after)
