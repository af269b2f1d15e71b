#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_replication_policy
short_description: Keep which images Harbor gives to another registry, or takes from it
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - One of source and destination is another registry (M(gpulab.expansion.harbor_registry_endpoint)); the other one is this Harbor.
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
      source:
        description: Endpoint that images come from; empty when they come from this Harbor.
        type: str
        default: ""
      destination:
        description: Endpoint that images go to; empty when they come here.
        type: str
        default: ""
      namespace:
        description: Project that they get there; empty for that of the same name.
        type: str
        default: ""
      flatten:
        description: How many parts of a name O(list[].namespace) takes the place of, from the left; V(-1) for all.
        type: int
        default: -1
      repositories:
        description: Pattern of their names.
        type: str
        default: "**"
      tags:
        description: Pattern of their tags.
        type: str
        default: "**"
      trigger:
        description: When it is done; V(event_based) at each push, from this Harbor only.
        type: str
        choices: [manual, scheduled, event_based]
        default: manual
      cron:
        description: When, in six fields, seconds first, with O(list[].trigger=scheduled).
        type: str
        default: ""
      override:
        description: Whether an image there of the same name is replaced.
        type: bool
        default: true
      deletion:
        description: Whether what is removed here is removed there, too.
        type: bool
        default: false
      speed:
        description: KiB a second for each layer; V(-1) is as fast as it goes.
        type: int
        default: -1
      enabled:
        description: Whether it is done at all.
        type: bool
        default: true
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: Its name, repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Take the CUDA images each night
  gpulab.expansion.harbor_replication_policy:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - name: cuda
        source: hub
        repositories: nvidia/cuda
        tags: 12.*-devel-*
        namespace: base
        trigger: scheduled
        cron: "0 0 2 * * *"
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

from ..module_utils._harbor.replication import Replication
from ..module_utils._objects import keep


def main() -> None:
    keep(Replication)


if __name__ == "__main__":
    main()
