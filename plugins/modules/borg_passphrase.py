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
  - Does nothing when O(new_passphrase) opens the repository already. Else opens it with O(passphrase_file) and changes it.
  - The key that encrypts the archives stays the same, so a copy of the old key with the old passphrase still opens them.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.sealed
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
options:
  new_passphrase:
    description: The passphrase from now on. O(passphrase_file) keeps the one until now, as long as nothing else writes it.
    type: str
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
    passphrase_file: /etc/gpulab/borg-admin/passphrases/gpu1
    new_passphrase: "{{ borg_passphrase }}"
    base_directory: /var/lib/gpulab/borg-admin/gpu1
"""

RETURN = r"""
gpulab_prediction:
  description: The repository whose passphrase is changed.
  returned: always
  type: list
  elements: dict
"""

import os
import typing as t

from ..module_utils._borg.client import Borg, BorgError, PassphraseWrong, access_of, access_spec
from ..module_utils._prediction import prediction, unknown
from ..module_utils._scratch import scratch
from ..module_utils._sealed import SealedModule


def private_file(folder: str, text: str) -> str:
    """A file of its own for C(text), which borg reads it from; it goes with C(folder)."""
    path = os.path.join(folder, "new_passphrase")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text + "\n")
    return path


def main() -> None:
    module = SealedModule(
        argument_spec=access_spec(
            # the sealed reference stands here, see module_utils/_sealed.py
            new_passphrase=dict(type="str", required=True, no_log=False),
            base_directory=dict(type="path", required=True),
        ),
        supports_check_mode=True,
    )
    wanted: dict[str, t.Any] = module.plain
    tmp = scratch()
    new = {**wanted, "passphrase_file": private_file(tmp, wanted["new_passphrase"])}

    def borg(access: dict[str, t.Any], base_directory: str | None = None) -> Borg:
        return Borg(module.run_command, access_of(access, tmp, base_directory))

    try:
        try:
            borg(new).read(last=1)
            module.exit_json(changed=False, gpulab_prediction=[])
        except PassphraseWrong:
            borg(wanted).read(last=1)
        if not module.check_mode:
            borg(wanted, wanted["base_directory"]).rekey(wanted["new_passphrase"])
            borg(new).read(last=1)
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    change = prediction("borg_passphrase", wanted["repository"], {"passphrase": unknown("secret")}, {"passphrase": unknown("secret")})
    module.exit_json(changed=True, gpulab_prediction=[change])


if __name__ == "__main__":
    main()
