#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: borg_archive_info
short_description: Read the archives of a Borg repository and the age of the newest
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads without taking the lock, so a running backup is not disturbed.
  - An age counts from the start of an archive, because what changed later is not in it.
extends_documentation_fragment:
  - gpulab.expansion.borg
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  last:
    description: Read only so many of the newest archives.
    type: int
  younger_than:
    description: Seconds. While no archive is younger, read again every few seconds until O(wait_seconds) are over, which is no failure.
    type: float
  wait_seconds:
    description: How long to wait for an archive that is O(younger_than); a dry run does not wait.
    type: int
    default: 0
  server:
    description: Inventory name of the host that serves the repository, so that a dry run knows what it has yet to bring there.
    type: str
  timer:
    description: Name of the timer on this host that makes the archives. A dry run that would start it says V(pending).
    type: str
"""

EXAMPLES = r"""
- name: Read the archives
  gpulab.expansion.borg_archive_info:
    repository: ssh://borg@store1.example.org/srv/borg/repos/gpu1
    passphrase_file: /etc/gpulab/borg/passphrase
  register: backups

- name: The newest archive is younger than an hour
  ansible.builtin.assert:
    that: backups.state == 'present' and backups.newest_age < 3600
"""

RETURN = r"""
state:
  description: V(present), V(absent) (no repository), or V(pending) (this dry run would first bring it).
  returned: always
  type: str
archives:
  description: C(name), C(start), C(end) of each archive, oldest first; times in seconds since the epoch.
  returned: always
  type: list
  elements: dict
newest_age:
  description: Seconds since the start of the newest archive, by the host's clock; none when there is no archive.
  returned: always
  type: float
now:
  description: The host's clock, seconds since the epoch.
  returned: when not pending
  type: float
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._borg.client import Borg, BorgError, RepositoryMissing, access_of, access_spec, ages
from ..module_utils._scratch import scratch
from ..module_utils._waiting import read_until


def main() -> None:
    module = AnsibleModule(
        argument_spec=access_spec(
            last=dict(type="int"),
            younger_than=dict(type="float"),
            wait_seconds=dict(type="int", default=0),
            server=dict(type="str"),
            timer=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    wanted, tmp = module.params, scratch()

    def read() -> dict[str, t.Any]:
        now = time.time()
        try:
            return ages(Borg(module.run_command, access_of(wanted, tmp)).read(wanted["last"]).archives, now)
        except RepositoryMissing:
            return {"state": "absent", "archives": [], "newest_age": None, "now": now}

    def enough(found: dict[str, t.Any]) -> bool:
        return found["state"] == "absent" or (found["newest_age"] is not None and found["newest_age"] <= (wanted["younger_than"] or 0))

    # seldom, because the backup that is waited for needs the processor more than this does
    try:
        found = read_until(read, enough, 0 if module.check_mode else wanted["wait_seconds"], 4)
    except BorgError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
