#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_offsite_reset
short_description: Move the copy of a repository aside in its bucket
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Moves the objects within the bucket, so that a new copy can be made in their place. Nothing is deleted.
  - The memory of the copy on the server goes with them.
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
  aside:
    description: Where the objects go, in the same bucket. It must be empty.
    type: str
    required: true
  above:
    description: Only segments with a higher number, after a rollback to it. Everything when left out.
    type: int
  state:
    description: File in which the server remembers the copy.
    type: path
    required: true
requirements:
  - rclone 1.53 or newer
"""

EXAMPLES = r"""
- name: Let the next copy begin anew
  gpulab.expansion.borg_offsite_reset:
    config: /etc/gpulab/borg-offsite/rclone.conf
    source: offsite:lab-backups/borg/gpu1
    aside: offsite:lab-backups/borg-aside/gpu1-2026-11-24
    state: /var/lib/gpulab/borg-offsite/gpu1.json
"""

RETURN = r"""
objects:
  description: Number of objects that are, or would be, moved.
  returned: always
  type: int
gpulab_prediction:
  description: The new place with its number of objects.
  returned: always
  type: list
  elements: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.bucket import BucketError, Folder, above
from ..module_utils._borg.segments import State, read_state, write_state
from ..module_utils._prediction import prediction


def before(state: State, transaction: int) -> State:
    """C(state) of the copy as it was at C(transaction) at the latest: later segments are not missed."""
    kept = {"segments": [number for number in state["segments"] if number <= transaction]} if "segments" in state else {}
    return {**state, **kept, "transaction": min(transaction, state.get("transaction", -1))}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            config=dict(type="path", required=True),
            source=dict(type="str", required=True),
            aside=dict(type="str", required=True),
            above=dict(type="int"),
            state=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    source = Folder(module.run_command, wanted["config"], wanted["source"])
    aside = Folder(module.run_command, wanted["config"], wanted["aside"])
    try:
        sizes = source.sizes()
        moved = list(sizes) if wanted["above"] is None else above(sizes, wanted["above"])
        if moved and aside.sizes():
            module.fail_json(msg=f"{aside.path} is expected to be empty, but is not: name another place.")
        if moved and not module.check_mode:
            source.rclone("move", paths=[source.path, aside.path], names=moved)
            left = set(moved) & set(source.sizes())
            if left or set(aside.sizes()) != set(moved):
                module.fail_json(msg=f"{source.path}: all of {len(moved)} objects are expected to have moved, but have not: run it again with another place.")
    except BucketError as exc:
        module.fail_json(msg=str(exc))
    state = read_state(wanted["state"])
    # an emptied folder is copied anew; one that was rolled back goes on from there
    after_state = {} if wanted["above"] is None else before(state, wanted["above"])
    changed = bool(moved) or state != after_state
    if state != after_state and not module.check_mode:
        owner = os.stat(wanted["state"])
        write_state(wanted["state"], after_state)
        os.chown(wanted["state"], owner.st_uid, owner.st_gid)
    change = prediction("borg_offsite_reset", wanted["aside"], None, {"objects": len(moved), "bytes": sum(sizes[name] for name in moved)})
    diff = dict(before="", after="".join(f"{aside.path}/{name}\n" for name in moved))
    module.exit_json(changed=changed, objects=len(moved), gpulab_prediction=[change] if changed else [], diff=diff)


if __name__ == "__main__":
    main()
