#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_signal_replay_info
short_description: Try signals on the lines of the past
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Lets the engine put lines that it has through a pipeline that it need not have yet, and counts whom the signals would have called. Changes nothing.
extends_documentation_fragment:
  - gpulab.expansion.search
  - gpulab.expansion.attributes
  - gpulab.expansion.attributes.info_module
  - gpulab.expansion.sealed
options:
  index:
    description: Indices with the logs, with wildcards.
    type: str
    required: true
  signals:
    description: The signals that are tried, as C(roles/elk/files/signals.yml) has them.
    type: list
    elements: dict
    required: true
  pipeline:
    description: Body of the pipeline that marks lines, as the filter P(gpulab.expansion.signal_pipeline#filter) makes it of the whole table.
    type: dict
    required: true
  since:
    description: How far back, as C(7d).
    type: str
    required: true
  realert_minutes:
    description: Until the same device calls again.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Would it have called too often?
  gpulab.expansion.log_signal_replay_info:
    engine: opensearch
    url: https://localhost:9200
    username: admin
    password: "{{ admin_password }}"
    index: logs-lab-*
    signals: "{{ table.signals[-1:] }}"
    pipeline: "{{ table | gpulab.expansion.signal_pipeline }}"
    since: 7d
"""

RETURN = r"""
signals:
  description: For each signal its C(id), C(name), how many C(lines) have it and on which C(hosts), how often it C(calls), and its C(newest) line.
  returned: always
  type: list
  elements: dict
looked:
  description: How many lines were tried, the newest first, at most 10000.
  returned: always
  type: int
left_out:
  description: How many older ones could have been tried, too.
  returned: always
  type: int
"""

import time
import typing as t

from ..module_utils._json_api import ApiError, access_of
from ..module_utils._logs.replay import query, summary
from ..module_utils._sealed import SealedModule
from ..module_utils._search.client import ACCESS_SPEC, Access, Client
from ..module_utils._window import duration_seconds

MOST = 10000
BATCH = 500


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            index=dict(type="str", required=True),
            signals=dict(type="list", elements="dict", required=True),
            pipeline=dict(type="dict", required=True),
            since=dict(type="str", required=True),
            realert_minutes=dict(type="int", default=60),
            **ACCESS_SPEC,
        ),
        supports_check_mode=True,
    )
    wanted = module.plain
    ago = duration_seconds(wanted["since"])
    if ago is None:
        module.fail_json(msg=f"since is expected to be a time as 7d, 12h or 30min, but is {wanted['since']!r}: correct it.")
    client = Client(module.run_command, access_of(Access, wanted))
    try:
        client.wait(wanted["wait_seconds"])
        module.exit_json(changed=False, **_try(client, wanted, time.time() - ago))
    except ApiError as exc:
        module.fail_json(msg=str(exc))


def _try(client: Client, wanted: dict[str, t.Any], since: float) -> dict[str, t.Any]:
    body = {
        "query": query(wanted["signals"], since),
        "size": MOST,
        "sort": [{"@timestamp": "desc"}],
        "track_total_hits": True,
        "_source": ["message", "process", "host", "process_name", "log"],
        "docvalue_fields": [{"field": "@timestamp", "format": "epoch_millis"}],
    }
    found = client.search(f"/{wanted['index']}/_search?ignore_unavailable=true", body)
    rows = found["hits"]["hits"]
    lines = []
    for begin in range(0, len(rows), BATCH):
        part = rows[begin : begin + BATCH]
        asked = {"pipeline": wanted["pipeline"], "docs": [{"_source": row["_source"]} for row in part]}
        for row, told in zip(part, client.search("/_ingest/pipeline/_simulate", asked)["docs"]):
            source = told.get("doc", {}).get("_source", {})
            if "signal" in source:
                lines.append(
                    {
                        "when": float(row["fields"]["@timestamp"][0]) / 1000,
                        "host": source.get("host", {}).get("name", ""),
                        "device": source.get("device", {}).get("name", ""),
                        "signal": source["signal"]["id"],
                        "severity": source["signal"]["severity"],
                        "message": source["message"],
                    }
                )
    return {
        "signals": summary(wanted["signals"], lines, wanted["realert_minutes"] * 60.0),
        "looked": len(rows),
        "left_out": found["hits"]["total"]["value"] - len(rows),
    }


if __name__ == "__main__":
    main()
