#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_role
short_description: Keep roles of OpenSearch or Elasticsearch
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads each object, compares what is meant rather than how it is written, and writes only what differs.
  - What a role may do is named as the engine names it, by action groups and actions in OpenSearch and privileges in Elasticsearch.
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
      cluster:
        description: What it may do with the cluster.
        type: list
        elements: str
        default: []
      indices:
        description: What it may do with which indices, C(patterns) and C(actions).
        type: list
        elements: dict
        default: []
        suboptions:
          patterns:
            description: Names of indices, with wildcards.
            type: list
            elements: str
            required: true
          actions:
            description: What it may do with them.
            type: list
            elements: str
            required: true
"""

EXAMPLES = r"""
- name: One who may read the logs
  gpulab.expansion.search_role:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ engine_password }}"
    list:
      - name: log_reader
        cluster: [cluster_composite_ops_ro]
        indices: [{patterns: [logs-*], actions: [read]}]
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
from ..module_utils._search.objects import Role


def main() -> None:
    keep(Role)


if __name__ == "__main__":
    main()
