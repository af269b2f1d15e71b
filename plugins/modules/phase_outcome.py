#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: phase_outcome
short_description: Say for each roadmap module of a phase what became of it
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - The last task of a phase playbook. Modules whose group is empty are skipped and said so.
  - Fails when a gate stopped a module that has hosts, so that a pipeline does not take a missing module for a deployed one. All
    other modules have been deployed by then.
  - Writes a record of acceptance, with what was verified, beside each approved request whose module was brought to its end on all hosts.
extends_documentation_fragment:
  - gpulab.expansion.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  requests:
    description: Directory with the lab's requests, on the control node; empty, or one that is not there, has none.
    type: str
    default: ""
  phase:
    description: The roadmap's phase; its modules and their groups of the inventory are told there, and what M(gpulab.expansion.roadmap_gate) said in this run.
    type: int
    required: true
  roadmap:
    description: File of the lab's own roadmap on the control node; by default the collection's.
    type: path
"""

EXAMPLES = r"""
- name: Say what became of each module
  gpulab.expansion.phase_outcome:
    phase: 1
"""

RETURN = r"""
gpulab_outcomes:
  description: C(module) and C(outcome), for the report.
  returned: always
  type: list
  elements: dict
"""
