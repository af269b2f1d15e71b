#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_index
short_description: Keep indices of OpenSearch or Elasticsearch
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads each object, compares what is meant rather than how it is written, and writes only what differs.
  - Makes those that are not there; what is in them is their template's and their users' to say. One is only removed with V(absent).
  - While the engine does not answer, a dry run fails too, unless this very run would start it for the first time.
extends_documentation_fragment:
  - gpulab.expansion.search
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
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
      confirm:
        description: Repeats O(list[].name) where it shall be removed.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: A program finds its index
  gpulab.expansion.search_index:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ engine_password }}"
    list:
      - {name: elastalert_status}
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that would first start the engine, else V(present).
  returned: always
  type: str
gpulab_prediction:
  description: The objects that differ.
  returned: always
  type: list
  elements: dict
"""

from ..module_utils._objects import keep
from ..module_utils._search.objects import Index


def main() -> None:
    keep(Index)


if __name__ == "__main__":
    main()
