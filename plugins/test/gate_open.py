# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gate_open
short_description: Whether the gate of a roadmap module was open when this run judged it
version_added: 0.2.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Every play of a module asks this, on whichever host it runs. M(gpulab.expansion.roadmap_gate) judges once, at the beginning of the module's playbook.
  - Fails with a sentence when this run has not judged it, as with C(--start-at-task).
options:
  _input:
    description: Key of the module in the roadmap.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Only when the gate of the logs is open
  ansible.builtin.debug:
    msg: the engine may come
  when: "'elk' is gpulab.expansion.gate_open"
"""

RETURN = r"""
_value:
  description: Whether it was open.
  type: bool
"""

import typing as t

from ansible import constants
from ansible.errors import AnsibleError

from ..plugin_utils._ledger import Ledger


def gate_open(module: str) -> bool:
    gate = Ledger(constants.DEFAULT_LOCAL_TMP).gate(module)
    if not gate:
        raise AnsibleError(
            f"{module}: its gate is expected to be judged in this run before anything else, but was not: run its playbook from the beginning, without "
            "--start-at-task."
        )
    return bool(gate["passes"])


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"gate_open": gate_open}
