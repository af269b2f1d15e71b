#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_threshold_check
short_description: Judge the GPUs of a host by thresholds
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - >-
    Reads the GPUs as M(gpulab.expansion.gpu_info) does, whose results it returns too, and judges memory, heat,
    power, ECC, row remaps, NVLinks, Xids and lost GPUs.
  - What is over its limit for a moment only is told as V(seen), because nobody shall buy hardware for a spike.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.thresholds
options:
  python_env:
    description: Virtual environment that has nvidia-ml-py, when the interpreter of the module does not.
    type: path
  seconds:
    description: How long to read on the host; longer windows need O(history).
    type: float
    default: 0.0
"""

EXAMPLES = r"""
- name: No GPU is short of memory
  gpulab.expansion.gpu_threshold_check:
    python_env: /opt/gpulab/gpu_node
    thresholds: {gpu_memory: {limit: 95 %}}
    on_violation: fail
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
