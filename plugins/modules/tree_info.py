#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_info
short_description: Read the digest of every file below some paths
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - For comparing a restored tree with its original. Symbolic links are told by their target and never followed.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  root:
    description: Directory that stands for C(/).
    type: path
    default: /
  paths:
    description: Absolute paths below O(root).
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Read what was restored
  gpulab.expansion.tree_info:
    root: /var/tmp/restored
    paths: [/home/alice]
"""

RETURN = r"""
tree:
  description: By path, C(content) (the SHA-256 of a file, the target of a link), C(mode), C(changed) (time of last status change).
  returned: always
  type: dict
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host import sha256_of


def read(root: str, path: str) -> dict[str, object] | None:
    real = root.rstrip("/") + path
    try:
        info = os.lstat(real)
        if stat.S_ISLNK(info.st_mode):
            content = "link to " + os.readlink(real)
        elif stat.S_ISREG(info.st_mode):
            content = sha256_of(real)
        else:
            return None
    except FileNotFoundError:  # gone while it was being read
        return None
    return {"content": content, "mode": "%04o" % stat.S_IMODE(info.st_mode), "changed": info.st_ctime}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(root=dict(type="path", default="/"), paths=dict(type="list", elements="path", required=True)), supports_check_mode=True
    )
    root = module.params["root"]
    found: list[str] = []
    for top in module.params["paths"]:
        below = root.rstrip("/") + top
        if not os.path.isdir(below):
            found.append(top)
        for folder, _folders, files in os.walk(below):
            inside = folder[len(root.rstrip("/")) :]
            found += [os.path.join(inside, name) for name in files + [f for f in _folders if os.path.islink(os.path.join(folder, f))]]
    tree = {path: entry for path in found for entry in [read(root, path)] if entry is not None}
    module.exit_json(changed=False, tree=tree)


if __name__ == "__main__":
    main()
