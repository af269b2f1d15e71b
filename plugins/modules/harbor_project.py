#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_project
short_description: Keep projects of Harbor
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - What is not given is left as it is. A project that has repositories is never removed.
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
        description: Its name, in lower case.
        type: str
        required: true
      public:
        description: Whether everybody may pull from it.
        type: bool
      storage_limit:
        description: The most that it may have, as C(500 GiB); V(-1) is no limit. Less than it has is refused.
        type: str
      auto_scan:
        description: Whether what is pushed is scanned.
        type: bool
      prevent_vul:
        description: Whether what has vulnerabilities of O(list[].severity) or worse cannot be pulled.
        type: bool
      severity:
        description: From which severity on.
        type: str
        choices: [none, low, medium, high, critical]
      auto_sbom_generation:
        description: Whether a bill of materials is made of what is pushed.
        type: bool
      enable_content_trust_cosign:
        description: Whether only what cosign has signed can be pulled.
        type: bool
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
- name: A project for vision, with a quota
  gpulab.expansion.harbor_project:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {name: vision, public: false, storage_limit: 500 GiB}
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

from ..module_utils._harbor.projects import Project
from ..module_utils._objects import keep


def main() -> None:
    keep(Project)


if __name__ == "__main__":
    main()
