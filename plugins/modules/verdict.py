#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Judge what was read back, with a sentence for the report
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Like M(ansible.builtin.assert), but it knows V(pending), and its sentence goes into the report of the run.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  list:
    description:
      - Several verdicts, each a dictionary of the other options, and O(ignore:when) as of a task. All are judged; the task fails when one does.
    type: list
    elements: dict
  subject:
    description: What is judged.
    type: str
  that:
    description: Conditions that must all hold. Not looked at when O(pending).
    type: list
    elements: raw
  pending:
    description:
      - Whether this dry run would first bring what is judged, as a boolean; or, as text, what it still waits for.
    type: raw
    default: false
  measured:
    description: What was found, for the report. Rendered only when all of O(that) hold.
    type: str
    default: ""
  otherwise:
    description: What was expected, what was found and what to do. Rendered only when one of O(that) does not hold.
    type: str
"""

EXAMPLES = r"""
- name: The reading is from now
  gpulab.expansion.verdict:
    subject: GPU metrics
    pending: "{{ seen.state == 'pending' }}"
    that: seen.now - seen.paths['/var/lib/gpulab/metrics/gpu.prom'].mtime < 60
    otherwise: The metrics are expected to be younger than 60 s, but are not; see journalctl -u gpulab-gpu-metrics.
"""

RETURN = r"""
gpulab_verdicts:
  description: C(subject), C(verdict) (V(ok), V(pending), V(failed)) and C(measured) of each.
  returned: always
  type: list
  elements: dict
"""
