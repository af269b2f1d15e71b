#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bucket_copy
short_description: Copy a folder of an object store to an empty directory
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Copies with rclone and then compares every file with the bucket, by downloading it again if need be, because the tag of an object
    that was uploaded in parts is no checksum.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  config:
    description: rclone's configuration file on the host.
    type: path
    required: true
  source:
    description: Remote and path, as C(offsite:bucket/borg/gpu1).
    type: str
    required: true
  destination:
    description: Directory that does not exist yet, or is empty.
    type: path
    required: true
requirements:
  - rclone 1.53 or newer
"""

EXAMPLES = r"""
- name: Fetch a repository from the bucket
  gpulab.expansion.bucket_copy:
    config: /etc/gpulab/borg-offsite/rclone.conf
    source: offsite:lab-backups/borg/gpu1
    destination: /var/tmp/repository
"""

RETURN = r"""
objects:
  description: Number of objects.
  returned: always
  type: int
bytes:
  description: Their size together.
  returned: always
  type: int
gpulab_prediction:
  description: The destination with its number of objects and bytes.
  returned: always
  type: list
  elements: dict
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._plan.prediction import prediction


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(config=dict(type="path", required=True), source=dict(type="str", required=True), destination=dict(type="path", required=True)),
        supports_check_mode=True,
    )
    source, destination = module.params["source"], module.params["destination"]

    def rclone(*argv: str) -> str:
        rc, out, err = module.run_command(["rclone", "--config", module.params["config"], "--retries", "2", "--contimeout", "15s", *argv])
        if rc:
            said = [line for line in err.splitlines() if line.strip()]
            module.fail_json(msg=f"{source} is expected to be readable, but rclone {argv[0]} fails: {said[-1] if said else 'without a reason'}")
        return out

    if os.path.isdir(destination) and os.listdir(destination):
        module.fail_json(msg=f"{destination} is expected to be absent or empty, but is not: choose another destination.")
    size = json.loads(rclone("size", "--json", source))
    if not size["count"]:
        module.fail_json(msg=f"{source} is expected to hold objects, but is empty: see whether bucket and prefix are right.")
    if not module.check_mode:
        os.makedirs(destination, mode=0o700, exist_ok=True)
        rclone("copy", source, destination)
        rclone("check", "--download", source, destination)
    after = {"objects": size["count"], "bytes": size["bytes"]}
    module.exit_json(changed=True, gpulab_prediction=[prediction("bucket_copy", destination, None, after)], **after)


if __name__ == "__main__":
    main()
