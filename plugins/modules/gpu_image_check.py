#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_image_check
short_description: Say whether images run on the GPUs of nodes
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Judges each image on each node by driver, CUDA, compute capability and processor, and says why one does not run, what is expected, and what to do.
  - The rules and the pages that they rest on are in C(docs/gpu-images.md). Reads nothing and changes nothing.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, for the verdict.
        type: str
        required: true
      config:
        description: Its OCI configuration, as C(skopeo inspect --config) or C(docker image inspect) shows it.
        type: dict
        required: true
      digest:
        description: Its digest, as M(gpulab.expansion.registry_info) has it; told in the verdict.
        type: str
        default: ""
  nodes:
    description: By name of the node, what M(gpulab.expansion.gpu_info) has returned of it; C(machine), as C(uname -m) says, may be added.
    type: dict
    required: true
  on_misfit:
    description: Whether an image that does not run on some node fails the task. One that cannot be told never does.
    type: str
    choices: [fail, report]
    default: report
"""

EXAMPLES = r"""
- name: Do these images run on our nodes?
  gpulab.expansion.gpu_image_check:
    images:
      - name: lab/train:2026-11
        config: "{{ lookup('ansible.builtin.pipe', 'skopeo inspect --config docker://registry.lab.example/lab/train:2026-11') | from_json }}"
    nodes:
      gpu1: "{{ hostvars.gpu1.reading }}"
    on_misfit: fail
"""

RETURN = r"""
verdicts:
  description:
    - One for each image and node, with C(image), C(digest), C(node), C(runs) (none when the image does not tell enough), C(why) and C(source).
  returned: always
  type: list
  elements: dict
gpulab_images:
  description: The same, for the report.
  returned: always
  type: list
  elements: dict
misfits:
  description: How many do not run.
  returned: always
  type: int
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._images.compatibility import judge, node_of
from ..module_utils._images.image import ImageError, image_of


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            images=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(name=dict(type="str", required=True), config=dict(type="dict", required=True), digest=dict(type="str", default="")),
            ),
            nodes=dict(type="dict", required=True),
            on_misfit=dict(type="str", choices=["fail", "report"], default="report"),
        ),
        supports_check_mode=True,
    )
    try:
        images = [image_of(each["name"], each["config"]) for each in module.params["images"]]
        nodes = [node_of(name, reading) for name, reading in sorted(module.params["nodes"].items())]
    except ImageError as exc:
        module.fail_json(msg=str(exc))
    digests = {each["name"]: each["digest"] for each in module.params["images"]}
    verdicts = [
        {"image": image.name, "digest": digests[image.name], "node": node.name, **dataclasses.asdict(judge(image, node))} for image in images for node in nodes
    ]
    misfits = [each for each in verdicts if each["runs"] is False]
    told = dict(verdicts=verdicts, gpulab_images=verdicts, misfits=len(misfits))
    if misfits and module.params["on_misfit"] == "fail":
        first = misfits[0]
        more = f" ({len(misfits) - 1} more do not run)" if len(misfits) > 1 else ""
        module.fail_json(msg=f"image {first['image']} is expected to run on {first['node']}, but {first['why'][:-1]}{more}.", **told)
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
