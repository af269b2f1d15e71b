#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_robot
short_description: Keep robot accounts of Harbor
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - The secret of a robot is told once, and goes into a file that only its owner can read.
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
        description: Its name, without the prefix that Harbor puts before it.
        type: str
        required: true
      project:
        description: The project whose robot it is; without one it is of the system, and its access is to all projects.
        type: str
      access:
        description: What it may do, as C(repository:pull).
        type: list
        elements: str
        default: []
      days:
        description: How long it is valid; V(-1) is for ever.
        type: int
        default: 365
      description:
        description: What it is for.
        type: str
        default: ""
      disabled:
        description: Whether it cannot log in for now.
        type: bool
        default: false
      secret_file:
        description: File on the host for its secret, 0600.
        type: path
      renew_secret:
        description: Make a new secret when the file is not there; whoever has the old one is shut out.
        type: bool
        default: false
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: C(project+name), or C(name) of one of the system, repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: CI pushes images of vision
  gpulab.expansion.harbor_robot:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - name: ci
        project: vision
        access: [repository:pull, repository:push]
        secret_file: /etc/gpulab/harbor-ci.secret
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

from ..module_utils._harbor.accounts import Robot
from ..module_utils._objects import keep


def main() -> None:
    keep(Robot)


if __name__ == "__main__":
    main()
