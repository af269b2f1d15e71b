#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: call_needs
short_description: Check how a playbook was called, before it does anything
version_added: 0.2.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Says in one sentence what the call leaves out. Runs on whichever host C(--limit) leaves, so its play has C(hosts)
    V(localhost:all) and this task C(run_once).
  - Changes nothing, and asks no host.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  variables:
    description: Extra variables that must be set, each with an example.
    type: dict
    default: {}
  hosts:
    description: Extra variables that must name a host, each with the group in which it must be.
    type: dict
    default: {}
  groups:
    description: Groups that must have a host.
    type: list
    elements: str
    default: []
  in_run:
    description: Groups all of whose hosts must be in this run; V(group[0]) for the first of them, and V(localhost).
    type: list
    elements: str
    default: []
  because:
    description: Why those must be in this run.
    type: str
    default: the play needs what it tells
"""

EXAMPLES = r"""
- name: What the call names
  hosts: localhost:all
  gather_facts: false
  any_errors_fatal: true
  strategy: ansible.builtin.linear
  tasks:
    - name: Check it
      gpulab.expansion.call_needs:
        variables: {restore_paths: /home/alice/thesis}
        hosts: {restore_host: all}
        groups: [borg_server]
      run_once: true
"""

RETURN = r"""
msg:
  description: That the call names what it needs.
  returned: success
  type: str
"""
