#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_history
short_description: Ask Prometheus for what gates and thresholds want to know
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Asks the Prometheus of the lab once, for the windows of the roadmap's conditions and of the thresholds. Runs on the host that reaches it.
  - A Prometheus that does not answer is a result with a reason, see M(gpulab.expansion.prometheus_info).
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.prometheus
options:
  thresholds:
    description: The lab's changes to the thresholds, see M(gpulab.expansion.gpu_threshold_check).
    type: dict
    default: {}
  roadmap:
    description: File with the roadmap, on the control node; without it the one of this collection.
    type: path
"""

EXAMPLES = r"""
- name: What does Prometheus know?
  gpulab.expansion.lab_history:
    url: http://mgmt1:9090
  delegate_to: localhost
  register: history
"""

RETURN = r"""
state:
  description: V(ok), V(none) without an address, or V(unknown).
  returned: always
  type: str
reason:
  description: Why it is unknown.
  returned: always
  type: str
answers:
  description: Series, or the reason why there are none, by evidence and by threshold.
  returned: always
  type: dict
gpulab_prometheus:
  description: C(state) and C(reason), for the report.
  returned: always
  type: dict
"""
