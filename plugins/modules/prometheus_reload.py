#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_reload
short_description: Have Prometheus load files that were written after it last loaded its configuration
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Compares the time of the files with the time at which Prometheus says that it last loaded its configuration, and reloads its unit when one is
    newer. So a run that was interrupted between writing and reloading is mended by the next.
  - A reload that Prometheus refuses is a failure with a sentence; Prometheus goes on with what it had.
extends_documentation_fragment:
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.predicting
  - gpulab.expansion.sealed
options:
  url:
    description: Where Prometheus answers, as seen from the host.
    type: str
    required: true
  unit:
    description: Its systemd unit.
    type: str
    default: prometheus.service
  paths:
    description: Files that Prometheus reads with its configuration.
    type: list
    elements: path
    required: true
  targets_file:
    description: File of targets, which Prometheus reads by itself; a dry run that would first write it cannot know the targets yet.
    type: path
  targets:
    description: Targets as C(host:port) to wait for, up to 15 seconds, because Prometheus finds them a little later.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have Prometheus load the rules
  gpulab.expansion.prometheus_reload:
    url: http://localhost:9090
    paths: [/etc/prometheus/rules/lab.yml]
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that would first write one of the files, else V(present).
  returned: always
  type: str
groups:
  description: Names of the rule groups that Prometheus has loaded.
  returned: always
  type: list
  elements: str
targets:
  description: The targets that Prometheus asks.
  returned: always
  type: list
  elements: str
gpulab_prediction:
  description: The Prometheus that loads its files again.
  returned: always
  type: list
  elements: dict
"""

import json
import os
import re
import typing as t

from ansible.module_utils.urls import open_url

from ..module_utils._prediction import prediction, unknown
from ..module_utils._sealed import SealedModule
from ..module_utils._waiting import read_until

_LOADED = "prometheus_config_last_reload_success_timestamp_seconds"
_WELL = "prometheus_config_last_reload_successful"


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            url=dict(type="str", required=True),
            unit=dict(type="str", default="prometheus.service"),
            paths=dict(type="list", elements="path", required=True),
            targets_file=dict(type="path"),
            targets=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    wanted = module.plain
    url = wanted["url"].rstrip("/")

    def get(path: str) -> str:
        return t.cast(str, open_url(f"{url}{path}", timeout=10).read().decode())

    def metric(name: str) -> float:
        found = re.search(rf"(?m)^{name} (\S+)$", get("/metrics"))
        return float(found.group(1)) if found else 0.0

    try:
        written = max((os.stat(path).st_mtime for path in wanted["paths"] if os.path.exists(path)), default=0.0)
        stale = written > metric(_LOADED)
        change = [prediction("prometheus", url, {"loaded": metric(_LOADED)}, {"loaded": unknown("time")})] if stale else []
        if stale and not module.check_mode:
            module.run_command(["systemctl", "reload", "--", wanted["unit"]], check_rc=True)
            loaded = read_until(lambda: metric(_LOADED), lambda when: when > written or not metric(_WELL), 15, 0.5)
            if loaded <= written:
                module.fail_json(
                    msg=f"Prometheus at {url} is expected to load {', '.join(wanted['paths'])}, but refuses and goes on with what it had: "
                    f"see journalctl -u {wanted['unit']}."
                )
            change[0]["after"]["loaded"] = loaded
        known = read_until(lambda: targets(get), lambda found: not set(wanted["targets"]) - set(found), 15, 0.5)
        groups = [group["name"] for group in json.loads(get("/api/v1/rules"))["data"]["groups"]]
    except (OSError, ValueError, KeyError) as exc:
        module.fail_json(msg=f"Prometheus is expected to answer at {url}, but does not: {exc}. Start {wanted['unit']}, or correct the address.")
    module.exit_json(changed=bool(change), state="present", groups=sorted(groups), targets=known, gpulab_prediction=change)


def targets(get: t.Callable[[str], str]) -> list[str]:
    found = json.loads(get("/api/v1/targets?state=active"))["data"]["activeTargets"]
    return sorted({row["labels"].get("instance", "") for row in found})


if __name__ == "__main__":
    main()
