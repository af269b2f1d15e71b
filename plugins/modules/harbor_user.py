#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_user
short_description: Keep users of Harbor
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - Whether a password is right is seen by logging in with it.
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
      username:
        description: Its name.
        type: str
        required: true
      email:
        description: Its address; needed when it shall be there.
        type: str
      realname:
        description: The name of the person.
        type: str
        default: ""
      comment:
        description: What there is to say.
        type: str
        default: ""
      sysadmin:
        description: Whether that one may do everything.
        type: bool
        default: false
      password:
        description: Its password; needed when it shall be there.
        type: str
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
- name: Alice
  gpulab.expansion.harbor_user:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {username: alice, email: alice@lab.example, realname: Alice, password: "{{ alice_password }}"}
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

from ..module_utils._harbor.accounts import User
from ..module_utils._objects import keep


def main() -> None:
    keep(User)


if __name__ == "__main__":
    main()
