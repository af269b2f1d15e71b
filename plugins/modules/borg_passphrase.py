#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_passphrase
short_description: Change the passphrase of a Borg repository
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Does nothing when O(passphrase_file) opens the repository already. Else opens it with O(old_passphrase_file) and changes it.
  - The key that encrypts the archives stays the same, so a copy of the old key with the old passphrase still opens them.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  old_passphrase_file:
    description: File on the host that holds the passphrase until now.
    type: path
    required: true
  base_directory:
    description: Where borg keeps its cache and what it knows of repositories.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Change the passphrase
  gpulab.expansion.borg_passphrase:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    ssh_command: ssh -i /etc/gpulab/borg-admin/id_ed25519
    passphrase_file: /etc/gpulab/borg-admin/passphrases/gpu1.new
    old_passphrase_file: /etc/gpulab/borg-admin/passphrases/gpu1
    base_directory: /var/lib/gpulab/borg-admin/gpu1
"""

RETURN = r"""
gpulab_prediction:
  description: The repository whose passphrase is changed.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.client import Borg, BorgError, PassphraseWrong, access_of, access_spec
from ..module_utils._prediction import prediction, unknown


def main() -> None:
    module = AnsibleModule(
        argument_spec=access_spec(
            old_passphrase_file=dict(type="path", required=True, no_log=False),
            base_directory=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = module.params

    def borg(passphrase_file: str) -> Borg:
        return Borg(module.run_command, access_of({**wanted, "passphrase_file": passphrase_file}, module.tmpdir))

    try:
        try:
            borg(wanted["passphrase_file"]).read(last=1)
            module.exit_json(changed=False, gpulab_prediction=[])
        except PassphraseWrong:
            borg(wanted["old_passphrase_file"]).read(last=1)
        if not module.check_mode:
            Borg(module.run_command, access_of({**wanted, "passphrase_file": wanted["old_passphrase_file"]}, module.tmpdir, wanted["base_directory"])).rekey(
                wanted["passphrase_file"]
            )
            borg(wanted["passphrase_file"]).read(last=1)
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    change = prediction("borg_passphrase", wanted["repository"], {"passphrase": unknown("secret")}, {"passphrase": unknown("secret")})
    module.exit_json(changed=True, gpulab_prediction=[change])


if __name__ == "__main__":
    main()
