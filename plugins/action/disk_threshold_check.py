# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._thresholds.action import ThresholdAction


class ActionModule(ThresholdAction):
    """Judges what io_latency_info reads."""

    kind = "disk"
    reader = "gpulab.expansion.io_latency_info"
    reads = ("disks", "seconds", "slower_than_ms")
