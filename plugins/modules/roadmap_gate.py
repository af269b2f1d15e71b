#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: roadmap_gate
short_description: Judge whether a module of the roadmap may be deployed
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Compares the preconditions of a roadmap module with what the inventory declares. A closed gate is a result, not a failure;
    the phase playbooks skip that module and say why.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  module:
    description: Name of the roadmap module.
    type: str
    required: true
  preconditions:
    description: What must hold, each with the C(name) it is declared by and its C(meaning).
    type: list
    elements: dict
    default: []
  declared:
    description: What the inventory declares, by name.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: May backups be deployed?
  gpulab.expansion.roadmap_gate:
    module: borg
    preconditions:
      - {name: object_storage, meaning: a bucket in Aliyun OSS or another S3 store}
    declared: "{{ lab_preconditions }}"
  register: gate
"""

RETURN = r"""
state:
  description: V(open) or V(closed).
  returned: always
  type: str
gpulab_gate:
  description: C(module), C(state) and C(reason), for the report.
  returned: always
  type: dict
"""
