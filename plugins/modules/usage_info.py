#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: usage_info
short_description: Read how much of a host is used, and by whom
description:
  - Users by group, processors, memory, file systems, and the tasks on its GPUs, for the gates of the roadmap.
author: The gpulab.expansion authors (@gpulab)
version_added: 0.1.0
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  groups:
    description: Groups whose members are the lab's users, by primary group too.
    type: list
    elements: str
    default: []
  paths:
    description: Paths whose file systems hold the lab's data.
    type: list
    elements: str
    default: []
  licences:
    description: Files of licences, with wildcards.
    type: list
    elements: str
    default: []
  processes:
    description: Process ids on the GPUs, as M(gpulab.expansion.gpu_info) reads them.
    type: list
    elements: int
    default: []
"""

EXAMPLES = r"""
- name: Read the lab's users and its data
  gpulab.expansion.usage_info:
    groups: [lab]
    paths: [/home, /data]
"""

RETURN = r"""
now:
  description: The host's clock, seconds since the epoch.
  returned: always
  type: float
cores:
  description: Processors that this host may use.
  returned: always
  type: int
memory_bytes:
  description: Memory of the host.
  returned: always
  type: int
max_map_count:
  description: How many memory maps a process may have (C(vm.max_map_count)).
  returned: always
  type: int
users:
  description: Names of the members of the groups.
  returned: always
  type: list
  elements: str
missing_groups:
  description: Groups that this host does not know.
  returned: always
  type: list
  elements: str
administrators:
  description:
    - C(user) and C(by) of each account beside root that is root, or can be at will, by its number, by a group as V(docker) or V(sudo), or by a rule
      of sudo that lets it run all or some commands as root.
    - A rule for all accounts or for a netgroup is told as it stands, as V(ALL) or V(+ops).
  returned: always
  type: list
  elements: dict
  sample: [{user: alice, by: [docker]}, {user: bob, by: ["sudoers: some commands"]}]
administrators_unknown:
  description: Why the rules of sudo are not known, or not all; empty when they are, or when sudo is not installed.
  returned: always
  type: str
storage:
  description: C(path), C(source), C(used_bytes) and C(size_bytes) of each file system.
  returned: always
  type: list
  elements: dict
licences:
  description: Those of O(licences) that are there.
  returned: always
  type: list
  elements: str
tasks:
  description: C(name) and C(containerised) of each task on the GPUs; a container, or a session outside any, is one task.
  returned: always
  type: list
  elements: dict
"""

import glob
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._gpu.workloads import tasks
from ..module_utils._usage.host import administrators, max_map_count, members, memory_bytes, storage
from ..module_utils._usage.sudoers import ELSEWHERE, NO_JSON, NO_READER, UNREADABLE, other_sources, parsed


def sudoers(module: AnsibleModule, nsswitch: str = "/etc/nsswitch.conf") -> tuple[dict[str, t.Any], str]:
    """The rules of sudo in its own reader's words, which follows includes and expands aliases; and why they are not known, or not all."""
    if not module.get_bin_path("sudo"):
        return {}, ""
    if not module.get_bin_path("cvtsudoers"):
        return {}, NO_READER()
    # without /etc/cvtsudoers.conf, which may leave out rules
    argv = ["cvtsudoers", "--config=/dev/null", "--expand-aliases", "--output-format=json", "/etc/sudoers"]
    code, out, err = module.run_command(argv, environ_update={"LC_ALL": "C", "LANGUAGE": "C"})
    document = None if code else parsed(out)
    if document is None:
        why = next(iter(err.strip().replace("cvtsudoers: ", "").splitlines()), NO_JSON())
        return {}, UNREADABLE(why=why.encode("utf-8", "replace").decode())
    try:
        with open(nsswitch, encoding="utf-8", errors="replace") as handle:
            others = other_sources(handle.read())
    except OSError:
        others = []
    return document, ELSEWHERE(others=", ".join(others)) if others else ""


def main() -> None:
    names = dict(type="list", elements="str", default=[])
    processes = dict(type="list", elements="int", default=[])
    module = AnsibleModule(argument_spec=dict(groups=names, paths=names, licences=names, processes=processes), supports_check_mode=True)
    users, missing = members(module.params["groups"])
    told, unknown = sudoers(module)
    rooted = administrators(told)
    module.exit_json(
        changed=False,
        now=time.time(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory_bytes(),
        max_map_count=max_map_count(),
        users=users,
        missing_groups=missing,
        administrators=rooted,
        administrators_unknown=unknown,
        gpulab_reading={"kind": "administrator", "administrators": rooted, "unknown": unknown},
        storage=storage(module.params["paths"]),
        licences=sorted(path for pattern in module.params["licences"] for path in glob.glob(pattern) if os.path.isfile(path) and os.path.getsize(path)),
        tasks=tasks(module.params["processes"]),
    )


if __name__ == "__main__":
    main()
