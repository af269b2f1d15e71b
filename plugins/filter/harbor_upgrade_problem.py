# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: harbor_upgrade_problem
short_description: Why one version of Harbor cannot become another
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Never an older one, nor more than two minor versions ahead at once.
options:
  _input:
    description: The version that runs; empty when none does.
    type: str
    required: true
  new:
    description: The version that shall run.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: May it be?
  ansible.builtin.debug:
    msg: "{{ '2.12.0' | gpulab.expansion.harbor_upgrade_problem(new='2.16.0') }}"
"""

RETURN = r"""
_value:
  description: A sentence; empty when nothing stands in the way.
  type: str
"""

import typing as t

from ..module_utils._harbor.upgrade import upgrade_problem


def harbor_upgrade_problem(old: str, new: str) -> str:
    return upgrade_problem(old, new)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"harbor_upgrade_problem": harbor_upgrade_problem}
