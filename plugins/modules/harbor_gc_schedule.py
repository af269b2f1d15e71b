#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_gc_schedule
short_description: Keep when Harbor removes layers that no image has
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - Removing an image frees nothing by itself; only garbage collection does.
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
      cron:
        description: When, in six fields, seconds first.
        type: str
        default: 0 0 2 * * *
      delete_untagged:
        description: Whether images without a tag go, too.
        type: bool
        default: true
      workers:
        description: How many it does at once.
        type: int
        default: 1
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: V(gc), repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Free what is not used, each night
  gpulab.expansion.harbor_gc_schedule:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {cron: "0 0 2 * * *"}
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

from ..module_utils._harbor.settings import GarbageCollection
from ..module_utils._objects import keep


def main() -> None:
    keep(GarbageCollection)


if __name__ == "__main__":
    main()
