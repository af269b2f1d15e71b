# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: signal_problem
short_description: What is wrong with a table of signals, or with regular expressions
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - So that a role can say it in its preflight, before anything is changed.
options:
  _input:
    description: A table, as C(roles/elk/files/signals.yml) has it, or a list of regular expressions.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: The patterns are regular expressions
  ansible.builtin.assert:
    that: (['^a+$'] | gpulab.expansion.signal_problem) == ''
"""

RETURN = r"""
_value:
  description: A sentence, or nothing.
  type: str
"""

import typing as t

from ..plugin_utils._logs.signals import SignalError, check, regex_problem


def signal_problem(found: t.Union[dict[str, t.Any], list[str]]) -> str:
    if isinstance(found, dict):
        try:
            check(found)
        except SignalError as exc:
            return str(exc)
        return ""
    wrong = [f"{pattern!r} is expected to be a regular expression, but {regex_problem(pattern)}" for pattern in found if regex_problem(pattern)]
    return "; ".join(wrong) + (": correct it." if wrong else "")


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"signal_problem": signal_problem}
