#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_label
short_description: Keep labels of Harbor
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
extends_documentation_fragment:
  - gpulab.expansion.harbor
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
options:
  list:
    description: The objects.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      project:
        description: The project whose label it is; without one it is for all.
        type: str
      color:
        description: Its colour, as C(#0065AB).
        type: str
        default: ""
      description:
        description: What it says.
        type: str
        default: ""
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: C(project/name), or C(name) of one for all, repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: A label for images with CUDA 12.4
  gpulab.expansion.harbor_label:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {name: cuda-12.4, description: CUDA 12.4}
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that would first start Harbor, else V(present).
  returned: always
  type: str
gpulab_prediction:
  description: The objects that differ.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils._harbor.projects import Label
from ..module_utils._objects import keep


def main() -> None:
    keep(Label)


if __name__ == "__main__":
    main()
