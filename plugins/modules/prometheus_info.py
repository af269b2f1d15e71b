#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_info
short_description: Ask Prometheus for series over a window of time
description:
  - Asks several range queries. A Prometheus that cannot be reached, refuses, is slow, or whose clock disagrees is a result
    with a reason for each query, never a failure, because an audit shall say what it could not know.
author: The gpulab.expansion authors (@gpulab)
version_added: 0.1.0
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.prometheus
  - gpulab.expansion.sealed
options:
  queries:
    description: By name, C(query) (PromQL) and C(window) in seconds; 0 asks for the last value.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Ask for the week's tasks
  gpulab.expansion.prometheus_info:
    url: http://mgmt1:9090
    queries:
      tasks: {query: sum(gpulab_gpu_tasks), window: 604800}
  delegate_to: localhost
"""

RETURN = r"""
state:
  description: V(ok), V(none) without an address, or V(unknown).
  returned: always
  type: str
reason:
  description: Why it is unknown.
  returned: always
  type: str
answers:
  description: By name, C(series) with C(labels) and C(samples) of seconds since the epoch and value, and C(reason) when there are none.
  returned: always
  type: dict
"""

import time
import typing as t

from ansible.module_utils.urls import open_url

from ..module_utils._prometheus import Prometheus, PrometheusError
from ..module_utils._sealed import SealedModule


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            url=dict(type="str", default=""),
            token=dict(type="str", no_log=True),
            ca_path=dict(type="path"),
            timeout=dict(type="int", default=20),
            queries=dict(type="dict", required=True),
        ),
        supports_check_mode=True,
    )
    wanted = module.plain
    if not wanted["url"]:
        nothing = {name: {"series": [], "reason": "no Prometheus is named in lab_prometheus_url"} for name in wanted["queries"]}
        module.exit_json(changed=False, state="none", reason="", answers=nothing)

    def get(url: str, timeout: float) -> bytes:
        headers = {"Authorization": f"Bearer {wanted['token']}"} if wanted["token"] else {}
        return t.cast(bytes, open_url(url, headers=headers, timeout=timeout, ca_path=wanted["ca_path"]).read())

    server = Prometheus(get, wanted["url"], time.monotonic() + wanted["timeout"])
    try:
        server.check_clock(time.time())
    except PrometheusError as exc:
        unknown = {name: {"series": [], "reason": str(exc)} for name in wanted["queries"]}
        module.exit_json(changed=False, state="unknown", reason=str(exc), answers=unknown)
    results = {name: server.ask(asked["query"], float(asked.get("window", 0)), time.time()) for name, asked in wanted["queries"].items()}
    module.exit_json(changed=False, state="ok", reason="", answers=results)


if __name__ == "__main__":
    main()
