#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_index_template
short_description: Keep index templates of OpenSearch or Elasticsearch
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads each object, compares what is meant rather than how it is written, and writes only what differs.
  - Compares in one form, with settings by their dotted names and as text, and without what the engine adds by itself.
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
      body:
        description:
          - >-
            The template as the engine documents it: C(index_patterns), C(priority), C(data_stream), C(template).
        type: dict
        required: true
"""

EXAMPLES = r"""
- name: Logs have a data stream
  gpulab.expansion.search_index_template:
    engine: opensearch
    url: https://localhost:9200
    ca_path: /etc/gpulab/elk/ca.pem
    client_cert: /etc/gpulab/elk/admin.pem
    client_key: /etc/gpulab/elk/admin.key
    list:
      - name: lab-logs
        body:
          index_patterns: [logs-lab-*]
          data_stream: {}
          priority: 100
          template: {settings: {number_of_replicas: 0}}
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
from ..module_utils._search.objects import Template


def main() -> None:
    keep(Template)


if __name__ == "__main__":
    main()
