#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: harbor_proxy_cache
short_description: Keep projects of Harbor that are caches of other registries
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Looks at all objects first, changes only what differs from what was asked for, and reads it back, because Harbor takes much without doing it.
  - An image is pulled as C(NAME/path:tag); Harbor fetches it once. Which kinds of endpoint can be one is a setting of the Harbor.
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
      endpoint:
        description: Endpoint (M(gpulab.expansion.harbor_registry_endpoint)) that it is a cache of; Harbor changes none.
        type: str
        required: true
      public:
        description: Whether everybody may pull.
        type: bool
      storage_limit:
        description: Most that it may keep, as V(500 GiB); V(-1) is no limit.
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
- name: Docker Hub, through the lab
  gpulab.expansion.harbor_proxy_cache:
    url: https://registry.lab.example
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {name: hub, endpoint: hub, public: true, storage_limit: 500 GiB}
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

from ..module_utils._harbor.projects import ProxyCache
from ..module_utils._objects import keep


def main() -> None:
    keep(ProxyCache)


if __name__ == "__main__":
    main()
