#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_link_threshold_check
short_description: Judge the network links of a host by thresholds
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - >-
    Measures the traffic as M(gpulab.expansion.network_link_info) does, whose results it returns too, and judges it.
  - What is over its limit for a moment only is told as V(seen), because nobody shall buy hardware for a spike.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.thresholds
options:
  interfaces:
    description: Names of the links to read; without it those of hardware.
    type: list
    elements: str
    default: []
  seconds:
    description: How long to measure on the host; longer windows need O(history).
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Warn when the links between the nodes are full
  gpulab.expansion.network_link_threshold_check:
    seconds: 10
    on_violation: warn
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
