# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  thresholds:
    description:
      - Changes to the collection's thresholds, and further ones, by name. Each has C(metric), C(operator), C(limit) (a number, or with a unit
        of the same kind), C(window) as V(10 min), C(share) of the window's time, C(severity) and C(advice).
      - The collection's own are in C(playbooks/files/thresholds.yml).
    type: dict
    default: {}
  history:
    description: Results of M(gpulab.expansion.prometheus_info) by name of the threshold, which know more than a moment.
    type: dict
    default: {}
  on_violation:
    description: Whether what is over its limit fails the task, is a warning, or only told.
    type: str
    choices: [fail, warn, report]
    default: report
"""
