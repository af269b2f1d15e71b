#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_webhook
short_description: Keep who is told what happens in a project of Harbor
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
      name:
        description: Its name.
        type: str
        required: true
      address:
        description: Who is told; needed when it shall be there.
        type: str
      kind:
        description: How.
        type: str
        choices: [http, slack]
        default: http
      payload:
        description: In which form.
        type: str
        choices: [Default, CloudEvents]
        default: Default
      events:
        description: Of what it is told; needed when it shall be there.
        type: list
        elements: str
        choices:
          - PUSH_ARTIFACT
          - PULL_ARTIFACT
          - DELETE_ARTIFACT
          - QUOTA_EXCEED
          - QUOTA_WARNING
          - SCANNING_FAILED
          - SCANNING_STOPPED
          - SCANNING_COMPLETED
          - REPLICATION
          - TAG_RETENTION
        default: []
      insecure:
        description: Whether its certificate is not looked at.
        type: bool
        default: false
      enabled:
        description: Whether it is told now.
        type: bool
        default: true
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: C(project/name), repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: CI knows of each push
  gpulab.expansion.harbor_webhook:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {project: vision, name: ci, address: "https://ci.lab.example/hook", events: [PUSH_ARTIFACT]}
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

from ..module_utils._harbor.webhooks import Webhook
from ..module_utils._objects import keep


def main() -> None:
    keep(Webhook)


if __name__ == "__main__":
    main()
