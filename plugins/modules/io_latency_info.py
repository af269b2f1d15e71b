#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: io_latency_info
short_description: Measure how many requests to the disks are slow
description:
  - Takes each request's own time from the kernel's block events, because a mean hides the slow ones.
  - The events are taken for a bounded time in a trace instance of its own, which is removed, so that nobody else's tracing is
    touched. Where tracefs is not mounted it is mounted where only this module sees it.
  - It costs 4 MiB of kernel memory for each processor meanwhile, and about a microsecond for each request.
  - In a container the disks seen are those of the whole machine.
author: The gpulab.expansion authors (@gpulab)
version_added: 0.1.0
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
options:
  seconds:
    description: How long to measure.
    type: float
    default: 5.0
  slower_than_ms:
    description: A request that takes longer is slow.
    type: float
    default: 5.0
  disks:
    description: Kernel names of the disks to tell of; without it all that had requests.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Watch the disks for ten seconds
  gpulab.expansion.io_latency_info:
    seconds: 10
  register: latency
"""

RETURN = r"""
state:
  description: V(ok), or V(unknown) where the kernel gives no block events.
  returned: always
  type: str
  sample: ok
reason:
  description: Why it is unknown.
  returned: always
  type: str
disks:
  description: One record for each disk that had requests.
  returned: always
  type: list
  elements: dict
  sample: [{device: "259:0", name: nvme0n1, requests: 812, slow: 3, slow_percent: 0.37, p50_ms: 0.08, p99_ms: 1.9, max_ms: 7.1}]
series:
  description:
    - What M(gpulab.expansion.disk_threshold_check) judges. C(metric), C(device), C(samples) of seconds since the epoch and value, and
      C(reason) when there are none.
  returned: always
  type: list
  elements: dict
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._usage.io_latency import NotTraceable, disk_name, latencies, summary, trace


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            seconds=dict(type="float", default=5.0),
            slower_than_ms=dict(type="float", default=5.0),
            disks=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    begun = time.time()
    try:
        events, lost = trace(wanted["seconds"])
    except NotTraceable as exc:
        unknown = [{"metric": "disk_slow_requests", "device": name, "samples": [], "reason": str(exc)} for name in wanted["disks"] or ["disks"]]
        module.exit_json(changed=False, state="unknown", reason=str(exc), disks=[], series=unknown)
    ended = time.time()
    told = [summary(device, disk_name(device), found, wanted["slower_than_ms"] / 1000) for device, found in sorted(latencies(events).items())]
    disks = [disk for disk in told if not wanted["disks"] or disk["name"] in wanted["disks"]]
    reason = f"{lost} events were lost, because there were more than the buffer holds: measure for a shorter time" if lost else ""
    series = [
        {
            "metric": "disk_slow_requests",
            "device": disk["name"],
            # one value that speaks for the whole time
            "samples": [] if lost else [(begun + part * (ended - begun) / 20, disk["slow_percent"]) for part in range(21)],
            "reason": reason,
        }
        for disk in disks
    ]
    module.exit_json(changed=False, state="unknown" if lost else "ok", reason=reason, disks=disks, series=series)


if __name__ == "__main__":
    main()
