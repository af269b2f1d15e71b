#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_networks
short_description: Check the addresses of the lab before anything is changed
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Judges the inventory alone; resolves no name and asks no host.
  - Networks that overlap, an address in no declared network, two hosts with one address and a host without any are told, all of them at once.
  - The address by which Ansible reaches a host counts for the network that it lies in, and is said. Without networks nothing is checked.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  networks:
    description: By name, as C(management) or C(storage), each with C(cidr), and C(hosts), which are addresses by host of the inventory.
    type: dict
    default: {}
  hosts:
    description: The hosts of the inventory, with what Ansible reaches each by.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check the addresses
  gpulab.expansion.lab_networks:
    networks:
      storage: {cidr: 10.20.0.0/24, hosts: {gpu1: 10.20.0.11, store1: 10.20.0.21}}
    hosts: {gpu1: 10.10.0.11, store1: store1.lab.example}
"""

RETURN = r"""
networks:
  description: The cidr of each network.
  returned: always
  type: dict
addresses:
  description: By host, its address in each network that it has one in.
  returned: always
  type: dict
"""
