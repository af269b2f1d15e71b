#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: roadmap_gate
short_description: Judge whether a module of the roadmap may be deployed
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Compares what a roadmap module needs with what is measured and declared. A gate that is not open is a result, not a failure;
    the phase playbooks skip that module and say why.
  - What is unknown, older than a day, without enough history or contradictory keeps a gate from opening, and is told.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  module:
    description: Name of the roadmap module; without it all are judged, for the report.
    type: str
  evidence:
    description:
      - Readings by name of the evidence, each with C(source) (V(prometheus) or V(host)), C(time) in seconds since the epoch, C(value) in the
        evidence's unit, C(samples) as pairs of time and value for what must hold over a window, and C(reason) when it is not known.
    type: dict
    default: {}
  declared:
    description: What the inventory declares, by name of the evidence; true or false, or a number.
    type: dict
    default: {}
  overrides:
    description: >-
      Who answers for a module whose gate is not open, each with C(module), C(by), C(reason) and C(until), its last day as C(2026-12-31).
    type: list
    elements: dict
    default: []
  requests:
    description:
      - Directory with the lab's requests, on the control node. Where it is, a module that no approved request of the team asks for is V(closed),
        except in a dry run. Empty, or a directory that is not there, asks for none.
    type: str
    default: ""
  roadmap:
    description: File with the roadmap, on the control node; without it the one of this collection.
    type: path
"""

EXAMPLES = r"""
- name: May backups be deployed?
  gpulab.expansion.roadmap_gate:
    module: borg
    declared: {object_storage: true}
  register: gate

- name: Is it time for a scheduler?
  gpulab.expansion.roadmap_gate:
    module: slurm
    evidence:
      concurrent_tasks: [{source: prometheus, time: 1795514400, samples: "{{ tasks_of_last_week }}"}]
    overrides:
      - {module: slurm, by: Li Wei, reason: the course begins on Monday, until: "2026-12-31"}
"""

RETURN = r"""
state:
  description: V(open), V(closed), V(unknown) or V(overridden).
  returned: when O(module) is given
  type: str
passes:
  description: Whether the module may be deployed, that is, V(open) or V(overridden).
  returned: when O(module) is given
  type: bool
reason:
  description: A sentence for each need that does not hold.
  returned: when O(module) is given
  type: str
conditions:
  description: >-
    C(evidence), C(state) (V(holds), V(fails), V(unknown)), C(found), C(source), C(operator), C(limit), C(unit), C(window) in seconds and C(share)
    of each need.
  returned: when O(module) is given
  type: list
  elements: dict
gpulab_gates:
  description: All of this for each module that was judged, for the report.
  returned: always
  type: list
  elements: dict
"""
