#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_tag_immutability
short_description: Keep tags of Harbor that nobody can change
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
      project:
        description: Name of the project.
        type: str
        required: true
      repositories:
        description: Which repositories, with C(**).
        type: str
        default: "**"
      tags:
        description: Which tags, with C(**).
        type: str
        required: true
      disabled:
        description: Whether the rule rests.
        type: bool
        default: false
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: C(project/repositories:tags), repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: A release stays what it was
  gpulab.expansion.harbor_tag_immutability:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {project: vision, tags: "release-*"}
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

from ..module_utils._harbor.retention import Immutability
from ..module_utils._objects import keep


def main() -> None:
    keep(Immutability)


if __name__ == "__main__":
    main()
