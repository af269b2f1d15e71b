#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_retention
short_description: Keep which tags of a project of Harbor stay
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - What no rule keeps is removed when O(list[].cron) is due. See what that would be by a dry run in Harbor first.
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
      rules:
        description: What stays; one that matches is enough.
        type: list
        elements: dict
        default: []
        suboptions:
          keep:
            description: What is kept.
            type: str
            choices: [latest_pushed, latest_pulled, days_since_push, days_since_pull, always]
            required: true
          number:
            description: How many, or of how many days.
            type: int
            default: 0
          repositories:
            description: Which repositories, with C(**).
            type: str
            default: "**"
          tags:
            description: Which tags, with C(**).
            type: str
            default: "**"
          untagged:
            description: Whether what has no tag counts, too.
            type: bool
            default: true
      cron:
        description: When what goes is removed, in six fields, seconds first.
        type: str
        default: 0 0 3 * * *
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: The name of the project, repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Of dated images the last ten stay, and each release
  gpulab.expansion.harbor_retention:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - project: vision
        rules:
          - {keep: latest_pushed, number: 10}
          - {keep: always, tags: "release-*"}
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

from ..module_utils._harbor.retention import Retention
from ..module_utils._objects import keep


def main() -> None:
    keep(Retention)


if __name__ == "__main__":
    main()
