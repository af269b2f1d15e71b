#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: explanation
short_description: Say why a host had trouble, the likeliest cause first
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Puts lines, GPU readings and alerts of a window of time on one timeline, and tells causes from what came of them by the table of signals.
  - Writes a page on the control node; nothing is changed elsewhere. A dry run says the same, and writes none.
extends_documentation_fragment:
  - gpulab.expansion.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  host:
    description: The host.
    type: str
    required: true
  logs:
    description: What M(gpulab.expansion.log_lines_info) has returned.
    type: dict
    required: true
  gpus:
    description:
      - What M(gpulab.expansion.prometheus_info) has returned, with the labels C(gpu) and C(metric), which is C(utilization), C(memory) (both shares)
        or C(temperature) (in degrees Celsius).
    type: dict
    default: {}
  signals:
    description: The table of signals, as C(roles/elk/files/signals.yml) has it.
    type: dict
    required: true
  language:
    description: Of the sentence, and in which the page opens; it has both.
    type: str
    choices: [en, zh]
    default: en
  directory:
    description: Where the page is written, on the control node.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: What was wrong?
  gpulab.expansion.explanation:
    host: gpu1
    logs: "{{ logs }}"
    signals: "{{ lookup('ansible.builtin.file', 'signals.yml') | from_yaml }}"
    directory: reports
"""

RETURN = r"""
msg:
  description: The likeliest cause and what to do, in a sentence or two.
  returned: always
  type: str
causes:
  description: All causes with C(host), C(device), C(signal), C(name), C(advice), C(first), C(last), C(count), C(follows), C(score) and more.
  returned: always
  type: list
  elements: dict
page:
  description: File of the page.
  returned: always
  type: str
"""
