#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_project_member
short_description: Keep members of projects of Harbor
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
      username:
        description: Name of the user, who must be there.
        type: str
        required: true
      role:
        description: What that one may do.
        type: str
        choices: [project_admin, maintainer, developer, guest, limited_guest]
        default: developer
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: C(project/username), repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Alice pushes images of vision
  gpulab.expansion.harbor_project_member:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {project: vision, username: alice, role: developer}
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

from ..module_utils._harbor.accounts import Member
from ..module_utils._objects import keep


def main() -> None:
    keep(Member)


if __name__ == "__main__":
    main()
