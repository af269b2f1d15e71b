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
  - What was attached to the image, as signatures of C(cosign) and lists of what is in it, goes with it; what the new name has already stays.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
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
  checks:
    description:
      - Programs that each image must pass before anything is changed, as lists of arguments; C({image}) stands for the image by its digest, with the registry.
      - They find the password in C(DOCKER_CONFIG), C(REGISTRY_AUTH_FILE) and the authority in C(SSL_CERT_DIR). A dry run does not start them.
    type: list
    elements: list
    default: []
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
    checks:
      - [cosign, verify, --key, /etc/gpulab/cosign.pub, "{image}"]
      - [trivy, image, --exit-code, "1", --severity, CRITICAL, "{image}"]
"""

RETURN = r"""
gpulab_prediction:
  description: The names that get another image, and what is attached to it, with their digests.
  returned: always
  type: list
  elements: dict
"""

import base64
import json
import os
import shutil
import tempfile
import typing as t

from ..module_utils._images.registry import Access, Registry, RegistryError, promote, split
from ..module_utils._objects import exit_with
from ..module_utils._prediction import Tree, prediction
from ..module_utils._scratch import scratch
from ..module_utils._sealed import SealedModule


class Step(t.NamedTuple):
    """An image of one repository that gets a name in another one."""

    repository: str
    digest: str
    target: str
    tag: str  # or the digest
    change: Tree


def plan(registry: Registry, image: str, to: str, confirm: str) -> list[Step]:
    """What is attached first, the name last; empty when all is so already."""
    (repository, reference), (target, tag) = split(image), split(to)
    digest, now = registry.digest(repository, reference), registry.digest(target, tag)
    if digest is None:
        raise RegistryError(f"image {image} is expected in the registry, but is not there: push it, or correct its name.")
    if to.count("@"):
        raise RegistryError(f"the new name of {image} is expected as name:tag, but is {to}: a digest is no name.")
    if now is not None and now != digest and confirm != to:
        raise RegistryError(f"{to} is expected to be new, but is {now} already, which jobs may use: choose another tag, or repeat the name in confirm.")
    steps = [] if target == repository else _attachments(registry, repository, digest, target)
    if now != digest:
        steps.append(Step(repository, digest, target, tag, prediction("registry_image", to, None if now is None else {"digest": now}, {"digest": digest})))
    return steps


def _attachments(registry: Registry, repository: str, digest: str, target: str) -> list[Step]:
    """What the target has already stays, even if it is another one: a release may have been signed again."""
    manifest = registry.manifest(repository, digest)
    steps = []
    for of in [digest, *(manifest.children() if manifest and manifest.is_index else [])]:
        for reference in registry.attached(repository, of):
            found = registry.digest(repository, reference)
            if found and registry.digest(target, reference) is None:
                key = f"{target}{'@' if reference.startswith('sha256:') else ':'}{reference}"
                steps.append(Step(repository, found, target, reference, prediction("registry_image", key, None, {"digest": found})))
    return steps


def check(module: SealedModule, argv: list[str], image: str, environment: dict[str, str]) -> None:
    """Fails with what the program said of C(image)."""
    program = module.get_bin_path(argv[0])
    if program is None:
        raise RegistryError(f"{argv[0]} is expected on this host, to check {image}, but is not there: install it, or take it out of the checks.")
    rc, out, err = module.run_command([program, *(part.replace("{image}", image) for part in argv[1:])], environ_update=environment)
    if rc:
        said = (err.strip() or out.strip() or f"it ended with {rc}").splitlines()[-1].rstrip(".")
        raise RegistryError(f"{image} is expected to pass {argv[0]}, but does not: {said}. Nothing was promoted: mend the image, or correct the check.")


def check_all(module: SealedModule, images: list[str]) -> None:
    """The programs find password and authority where those that are written with Go look for them."""
    params = module.plain
    registry = params["url"].rstrip("/").partition("://")[2]
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        config = os.path.join(folder, "config.json")
        auth = base64.b64encode(f"{params['username']}:{params['password']}".encode()).decode()
        with open(config, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as handle:
            json.dump({"auths": {registry: {"auth": auth}}}, handle)
        environment = {"DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": config}
        if params["ca_path"]:
            shutil.copy(params["ca_path"], os.path.join(folder, "ca.pem"))
            environment["SSL_CERT_DIR"] = f"/etc/ssl/certs:{folder}"
        for image in images:
            for argv in params["checks"]:
                check(module, argv, f"{registry}/{image}", environment)


def main() -> None:
    row = dict(image=dict(type="str", required=True), to=dict(type="str", required=True), confirm=dict(type="str", default=""))
    module = SealedModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            username=dict(type="str", required=True),
            password=dict(type="str", required=True, no_log=True),
            ca_path=dict(type="path", default=""),
            list=dict(type="list", elements="dict", required=True, options=row),
            checks=dict(type="list", elements="list", default=[]),
        ),
        supports_check_mode=True,
    )
    params = module.plain
    try:
        registry = Registry(Access(params["url"], params["username"], params["password"], params["ca_path"]))
        # all are looked at, and pass, before the first is changed
        if not all(params["checks"]):
            raise RegistryError("each of checks is expected to be a program and its arguments, but one is empty: correct it.")
        steps = [step for each in params["list"] for step in plan(registry, **each)]
        if not module.check_mode:
            named = {each["to"] for each in params["list"]}
            images = [f"{step.repository}@{step.digest}" for step in steps if step.change["key"] in named]
            if images and params["checks"]:
                check_all(module, images)
            for step in steps:
                promote(registry, *step[:4])
                if registry.digest(step.target, step.tag) != step.digest:
                    raise RegistryError(f"{step.change['key']} is expected to be {step.digest} now, but is not: see the logs of the registry.")
    except RegistryError as exc:
        module.fail_json(msg=str(exc))
    exit_with(module, [step.change for step in steps])


if __name__ == "__main__":
    main()
