#!/usr/bin/python
# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: log_lines_info
short_description: Read what the logs say of a host in a window of time
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - Reads the lines whose meaning is known, of the host and, where somebody is called for them, of all hosts; what programs logged as errors;
    whom the alerts called; and by how much each host's clock is off.
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
  alerts:
    description: Index in which ElastAlert2 notes whom it called; empty for none.
    type: str
    default: ""
  host:
    description: The host.
    type: str
    required: true
  since:
    description: Begin of the window, as C(2h) ago, or as C(2026-11-24T10:00) in UTC.
    type: str
    required: true
  until:
    description: Its end, in the same ways; empty for now.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: What was wrong with this host?
  gpulab.expansion.log_lines_info:
    engine: opensearch
    url: https://localhost:9200
    username: viewer
    password: "{{ viewer_password }}"
    index: logs-lab-*
    host: gpu1
    since: 2h
"""

RETURN = r"""
since:
  description: Begin of the window, seconds since the epoch.
  returned: always
  type: float
until:
  description: Its end, seconds since the epoch.
  returned: always
  type: float
total:
  description: How many lines the host has in it.
  returned: always
  type: int
lines:
  description: Those whose meaning is known, by time; at most 5000.
  returned: always
  type: list
  elements: dict
left_out:
  description: How many more there were.
  returned: always
  type: int
errors:
  description: By program, and whose where it is a user's, how many lines it logged as errors, and the newest of them.
  returned: always
  type: list
  elements: dict
before:
  description: By service that failed, the last lines it had logged.
  returned: always
  type: dict
called:
  description: When which rule called somebody, and for which device.
  returned: always
  type: list
  elements: dict
clock:
  description: Seconds by which the clock of the host is ahead of the engine's, by its own beat; null when it was not heard.
  returned: always
  type: float
"""

import datetime
import time
import typing as t
from urllib.parse import quote

from ..module_utils._json_api import ApiError, access_of
from ..module_utils._logs import clock_skew
from ..module_utils._sealed import SealedModule
from ..module_utils._search.client import ACCESS_SPEC, Access, Client
from ..module_utils._window import duration_seconds

MOST = 5000
# Numbers of accounts that are people's.
_USERS = {"terms": {"field": "user.id", "size": 3, "include": "[1-9][0-9]{3,}"}}


def main() -> None:
    module = SealedModule(
        argument_spec=dict(
            index=dict(type="str", required=True),
            alerts=dict(type="str", default=""),
            host=dict(type="str", required=True),
            since=dict(type="str", required=True),
            until=dict(type="str", default=""),
            **ACCESS_SPEC,
        ),
        supports_check_mode=True,
    )
    wanted = module.plain
    now = time.time()
    since, until = (_moment(module, name, now) for name in ("since", "until"))
    if since >= until:
        module.fail_json(msg=f"since is expected to be before until, but is {since - until:.0f} s after it: correct one of them.")
    client = Client(module.run_command, access_of(Access, wanted))
    try:
        client.wait(wanted["wait_seconds"])
        module.exit_json(changed=False, since=since, until=until, **_read(client, wanted, since, until))
    except ApiError as exc:
        module.fail_json(msg=str(exc))


def _moment(module: SealedModule, name: str, now: float) -> float:
    text = module.plain[name].strip()
    if not text:
        return now
    ago = duration_seconds(text)
    if ago is not None:
        return now - ago
    try:
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        module.fail_json(msg=f"{name} is expected to be a time as 2026-11-24T10:00 in UTC, or as 2h ago, but is {text!r}: correct it.")
    return (when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)).timestamp()


def _read(client: Client, wanted: dict[str, t.Any], since: float, until: float) -> dict[str, t.Any]:
    where = f"/{quote(wanted['index'], safe='*,')}/_search?ignore_unavailable=true"
    window = {"range": {"@timestamp": {"gte": int(since * 1000), "lte": int(until * 1000), "format": "epoch_millis"}}}
    here = {"term": {"host.name": wanted["host"]}}
    loud = {"terms": {"signal.severity": ["critical", "warning"]}}
    known = {"bool": {"filter": [window, {"exists": {"field": "signal.id"}}], "should": [here, loud], "minimum_should_match": 1}}
    asked = {"query": known, "size": MOST, "sort": ["@timestamp"], "track_total_hits": True, "docvalue_fields": _time("@timestamp")}
    found = client.search(where, asked)
    lines = [line for row in found["hits"]["hits"] for line in [_line(row)] if line]
    newest = {"top_hits": {"size": 1, "sort": [{"@timestamp": "desc"}], "_source": ["message"]}}
    programs: dict[str, t.Any] = {"terms": {"field": "process.name", "size": 10}, "aggs": {"newest": newest, "users": _USERS}}
    wrong = {"filter": {"terms": {"log.level": ["emerg", "alert", "crit", "err"]}}, "aggs": {"programs": programs}}
    whole: dict[str, t.Any] = {"query": {"bool": {"filter": [window, here]}}, "size": 0, "track_total_hits": True, "aggs": {"wrong": wrong}}
    counted = client.search(where, whole)
    services = sorted({line["device"] for line in lines if line["signal"] == "unit_failed" and line["host"] == wanted["host"]})[:10]
    return {
        "lines": lines,
        "left_out": found["hits"]["total"]["value"] - len(lines),
        "total": counted["hits"]["total"]["value"],
        "errors": [
            {
                "program": row["key"] + _of(row),
                "count": row["doc_count"],
                "newest": str(row["newest"]["hits"]["hits"][0]["_source"].get("message", "")),
            }
            for row in counted.get("aggregations", {}).get("wrong", {}).get("programs", {}).get("buckets", [])
        ],
        "before": {name: _before(client, where, here, window, name) for name in services},
        "called": _called(client, wanted, window) if wanted["alerts"] else [],
        "clock": _clock(client, where, here),
    }


def _of(row: dict[str, t.Any]) -> str:
    """Whose lines these are, where they are not the system's, because a name is free to anybody."""
    users = sorted(each["key"] for each in row.get("users", {}).get("buckets", []))
    return f" of user {', '.join(users)}" if users else ""


def _line(row: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """None of a line in another form, as anybody can send it who may write: it is left out, and the others are told."""
    try:
        return _told(row)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        return None


def _told(row: dict[str, t.Any]) -> dict[str, t.Any]:
    source = row["_source"]
    signal = source["signal"]
    job, container = source.get("slurm", {}).get("job", {}).get("id"), source.get("container", {}).get("name")
    who = f"job {job}" if job else f"container {container}" if container else ""
    return {
        "when": _moment_of(row, "@timestamp"),
        "host": source["host"]["name"],
        "device": source.get("device", {}).get("name", ""),
        "signal": signal["id"],
        **{name: signal.get(name, "") for name in ("name", "name_zh", "severity", "class", "advice", "advice_zh")},
        "message": source["message"],
        "xid": source.get("gpu", {}).get("xid", 0),
        "who": who or _program(source),
    }


def _program(source: dict[str, t.Any]) -> str:
    """The process that the line is of: whom the kernel names, or who wrote it."""
    process = source.get("process", {})
    name = source.get("process_name") or process.get("name") or ""
    if name in ("", "kernel", "systemd", "<unknown>"):
        return ""
    return name + (f"[{process['pid']}]" if process.get("pid") else "")


def _before(client: Client, where: str, here: dict[str, t.Any], window: dict[str, t.Any], service: str) -> list[str]:
    body = {
        "query": {"bool": {"filter": [window, here, {"term": {"service.name": service}}]}},
        "size": 5,
        "sort": [{"@timestamp": "desc"}],
        "_source": ["message"],
    }
    return [str(row["_source"].get("message", "")) for row in reversed(client.search(where, body)["hits"]["hits"])]


def _called(client: Client, wanted: dict[str, t.Any], window: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    when = {"range": {"alert_time": window["range"]["@timestamp"]}}
    body: dict[str, t.Any] = {"query": {"bool": {"filter": [when, {"term": {"alert_sent": True}}]}}, "size": 500, "sort": ["alert_time"]}
    body["docvalue_fields"] = _time("alert_time")
    told = []
    for row in client.search(f"/{quote(wanted['alerts'], safe='*,')}/_search?ignore_unavailable=true", body)["hits"]["hits"]:
        match = row["_source"].get("match_body", {})
        host, device = (each.get("name", "") if isinstance(each, dict) else "" for each in (match.get("host"), match.get("device")))
        told.append({"when": _moment_of(row, "alert_time"), "rule": row["_source"]["rule_name"], "host": host, "device": device})
    return [row for row in told if row["host"] == wanted["host"]]


def _clock(client: Client, where: str, here: dict[str, t.Any]) -> float | None:
    found = client.search(where, {"size": 0, "query": {"bool": {"filter": [here, clock_skew.BEATS]}}, "aggs": {"last": clock_skew.LAST}})
    return clock_skew.ahead(found["aggregations"]["last"]) if "aggregations" in found else None


def _moment_of(row: dict[str, t.Any], field: str) -> float:
    """The time in C(field) of a hit, as the engine itself understands it."""
    return float(row["fields"][field][0]) / 1000


def _time(field: str) -> list[dict[str, str]]:
    return [{"field": field, "format": "epoch_millis"}]


if __name__ == "__main__":
    main()
