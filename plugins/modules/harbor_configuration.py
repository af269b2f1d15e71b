#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_configuration
short_description: Keep settings of Harbor
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - One that Harbor does not know is refused, because Harbor would take it without a word. None is ever removed.
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
        description: Its name, as C(token_expiration) or C(oidc_endpoint).
        type: str
        required: true
      value:
        description: What it shall be.
        type: raw
      secret:
        description: Whether Harbor never tells it, as C(oidc_client_secret); it is then written each time, and a change is told each time.
        type: bool
        default: false
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: Nothing can be, repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Only admins make projects
  gpulab.expansion.harbor_configuration:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {name: project_creation_restriction, value: adminonly}
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

from ..module_utils._harbor.settings import Setting
from ..module_utils._objects import keep


def main() -> None:
    keep(Setting)


if __name__ == "__main__":
    main()
