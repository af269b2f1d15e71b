#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_offsite_fetch
short_description: Copy a folder of an object store to an empty directory
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Copies with rclone and then compares every file with the bucket, by downloading it again if need be, because the tag of an object
    that was uploaded in parts is no checksum.
  - Of a repository that M(gpulab.expansion.borg_repository) made, only what belongs to it is copied, and a lost segment is an error.
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
  owner:
    description: User and group that shall own what is copied.
    type: str
requirements:
  - rclone 1.53 or newer
"""

EXAMPLES = r"""
- name: Fetch a repository from the bucket
  gpulab.expansion.borg_offsite_fetch:
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

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.bucket import BucketError, Folder
from ..module_utils._prediction import prediction


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            config=dict(type="path", required=True),
            source=dict(type="str", required=True),
            destination=dict(type="path", required=True),
            owner=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    destination, owner = module.params["destination"], module.params["owner"]
    folder = Folder(module.run_command, module.params["config"], module.params["source"])
    if os.path.isdir(destination) and os.listdir(destination):
        module.fail_json(msg=f"{destination} is expected to be absent or empty, but is not: choose another destination, or move it away.")
    try:
        live = folder.live(folder.sizes())
        if not live:
            module.fail_json(msg=f"{folder.path} is expected to hold objects, but is empty: see whether bucket and prefix are right.")
        needed, free = sum(live.values()), shutil.disk_usage(os.path.dirname(destination) if os.path.isdir(os.path.dirname(destination)) else "/").free
        if needed > free:
            module.fail_json(
                msg=f"{destination} is expected to have room for {needed / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free: choose a larger disk."
            )
        if not module.check_mode:
            fetch(module, folder, live, destination, owner)
    except BucketError as exc:
        module.fail_json(msg=str(exc))
    after = {"objects": len(live), "bytes": needed}
    module.exit_json(changed=True, gpulab_prediction=[prediction("borg_offsite_fetch", destination, None, after)], **after)


def fetch(module: AnsibleModule, folder: Folder, live: dict[str, int], destination: str, owner: str | None) -> None:
    """Copies, then compares every file by fetching it again."""
    os.makedirs(destination, mode=0o700, exist_ok=True)
    folder.rclone("copy", paths=[folder.path, destination], names=live)
    folder.rclone("check", "--download", "--one-way", paths=[folder.path, destination], names=live)
    if owner:
        for top, folders, files in os.walk(destination):
            for path in [top, *(os.path.join(top, name) for name in folders + files)]:
                shutil.chown(path, owner, owner)


if __name__ == "__main__":
    main()
