#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_info
short_description: Read whether an image registry answers, and what its images say of themselves
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Works with every registry that speaks the distribution specification, as Harbor and the plain registry do. Changes nothing.
  - With O(images) it returns what M(gpulab.expansion.gpu_image_check) takes.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.sealed
options:
  url:
    description: Where the registry answers, as C(https://registry.lab.example:5000).
    type: str
    required: true
  username:
    description: Who asks; empty for a stranger.
    type: str
    default: ""
  password:
    description: That one's password.
    type: str
    default: ""
  ca_path:
    description: File of the certificate authority that signed its certificate; empty for those that the host trusts.
    type: path
    default: ""
  images:
    description:
      - Which images are read, as C(name:tag) with wildcards, in the order of the patterns. A wildcard in the name takes one who may see all names.
    type: list
    elements: str
    default: []
  wait_seconds:
    description: How long to wait for a registry that does not answer yet.
    type: int
    default: 0
  server:
    description: Name of the registry's host in the inventory, so that a dry run knows whether this run would first bring it.
    type: str
    default: ""
  server_units:
    description: Units of that host that are the registry; while this run would start one, what it answers is not known.
    type: list
    elements: str
    default: []
  server_files:
    description: Files on that host that the registry reads at its start; while this run would write one, what it answers is not known.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What do our images say?
  gpulab.expansion.registry_info:
    url: https://registry.lab.example:5000
    username: puller
    password: "{{ harbor_puller_password }}"
    images: ["lab/train:*"]
  register: registry

- name: Do they run on our nodes?
  gpulab.expansion.gpu_image_check:
    images: "{{ registry.images }}"
    nodes: {gpu1: "{{ hostvars.gpu1.reading }}"}
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that would first bring the registry, else V(present).
  returned: always
  type: str
images:
  description: C(name) with its tag, C(digest) and C(config), the OCI configuration without its history.
  returned: always
  type: list
  elements: dict
"""

import time

from ..module_utils._images.registry import Access, Registry, RegistryError, chosen, split
from ..module_utils._sealed import SealedModule


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            username=dict(type="str", default=""),
            password=dict(type="str", default="", no_log=True),
            ca_path=dict(type="path", default=""),
            images=dict(type="list", elements="str", default=[]),
            wait_seconds=dict(type="int", default=0),
            server=dict(type="str", default=""),
            server_units=dict(type="list", elements="str", default=[]),
            server_files=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    params = module.plain
    until = time.monotonic() + params["wait_seconds"]
    while True:
        try:
            registry = Registry(Access(params["url"], params["username"], params["password"], params["ca_path"]))
            if not registry.answers():
                raise RegistryError(f"{params['url']} is expected to be a registry, but knows no /v2/: correct the address.")
            images = []
            for image in chosen(params["images"], registry):
                found = registry.config(*split(image))
                if found:
                    config = {key: value for key, value in found[1].items() if key not in ("history", "rootfs")}
                    images.append({"name": image, "digest": found[0], "config": config})
            break
        except RegistryError as exc:
            if time.monotonic() >= until:
                module.fail_json(msg=str(exc))
            time.sleep(0.5)
    module.exit_json(changed=False, state="present", images=images)


if __name__ == "__main__":
    main()
