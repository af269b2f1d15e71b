# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """A registry that this run would first bring, or start with other files, has nothing to tell yet."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return {(kind, str(args.get("ca_path"))) for kind in ("path", "content")}

    def requires_elsewhere(self, args: dict[str, t.Any]) -> set[tuple[str, tuple[str, str]]]:
        server = str(args.get("server") or "")
        units, files = (args.get(name) or [] for name in ("server_units", "server_files"))
        return {*((server, ("unit", str(unit))) for unit in units), *((server, ("content", str(path))) for path in files)}

    def predict(self, args: dict[str, t.Any]) -> None:
        return None
