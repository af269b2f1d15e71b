#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_evidence
short_description: Put together what is known of a lab, for the gates of its roadmap
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Joins what hosts say of themselves with what Prometheus knows. What one host did not tell makes a sum unknown, and is told.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  hosts:
    description:
      - By host, C(usage) of M(gpulab.expansion.usage_info), C(gpus) of M(gpulab.expansion.gpu_info) and C(links) of
        M(gpulab.expansion.network_link_info).
    type: dict
    required: true
  history:
    description: Results of M(gpulab.expansion.lab_history).
    type: dict
    default: {}
  declared:
    description: What the inventory declares, by name of the evidence.
    type: dict
    default: {}
  logs_host:
    description: The host that is meant for log analysis.
    type: str
  roadmap:
    description: File with the roadmap, on the control node; without it the one of this collection.
    type: path
"""

EXAMPLES = r"""
- name: What is known of the lab?
  gpulab.expansion.lab_evidence:
    hosts: {gpu1: {usage: "{{ usage }}"}}
  register: known
"""

RETURN = r"""
evidence:
  description: Readings by evidence, for O(gpulab.expansion.roadmap_gate#module:evidence).
  returned: always
  type: dict
phase:
  description: Phase of the roadmap that the number of users belongs to; none when it is not known.
  returned: always
  type: int
gpulab_evidence:
  description: The readings without their history, what is declared, the phase, and how the nodes can be joined, for the report.
  returned: always
  type: dict
"""
