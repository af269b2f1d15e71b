#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_scan_all
short_description: Keep when Harbor looks at all images for known weaknesses
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - Needs a scanner, as Trivy, installed with Harbor; without one Harbor refuses, and so does a dry run.
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
        default: 0 0 3 * * 0
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: V(scan_all), repeated, when it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Each week
  gpulab.expansion.harbor_scan_all:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {cron: "0 0 3 * * 0"}
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

from ..module_utils._harbor.settings import ScanAll
from ..module_utils._objects import keep


def main() -> None:
    keep(ScanAll)


if __name__ == "__main__":
    main()
