#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_promotion
short_description: Give an image that was tried the name that nodes use
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Works by digest, within one registry, Harbor or the plain one. Nothing is built or pulled, so what was tried is what runs.
  - A name that is another image already stays as it is, unless it is repeated in O(list[].confirm).
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  url:
    description: Where the registry answers, as C(https://registry.lab.example:5000).
    type: str
    required: true
  username:
    description: Who may push.
    type: str
    required: true
  password:
    description: That one's password.
    type: str
    required: true
  ca_path:
    description: File of the certificate authority that signed its certificate; empty for those that the host trusts.
    type: path
    default: ""
  list:
    description: What becomes what.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description: The image, as C(name:tag) or C(name@digest), without the registry.
        type: str
        required: true
      to:
        description: Its new name, as C(name:tag).
        type: str
        required: true
      confirm:
        description: The new name, repeated, when it may stop being the image that it is now.
        type: str
        default: ""
"""

EXAMPLES = r"""
- name: Release what was tried
  gpulab.expansion.registry_promotion:
    url: https://registry.lab.example:5000
    username: admin
    password: "{{ harbor_admin_password }}"
    list:
      - {image: "lab/dev:4711", to: "lab/train:prod-2026-11"}
"""

RETURN = r"""
gpulab_prediction:
  description: The names that get another image, with their digests.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._images.registry import Access, Registry, RegistryError, promote, split
from ..module_utils._plan.prediction import Tree, prediction


def plan(registry: Registry, image: str, to: str, confirm: str) -> tuple[str, Tree | None]:
    """Digest of the image, and what would change, None when the name is that image already."""
    digest, now = registry.digest(*split(image)), registry.digest(*split(to))
    if digest is None:
        raise RegistryError(f"image {image} is expected in the registry, but is not there: push it, or correct its name.")
    if to.count("@"):
        raise RegistryError(f"the new name of {image} is expected as name:tag, but is {to}: a digest is no name.")
    if now is not None and now != digest and confirm != to:
        raise RegistryError(f"{to} is expected to be new, but is {now} already, which jobs may use: choose another tag, or repeat the name in confirm.")
    return digest, None if now == digest else prediction("registry_image", to, None if now is None else {"digest": now}, {"digest": digest})


def main() -> None:
    row = dict(image=dict(type="str", required=True), to=dict(type="str", required=True), confirm=dict(type="str", default=""))
    module = AnsibleModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            username=dict(type="str", required=True),
            password=dict(type="str", required=True, no_log=True),
            ca_path=dict(type="path", default=""),
            list=dict(type="list", elements="dict", required=True, options=row),
        ),
        supports_check_mode=True,
    )
    params = module.params
    try:
        registry = Registry(Access(params["url"], params["username"], params["password"], params["ca_path"]))
        # all are looked at before the first is changed
        plans = [(each, *plan(registry, **each)) for each in params["list"]]
        for each, digest, change in plans if not module.check_mode else []:
            if change:
                promote(registry, split(each["image"])[0], digest, *split(each["to"]))
                if registry.digest(*split(each["to"])) != digest:
                    raise RegistryError(f"{each['to']} is expected to be {digest} now, but is not: see the logs of the registry.")
    except RegistryError as exc:
        module.fail_json(msg=str(exc))
    changes = [change for _each, _digest, change in plans if change]
    text = ["".join(f"{change['key']} {change[side]['digest']}\n" for change in changes if change[side]) for side in ("before", "after")]
    module.exit_json(changed=bool(changes), gpulab_prediction=changes, diff=dict(before=text[0], after=text[1]))


if __name__ == "__main__":
    main()
