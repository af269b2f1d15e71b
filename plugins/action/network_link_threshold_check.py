# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..plugin_utils._thresholds.action import ThresholdAction


class ActionModule(ThresholdAction):
    """Judges what network_link_info reads."""

    kind = "link"
    reader = "gpulab.expansion.network_link_info"
    reads = ("interfaces", "seconds")
