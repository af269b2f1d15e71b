# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ..module_utils._prediction import Tree, prediction, unknown
from ..plugin_utils._actions import PredictingAction


class ActionModule(PredictingAction):
    """Files that this run would write are newer than what Prometheus has loaded; targets it finds by itself."""

    def requires(self, args: dict[str, t.Any]) -> set[tuple[str, str]]:
        return _files([*(args.get("paths") or []), args.get("targets_file")])

    def predict(self, args: dict[str, t.Any]) -> Tree | None:
        if not _files(args.get("paths") or []) & self._ledger.pending(self._host):
            return None
        return prediction("prometheus", str(args.get("url")).rstrip("/"), {"loaded": unknown("time")}, {"loaded": unknown("time")})


def _files(paths: t.Iterable[t.Any]) -> set[tuple[str, str]]:
    return {("content", str(path)) for path in paths}
