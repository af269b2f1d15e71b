#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: resources_info
short_description: Read packages, paths, users, units and Python environments of a host in one execution
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads the state of everything that M(gpulab.expansion.resources) manages, in one execution, because one more
    remote execution costs more than one more reading.
  - Changes nothing. The package simulation keeps its lists, caches and logs in a temporary directory that it removes.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.sealed
options:
  packages:
    description: Names of Debian packages.
    type: list
    elements: str
    default: []
  paths:
    description: Absolute paths of files and directories.
    type: list
    elements: str
    default: []
  contents:
    description: Those of O(paths) whose content is wanted too, up to 64 KiB each.
    type: list
    elements: str
    default: []
  users:
    description: Names of users.
    type: list
    elements: str
    default: []
  groups:
    description: Names of groups.
    type: list
    elements: str
    default: []
  units:
    description: Names of systemd units, with suffix.
    type: list
    elements: str
    default: []
  python_envs:
    description: Paths of Python virtual environments.
    type: list
    elements: str
    default: []
  simulate:
    description:
      - Ask APT what installing these packages would do, with package lists fetched afresh into a private directory.
      - Only done when a package of O(simulate.install) is missing or a file of O(simulate.sources) differs.
    type: dict
    suboptions:
      install:
        description: Packages to install.
        type: list
        elements: str
        default: []
      sources:
        description: Content of deb822 files by path, as they will be.
        type: dict
        default: {}
  addresses:
    description: Names of hosts whose addresses the host shall look up.
    type: list
    elements: str
    default: []
  urls:
    description: Addresses to ask whether they answer.
    type: list
    elements: str
    default: []
  wait_for:
    description:
      - Regular expressions by path. Read again until the content of each path matches, or O(wait_seconds) are over.
      - What has not come by then is no failure, because it is what is asked.
    type: dict
    default: {}
  younger_than:
    description: Paths of O(wait_for) count only when they were written at most so many seconds ago.
    type: float
  wait_seconds:
    description: How long to wait for O(wait_for).
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Read two packages and a unit
  gpulab.expansion.resources_info:
    packages: [borgbackup, openssh-server]
    units: [ssh.service]
  register: host

- name: The server has its packages
  ansible.builtin.assert:
    that: host.packages.borgbackup is not none
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that has predicted a change of something asked for, else V(present).
  returned: always
  type: str
  sample: present
packages:
  description: Installed version by package name; none when it is not installed.
  returned: always
  type: dict
  sample: {borgbackup: 1.2.4-1, rclone: null}
paths:
  description:
    - C(type), C(mode), C(owner), C(group), C(size), C(mtime), and C(sha256) of a file that everybody may read, or
      C(read_only) and C(free) (bytes) of a directory, by path; none when it is absent.
    - C(target) of a link.
    - C(immutable) is there where C(lsattr) shows C(i) or C(a).
  returned: always
  type: dict
contents:
  description: Text by path, for the paths of O(contents) that are regular files.
  returned: always
  type: dict
users:
  description: C(uid), C(home), C(shell), C(group), C(groups) by name; none when it is absent.
  returned: always
  type: dict
groups:
  description: C(gid), C(local) (whether it is in C(/etc/group)), and C(members), also those whose primary group it is, by name; none when it is absent.
  returned: always
  type: dict
units:
  description: C(active), C(enabled), C(need_daemon_reload), C(since) (seconds since the epoch) by name; none when it is absent.
  returned: always
  type: dict
python_envs:
  description: Versions by distribution name, by path; none when there is no environment.
  returned: always
  type: dict
addresses:
  description: Addresses by name of a host; empty where the host finds none.
  returned: always
  type: dict
urls:
  description: By address, without user and password, none when it answered, else what it said.
  returned: always
  type: dict
simulation:
  description: >-
    C(install) (name, version, old version) and C(remove) of the transaction, and C(sizes) (bytes by package and path); or C(error), and C(held)
    packages. None when not needed.
  returned: always
  type: dict
dpkg_interrupted:
  description: Whether an earlier package transaction stopped half way.
  returned: always
  type: bool
half_configured:
  description: Version by name of each package that waits to be configured since then.
  returned: always
  type: dict
policy_rc_d:
  description: Whether something forbids service starts; V(ours) is a left-over of an interrupted run.
  returned: always
  type: str
  sample: absent
left_modules:
  description: Directories with modules of runs that were killed at least ten minutes ago.
  returned: always
  type: list
  elements: str
markers:
  description: Text of the deployed markers by role, see M(gpulab.expansion.deployed_marker).
  returned: always
  type: dict
now:
  description: The host's clock, seconds since the epoch.
  returned: always
  type: float
"""

from ..module_utils._host import HostReader, UnreadableHost, unwritten
from ..module_utils._scratch import scratch
from ..module_utils._sealed import SealedModule
from ..module_utils._waiting import read_until


def main() -> None:
    names = dict(type="list", elements="str", default=[])
    module = SealedModule(
        argument_spec=dict(
            packages=names,
            paths=names,
            contents=names,
            users=names,
            groups=names,
            units=names,
            python_envs=names,
            simulate=dict(
                type="dict",
                options=dict(install=dict(type="list", elements="str", default=[]), sources=dict(type="dict", default={})),
            ),
            addresses=names,
            urls=names,
            wait_for=dict(type="dict", default={}),
            younger_than=dict(type="float"),
            wait_seconds=dict(type="int", default=0),
        ),
        supports_check_mode=True,
    )
    awaited = module.plain["wait_for"]
    read_until(lambda: unwritten(awaited, module.plain["younger_than"]), lambda missing: not missing, module.plain["wait_seconds"], 0.5)
    try:
        module.exit_json(changed=False, **HostReader(module.run_command, scratch("/var/tmp"), module._remote_tmp).read(module.plain))
    except UnreadableHost as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
