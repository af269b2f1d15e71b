#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_snapshot_repository
short_description: Keep snapshot repositories of OpenSearch or Elasticsearch
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads each object, compares what is meant rather than how it is written, and writes only what differs.
  - Removing one leaves the snapshots in it alone.
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
      type:
        description: As V(fs) or V(s3).
        type: str
        default: fs
      settings:
        description: As the engine documents them for O(list[].type).
        type: dict
        default: {}
"""

EXAMPLES = r"""
- name: Snapshots on the host
  gpulab.expansion.search_snapshot_repository:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ engine_password }}"
    list:
      - {name: local, type: fs, settings: {location: /var/lib/opensearch-snapshots, compress: true}}
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
from ..module_utils._search.objects import SnapshotRepository


def main() -> None:
    keep(SnapshotRepository)


if __name__ == "__main__":
    main()
