# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import typing as t

from ..plugin_utils._thresholds.action import ThresholdAction


class ActionModule(ThresholdAction):
    """Judges what gpu_info reads. A host that nobody has prepared is lent the control node's nvidia-ml-py for the moment, and keeps nothing of it."""

    kind = "gpu"
    reader = "gpulab.expansion.gpu_info"
    reads = ("python_env", "seconds")

    def _measure(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        read = super()._measure(args)
        found = importlib.util.find_spec("pynvml")
        if read.get("state") != "no_library" or found is None or not found.origin:
            return read
        directory = self._make_tmp_path()
        try:
            library = self._connection._shell.join_path(directory, "pynvml.py")
            self._transfer_file(found.origin, library)
            self._fixup_perms2((directory, library))
            return super()._measure({**args, "python_path": directory})
        finally:
            self._remove_tmp_path(directory)
