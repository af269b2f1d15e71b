# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..plugin_utils._borg import ClientAction


class ActionModule(ClientAction):
    """A repository that this run would make has archives to come."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return super().requires(args) | {("borg_repository", str(args.get("repository"))), ("unit", str(args.get("timer")))}

    def predict(self, args: dict[str, t.Any]) -> None:  # type: ignore[override]
        return None
