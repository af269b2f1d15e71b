# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: restore_comparison
short_description: Compare a restored tree with its original
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - A file of the original that has not been touched since the archive began must have been restored as it is. One that has been
    touched since proves nothing and is counted apart.
options:
  _input:
    description: RV(gpulab.expansion.tree_info#module:tree) of what was restored.
    type: dict
    required: true
  original:
    description: RV(gpulab.expansion.tree_info#module:tree) of the original.
    type: dict
    required: true
  since:
    description: When the archive began, in seconds since the epoch.
    type: float
    required: true
  without:
    description: Paths that the backup leaves out, with what is below them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Compare
  ansible.builtin.debug:
    msg: "{{ restored.tree | gpulab.expansion.restore_comparison(original=original.tree, since=archive.start) }}"
"""

RETURN = r"""
_value:
  description: C(equal) and C(changed_since), numbers; C(different) and C(missing), paths.
  type: dict
"""

import typing as t

Tree = t.Mapping[str, t.Mapping[str, t.Any]]


def restore_comparison(tree: Tree, original: Tree, since: float, without: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """C(tree) and C(original) map paths to content, mode and changed, as tree_info returns them."""
    equal, changed_since = 0, 0
    different: list[str] = []
    missing: list[str] = []
    for path, entry in original.items():
        if entry["changed"] >= since:
            changed_since += 1
        elif any(path == left_out or path.startswith(left_out + "/") for left_out in without):
            continue
        elif path not in tree:
            missing.append(path)
        elif (tree[path]["content"], tree[path]["mode"]) != (entry["content"], entry["mode"]):
            different.append(path)
        else:
            equal += 1
    return {"equal": equal, "changed_since": changed_since, "different": different, "missing": missing}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"restore_comparison": restore_comparison}
