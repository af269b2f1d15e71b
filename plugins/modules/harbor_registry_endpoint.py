#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_registry_endpoint
short_description: Keep the registries that Harbor knows
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - Harbor tells a secret only as stars, so that a changed one is not seen; O(list[].renew_secret) writes it, and then always tells a change.
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
        description: Its name.
        type: str
        required: true
      type:
        description: What kind of registry it is; Harbor changes none.
        type: str
        choices:
          - docker-registry
          - docker-hub
          - harbor
          - ali-acr
          - aws-ecr
          - azure-acr
          - dtr
          - github-ghcr
          - gitlab
          - google-gcr
          - huawei-SWR
          - jfrog-artifactory
          - quay
          - tencent-tcr
          - volcengine-cr
        default: docker-registry
      endpoint:
        description: Its address.
        type: str
      insecure:
        description: Whether its certificate is not looked at.
        type: bool
        default: false
      access_key:
        description: Who logs in there; empty for nobody.
        type: str
        default: ""
      access_secret:
        description: The password of O(list[].access_key).
        type: str
      renew_secret:
        description: Write the secret, whatever is there.
        type: bool
        default: false
      description:
        description: What it is for.
        type: str
        default: ""
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
- name: Docker Hub, for a project that is its cache
  gpulab.expansion.harbor_registry_endpoint:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {name: hub, type: docker-hub, endpoint: "https://hub.docker.com"}
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

from ..module_utils._harbor.replication import Endpoint
from ..module_utils._objects import keep


def main() -> None:
    keep(Endpoint)


if __name__ == "__main__":
    main()
