#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_threshold_check
short_description: Judge the disks of a host by thresholds
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - >-
    Measures the latency of requests as M(gpulab.expansion.io_latency_info) does, whose results it returns too, and judges the share of slow ones.
  - What is over its limit for a moment only is told as V(seen), because nobody shall buy hardware for a spike.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.thresholds
options:
  disks:
    description: Kernel names of the disks to tell of; without it all that had requests.
    type: list
    elements: str
    default: []
  seconds:
    description: How long to measure.
    type: float
    default: 5.0
  slower_than_ms:
    description: A request that takes longer is slow.
    type: float
    default: 5.0
"""

EXAMPLES = r"""
- name: Are the disks fast enough?
  gpulab.expansion.disk_threshold_check:
    seconds: 10
    thresholds: {disk_latency: {limit: 30 %}}
"""

RETURN = r"""
findings:
  description:
    - One for each threshold and device, with C(threshold), C(device), C(metric), C(state), C(value), C(operator), C(limit), C(unit), C(window)
      (seconds that were looked at), C(source), C(severity), C(told) and C(advice).
    - C(state) is V(ok), V(over), V(seen) (over its limit now, but not watched for the threshold's window), or V(unknown).
  returned: always
  type: list
  elements: dict
violations:
  description: How many are over their limit.
  returned: always
  type: int
gpulab_findings:
  description: The findings, for the report.
  returned: always
  type: list
  elements: dict
"""
