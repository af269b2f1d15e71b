#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_ingest_pipeline
short_description: Keep ingest pipelines of OpenSearch or Elasticsearch
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads each object, compares what is meant rather than how it is written, and writes only what differs.
  - A pipeline that the engine cannot compile, as one with a broken grok pattern, is refused by it, and the one before stays.
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
            The pipeline as the engine documents it: C(description), C(processors), C(on_failure).
        type: dict
        required: true
"""

EXAMPLES = r"""
- name: Lines of the kernel get fields
  gpulab.expansion.search_ingest_pipeline:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ engine_password }}"
    list:
      - name: lab-kernel
        body: {processors: [{lowercase: {field: host.name}}]}
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
from ..module_utils._search.objects import Pipeline


def main() -> None:
    keep(Pipeline)


if __name__ == "__main__":
    main()
