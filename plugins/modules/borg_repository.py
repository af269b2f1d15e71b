#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_repository
short_description: Make a Borg repository
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Makes the repository when there is none. One that exists is never made anew; a wrong passphrase or another encryption is
    an error, because changing either is a day-2 task with its own play.
  - When the server does not answer, a dry run fails too. It predicts only what it could read, or what this very run would bring.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  base_directory:
    description: Where borg keeps its cache and what it knows of repositories.
    type: path
    required: true
  encryption:
    description: Mode of encryption. The key lies in the repository, protected by the passphrase.
    type: str
    choices: [repokey-blake2, repokey]
    default: repokey-blake2
  server:
    description: Inventory name of the host that serves the repository, so that a dry run knows what it has yet to bring there.
    type: str
  authorized_keys:
    description: File on O(server) that lets the client in. A dry run that would first change it does not read the repository.
    type: path
  found_on_server:
    description:
      - Whether the server has the repository, read there. A dry run relies on it while the client cannot look for itself, because it
        was reinstalled or has yet to get borg, its key or its passphrase file.
    type: bool
    default: false
  known_id:
    description:
      - Id of the repository that is known to have been there, empty when none is. When it is gone or another is found, that is an error,
        since an empty one in its place would hide the loss.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make the repository
  gpulab.expansion.borg_repository:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    passphrase_file: /etc/gpulab/borg/passphrase
    ssh_command: ssh -i /etc/gpulab/borg/id_ed25519
    base_directory: /var/lib/gpulab/borg
"""

RETURN = r"""
id:
  description: Identity of the repository; none in a dry run that would make it.
  returned: always
  type: str
state:
  description: As of M(gpulab.expansion.borg_archive_info), so that a verification need not read again.
  returned: always
  type: str
archives:
  description: As of M(gpulab.expansion.borg_archive_info).
  returned: when not pending
  type: list
  elements: dict
newest_age:
  description: As of M(gpulab.expansion.borg_archive_info).
  returned: when not pending
  type: float
now:
  description: The host's clock, seconds since the epoch.
  returned: when not pending
  type: float
gpulab_prediction:
  description: The repository, when it is made.
  returned: always
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.client import Borg, BorgError, RepositoryMissing, access_of, access_spec, ages, lost
from ..module_utils._prediction import prediction, unknown
from ..module_utils._scratch import scratch


def main() -> None:
    module = AnsibleModule(
        argument_spec=access_spec(
            base_directory=dict(type="path", required=True),
            encryption=dict(type="str", choices=["repokey-blake2", "repokey"], default="repokey-blake2"),
            server=dict(type="str"),
            authorized_keys=dict(type="path", no_log=False),
            found_on_server=dict(type="bool", default=False),
            known_id=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    now, tmp = time.time(), scratch()

    def borg(base_directory: str) -> Borg:
        return Borg(module.run_command, access_of(wanted, tmp, base_directory))

    try:
        try:
            found = borg(tmp).read()  # reading leaves no trace in the real cache
        except RepositoryMissing:
            gone = lost(wanted["repository"], wanted["known_id"], None)
            if gone:
                module.fail_json(msg=gone)
            after = {"encryption": wanted["encryption"], "id": unknown("generated")}
            made = None
            if not module.check_mode:
                borg(wanted["base_directory"]).create(wanted["encryption"])
                made = borg(tmp).read(last=1)
                after = {"encryption": made.encryption, "id": made.id}
            change = prediction("borg_repository", wanted["repository"], None, after)
            found_now = {**ages((), now), "state": "present" if made else "pending", "id": made and made.id}
            module.exit_json(changed=True, gpulab_prediction=[change], diff=dict(before="", after=f"{wanted['repository']}\n"), **found_now)
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    other = lost(wanted["repository"], wanted["known_id"], found.id)
    if other:
        module.fail_json(msg=other)
    if found.encryption != wanted["encryption"]:
        module.fail_json(
            msg=f"repository {wanted['repository']}: encryption {wanted['encryption']} is expected, but it was made with {found.encryption}: "
            "set borg_encryption to that; a repository is never re-encrypted in place."
        )
    module.exit_json(changed=False, id=found.id, gpulab_prediction=[], **ages(found.archives, now))


if __name__ == "__main__":
    main()
