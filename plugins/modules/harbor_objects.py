#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_objects
short_description: Keep objects of Harbor of several kinds
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Does what the modules M(gpulab.expansion.harbor_project), M(gpulab.expansion.harbor_robot) and their like do,
    one after the other, in one call. A role with objects of many kinds asks the server once instead of once a kind.
  - Looks at all objects first. What is refused is told before anything is changed.
  - An object may belong to one that stands before it in the list, also in a dry run in which that one does not exist yet.
extends_documentation_fragment:
  - gpulab.expansion.harbor
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
options:
  list:
    description:
      - Each entry is the name of one of these modules, without the collection's, and the list of objects that its O(list) takes.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: A project, and one who may push there
  gpulab.expansion.harbor_objects:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - harbor_project: [{name: vision, storage_limit: 500 GiB}]
      - harbor_robot: [{project: vision, name: ci, access: [repository:push, repository:pull], secret_file: /etc/ci/harbor}]
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

from ..module_utils._harbor.kinds import KINDS
from ..module_utils._objects import keep_all


def main() -> None:
    keep_all(KINDS)


if __name__ == "__main__":
    main()
