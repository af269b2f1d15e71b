#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_requests
short_description: Read the lab's requests
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads the YAML files of a directory on the control node, each a request. A file that is none is told, and is no failure.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  directory:
    description: Directory on the control node; empty, or one that is not there, has none.
    type: str
    default: ""
  roadmap:
    description: File with the roadmap, on the control node; without it the one of this collection.
    type: path
"""

EXAMPLES = r"""
- name: What is asked for?
  gpulab.expansion.lab_requests:
    directory: "{{ inventory_dir }}/requests"
"""

RETURN = r"""
requests:
  description: C(name) of the file, C(title), C(who), C(need), C(impact), C(module), C(state) and who reviewed and approved, of each.
  returned: always
  type: list
  elements: dict
wrong:
  description: A sentence for each file that is no request.
  returned: always
  type: list
  elements: str
gpulab_requests:
  description: Whether requests are kept, the requests, and what is wrong, for the report.
  returned: always
  type: dict
"""
