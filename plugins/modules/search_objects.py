#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_objects
short_description: Keep objects of OpenSearch or Elasticsearch of several kinds
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Does what the modules M(gpulab.expansion.search_role), M(gpulab.expansion.search_user) and their like do,
    one after the other, in one call. A role with objects of many kinds asks the server once instead of once a kind.
  - Looks at all objects first. What is refused is told before anything is changed.
  - An object may belong to one that stands before it in the list, also in a dry run in which that one does not exist yet.
extends_documentation_fragment:
  - gpulab.expansion.search
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
options:
  list:
    description:
      - Each entry is the name of one of these modules, without the collection's, and the list of objects that its O(list) takes.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: One who may read the logs
  gpulab.expansion.search_objects:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ engine_password }}"
    list:
      - search_role: [{name: log_reader, cluster: [cluster_composite_ops_ro], indices: [{patterns: [logs-*], actions: [read]}]}]
      - search_user: [{name: li, password: "{{ reader_password }}", roles: [log_reader]}]
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

from ..module_utils._objects import keep_all
from ..module_utils._search.objects import KINDS


def main() -> None:
    keep_all(KINDS)


if __name__ == "__main__":
    main()
