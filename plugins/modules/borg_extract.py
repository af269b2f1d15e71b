#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_extract
short_description: Restore paths of a Borg archive into an empty directory
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Extracts into a directory of its own, never over what is there. A dry run lists what would be written.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  archive:
    description: Name of the archive; the newest when left out.
    type: str
  paths:
    description: Absolute paths, as they were on the host; everything when empty.
    type: list
    elements: path
    default: []
  destination:
    description: Directory that does not exist yet, or is empty.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Restore a directory aside
  gpulab.expansion.borg_extract:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    passphrase_file: /etc/gpulab/borg/passphrase
    paths: [/home/alice/thesis]
    destination: /var/tmp/restored
"""

RETURN = r"""
archive:
  description: C(name), C(start) and C(end) of the archive.
  returned: always
  type: dict
files:
  description: Number of paths that are, or would be, restored.
  returned: always
  type: int
gpulab_prediction:
  description: The destination and its number of paths.
  returned: always
  type: list
  elements: dict
"""

import dataclasses
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.client import Borg, BorgError, access_of
from ..module_utils._plan.prediction import prediction


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            repository=dict(type="str", required=True),
            passphrase_file=dict(type="path", required=True, no_log=False),
            ssh_command=dict(type="str", default="ssh"),
            known_hosts=dict(type="str"),
            archive=dict(type="str"),
            paths=dict(type="list", elements="path", default=[]),
            destination=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    destination = wanted["destination"]
    if os.path.isdir(destination) and os.listdir(destination):
        module.fail_json(
            msg=f"{destination} is expected to be absent or empty, but is not: nothing is restored over what is there, choose another destination."
        )
    borg = Borg(module.run_command, access_of(wanted, module.tmpdir))
    inside = [path.lstrip("/") for path in wanted["paths"]]
    try:
        archives = {archive.name: archive for archive in borg.read().archives}
        name = wanted["archive"] or next(reversed(archives), "")
        if name not in archives:
            found = ", ".join(list(archives)[-3:]) or "none"
            module.fail_json(msg=f"repository {wanted['repository']}: the archive {name or '(newest)'} is expected, but found are: {found}.")
        listed = borg.list_paths(name, inside)
        if not listed:
            module.fail_json(msg=f"archive {name}: {', '.join(wanted['paths'])} is expected in it, but is not: see borg list ::{name}.")
        if not module.check_mode:
            os.makedirs(destination, mode=0o700, exist_ok=True)
            borg.extract(name, inside, destination)
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    change = prediction("restore", destination, None, {"archive": name, "files": len(listed)})
    text = "".join(f"{destination}/{path}\n" for path in listed)
    archive = dataclasses.asdict(archives[name])
    module.exit_json(changed=True, archive=archive, files=len(listed), gpulab_prediction=[change], diff=dict(before="", after=text))


if __name__ == "__main__":
    main()
