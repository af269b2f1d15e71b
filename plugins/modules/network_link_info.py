#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network_link_info
short_description: Read the network links of a host and the traffic on them
description:
  - Reads speed and kind of each link, and measures its traffic from the kernel's counters. RDMA traffic of InfiniBand and
    RoCE is read from the port, because it passes the interface's own counters by.
author: The gpulab.expansion authors (@gpulab)
version_added: 0.1.0
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  interfaces:
    description: Names of the links to read; without it those of hardware, not bridges and containers.
    type: list
    elements: str
    default: []
  seconds:
    description: How long to measure.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Measure the traffic of five seconds
  gpulab.expansion.network_link_info:
    seconds: 5
  register: links
"""

RETURN = r"""
links:
  description: One record for each link; C(kind) is ethernet, infiniband or roce, C(speed_gbps) none when the driver does not tell.
  returned: always
  type: list
  elements: dict
  sample: [{name: eth0, kind: ethernet, up: true, speed_gbps: 10.0, received_bytes: 1, sent_bytes: 2}]
series:
  description:
    - What M(gpulab.expansion.network_link_threshold_check) judges. C(metric), C(device), C(samples) of seconds since the epoch and value, and
      C(reason) when there are none.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._usage.host import links, rates


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(interfaces=dict(type="list", elements="str", default=[]), seconds=dict(type="float", default=1.0)),
        supports_check_mode=True,
    )
    found, samples = rates(lambda: links(module.params["interfaces"]), module.params["seconds"], min(1.0, module.params["seconds"] / 10))
    series = [{"metric": "link_rate", "device": name, "samples": taken, "reason": ""} for name, taken in samples.items()]
    known = {link["name"] for link in found}
    missing = [name for name in module.params["interfaces"] if name not in known]
    series += [{"metric": "link_rate", "device": name, "samples": [], "reason": "there is no such link"} for name in missing]
    module.exit_json(changed=False, links=found, series=series)


if __name__ == "__main__":
    main()
