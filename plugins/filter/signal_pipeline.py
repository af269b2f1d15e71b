# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: signal_pipeline
short_description: The ingest pipeline that marks what lines of logs mean
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - From the table of signals of the role elk.
options:
  _input:
    description: The table, as C(roles/elk/files/signals.yml) has it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What is made of the table
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'signals.yml') | from_yaml | gpulab.expansion.signal_pipeline }}"
"""

RETURN = r"""
_value:
  description: Body of an ingest pipeline, for OpenSearch and Elasticsearch.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ..plugin_utils._logs.signals import SignalError, pipeline


def signal_pipeline(table: dict[str, t.Any]) -> t.Any:
    try:
        return pipeline(table)
    except SignalError as exc:
        raise AnsibleFilterError(str(exc)) from exc


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"signal_pipeline": signal_pipeline}
