#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: search_info
short_description: Read how OpenSearch or Elasticsearch is, and how fresh the logs of each host are
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Waits for an engine that is starting until it has all primary shards, then tells its health, and with O(index) the newest line of each host.
extends_documentation_fragment:
  - gpulab.expansion.search
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.sealed
options:
  index:
    description: Indices with the logs, with wildcards; empty for none.
    type: str
    default: ""
  hosts:
    description: Hosts to wait for, up to O(wait_lines) seconds, until each has a line that is younger than that.
    type: list
    elements: str
    default: []
  alerts:
    description: Prefix of the indices in which ElastAlert2 notes what it did; empty for none.
    type: str
    default: ""
  rules:
    description: Names of its rules to wait for, up to O(wait_lines) seconds, until each was looked at.
    type: list
    elements: str
    default: []
  nodes:
    description: Nodes to wait for, up to O(wait_seconds), until so many are there and every line has all its copies; 0 for none.
    type: int
    default: 0
  wait_lines:
    description: Seconds.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: How is the engine
  gpulab.expansion.search_info:
    engine: opensearch
    url: https://localhost:9200
    username: viewer
    password: "{{ viewer_password }}"
    index: logs-lab-*
"""

RETURN = r"""
state:
  description: V(pending) in a dry run that would first start the engine, else V(present).
  returned: always
  type: str
version:
  description: Version of the engine.
  returned: when present
  type: str
status:
  description: V(green), V(yellow) when copies are missing, or V(red) when lines are missing.
  returned: when present
  type: str
nodes:
  description: Number of its nodes.
  returned: when present
  type: int
newest:
  description: Seconds since the engine got the newest line of each host, by host.
  returned: when present
  type: dict
rules:
  description: Names of the rules that ElastAlert2 has looked at within two minutes.
  returned: when present
  type: list
  elements: str
"""

import time
import typing as t

from ..module_utils._json_api import ApiError, access_of
from ..module_utils._sealed import SealedModule
from ..module_utils._search.client import ACCESS_SPEC, Access, Client
from ..module_utils._waiting import read_until

HEALTH = "/_cluster/health?master_timeout=5s"


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            index=dict(type="str", default=""),
            hosts=dict(type="list", elements="str", default=[]),
            alerts=dict(type="str", default=""),
            rules=dict(type="list", elements="str", default=[]),
            nodes=dict(type="int", default=0),
            wait_lines=dict(type="int", default=30),
            **ACCESS_SPEC,
        ),
        supports_check_mode=True,
    )
    wanted = module.plain
    client = Client(module.run_command, access_of(Access, wanted))

    def all_heard(newest: dict[str, float]) -> bool:
        return all(newest.get(host, wanted["wait_lines"] + 1) <= wanted["wait_lines"] for host in wanted["hosts"])

    def health_of() -> dict[str, t.Any]:
        try:
            return t.cast("dict[str, t.Any]", client.get(HEALTH))
        except ApiError:  # too few to agree on anything
            return {"status": "red", "number_of_nodes": 0}

    def well(health: dict[str, t.Any]) -> bool:
        return health["number_of_nodes"] >= wanted["nodes"] and health["status"] in (["green"] if wanted["nodes"] else ["green", "yellow"])

    try:
        told = client.wait(wanted["wait_seconds"]) or client.get("/")
        health = read_until(health_of, well, wanted["wait_seconds"], 1.0)
        newest = read_until(lambda: _newest(client, wanted["index"]), all_heard, wanted["wait_lines"], 1.0) if wanted["index"] else {}
        rules = read_until(lambda: _rules(client, wanted["alerts"]), set(wanted["rules"]).issubset, wanted["wait_lines"], 1.0) if wanted["alerts"] else []
    except ApiError as exc:
        module.fail_json(msg=str(exc))
    told = dict(version=told["version"]["number"], status=health["status"], nodes=health["number_of_nodes"])
    module.exit_json(changed=False, state="present", newest=newest, rules=rules, **told)


def _newest(client: Client, index: str) -> dict[str, float]:
    last = {"newest": {"max": {"field": "event.ingested"}}}
    body: dict[str, t.Any] = {"size": 0, "aggs": {"hosts": {"terms": {"field": "host.name", "size": 10000}, "aggs": last}}}
    found = client.search(f"/{index}/_search?ignore_unavailable=true", body)
    rows = found.get("aggregations", {}).get("hosts", {}).get("buckets", [])
    return {row["key"]: time.time() - row["newest"]["value"] / 1000 for row in rows if row["newest"]["value"] is not None}


def _rules(client: Client, alerts: str) -> list[str]:
    lately = {"range": {"@timestamp": {"gte": "now-2m"}}}
    body: dict[str, t.Any] = {"size": 0, "query": lately, "aggs": {"rules": {"terms": {"field": "rule_name", "size": 10000}}}}
    found = client.search(f"/{alerts}_status/_search?ignore_unavailable=true", body)
    return sorted(row["key"] for row in found.get("aggregations", {}).get("rules", {}).get("buckets", []))


if __name__ == "__main__":
    main()
