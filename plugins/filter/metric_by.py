# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: metric_by
short_description: Values of a metric by one of its labels, from a Prometheus textfile
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Lets a role verify by the same numbers from which alerts are made.
options:
  _input:
    description: Text in the Prometheus exposition format.
    type: str
    required: true
  metric:
    description: Name of the metric.
    type: str
    required: true
  label:
    description: Name of the label.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Age of the last watch
  ansible.builtin.debug:
    msg: "{{ text | gpulab.expansion.metric_by('gpulab_borg_admin_watched_timestamp_seconds', 'client') }}"
"""

RETURN = r"""
_value:
  description: Number by value of the label.
  type: dict
"""

import re
import typing as t


def metric_by(text: str, metric: str, label: str) -> dict[str, float]:
    """C(name{label="value",...} number) lines, https://prometheus.io/docs/instrumenting/exposition_formats/"""
    found = re.findall(r'(?m)^%s\{(?:[^}]*,)?%s="([^"]*)"[^}]*\} (\S+)' % (re.escape(metric), re.escape(label)), text)
    return {value: float(number) for value, number in found}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"metric_by": metric_by}
