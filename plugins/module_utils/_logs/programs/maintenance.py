# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps retention of the logs, and tells Prometheus how the engine is. A timer runs it on one host of the engine.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ..._textfile import Textfile
from ..clock_skew import BEATS, LAST, ahead
from ..retention import DAY, Index, Policy, actions, policy_of

TIMEOUT, RESTORE = 30, 1800  # seconds
CHECKED = "restored-check"  # index that a snapshot is brought back into, to see whether it can be


class Engine:
    """The engine as one of its users sees it; C(config) has url, ca, username, password."""

    def __init__(self, config: t.Mapping[str, t.Any]) -> None:
        self._url = config["url"]
        context = ssl.create_default_context(cafile=config["ca"])
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
        self._who = base64.b64encode(f"{config['username']}:{config['password']}".encode()).decode()

    def ask(self, method: str, path: str, body: t.Any = None, timeout: float = TIMEOUT) -> t.Any:
        headers = {"Authorization": f"Basic {self._who}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        with self._opener.open(request, timeout=timeout) as answer:
            return json.load(answer)

    def streams(self, pattern: str) -> dict[str, list[Index]]:
        """The indices of each data stream, in the order in which they were made."""
        found = self.ask("GET", f"/_data_stream/{pattern}")["data_streams"]
        if not found:
            return {}
        made = self.ask("GET", f"/{pattern}/_settings/index.creation_date?flat_settings=true")
        sizes = self.ask("GET", f"/{pattern}/_stats/store?level=indices")["indices"]

        def index(name: str) -> Index:
            # one that was removed between the two questions counts as new, so nothing is done to it
            told = made.get(name, {}).get("settings", {}).get("index.creation_date")
            when = float(told) / 1000 if told else time.time()
            return Index(name, when, int(sizes.get(name, {}).get("total", {}).get("store", {}).get("size_in_bytes", 0)))

        return {stream["name"]: [index(row["index_name"]) for row in stream["indices"]] for stream in found}

    def older(self, pattern: str, when: float) -> list[str]:
        """Names of the indices that were made before C(when), seconds since the epoch."""
        found = self.ask("GET", f"/{pattern}/_settings/index.creation_date?flat_settings=true")
        return sorted(name for name, row in found.items() if float(row["settings"]["index.creation_date"]) / 1000 < when)

    def blocked(self, pattern: str) -> int:
        """Indices that the engine has made read-only, as it does when its disk is nearly full."""
        found = self.ask("GET", f"/{pattern}/_settings/index.blocks.*?flat_settings=true")
        return sum(1 for row in found.values() if any(str(value) == "true" for value in row["settings"].values()))

    def newest(self, pattern: str) -> dict[str, float]:
        """When the engine got the newest line of each host, seconds since the epoch."""
        body = {"size": 0, "aggs": {"hosts": {"terms": {"field": "host.name", "size": 10000}, "aggs": {"newest": {"max": {"field": "event.ingested"}}}}}}
        rows = self.ask("POST", f"/{pattern}/_search", body)["aggregations"]["hosts"]["buckets"]
        return {str(row["key"]): row["newest"]["value"] / 1000 for row in rows if row["newest"]["value"]}

    def recent(self, pattern: str) -> dict[str, tuple[float, float | None]]:
        """By host: how many lines of the last ten minutes its programs logged as errors, and by how many seconds its clock is ahead of the engine's."""
        wrong = {"filter": {"terms": {"log.level": ["emerg", "alert", "crit", "err"]}}}
        beats = {"filter": BEATS, "aggs": {"last": LAST}}
        hosts = {"terms": {"field": "host.name", "size": 10000}, "aggs": {"wrong": wrong, "beats": beats}}
        body = {"size": 0, "query": {"range": {"event.ingested": {"gte": "now-10m"}}}, "aggs": {"hosts": hosts}}
        rows = self.ask("POST", f"/{pattern}/_search", body)["aggregations"]["hosts"]["buckets"]
        return {str(row["key"]): (float(row["wrong"]["doc_count"]), ahead(row["beats"]["last"])) for row in rows}


def certificate_end(url: str) -> float:
    """When the certificate that is served there ends, seconds since the epoch; it may have ended. OSError or ValueError when there is none."""
    parts = urllib.parse.urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((parts.hostname or "", parts.port or 443), TIMEOUT) as plain, context.wrap_socket(plain) as served:
        der = served.getpeercert(binary_form=True)
    told = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-enddate"], input=der, capture_output=True, check=False)
    return float(ssl.cert_time_to_seconds(told.stdout.decode().strip().rpartition("=")[2]))


def retain(engine: Engine, config: t.Mapping[str, t.Any], streams: t.Mapping[str, list[Index]], now: float) -> int:
    """Do what is due; how many things were done."""
    policies = [Policy(**policy) for policy in config["retention"]]
    due = [action for name, indices in streams.items() for policy in [policy_of(name, policies)] if policy for action in actions(name, indices, policy, now)]
    failed = []
    for action in due:
        sys.stderr.write(f"{action.what} {action.name!r}: {action.why}\n")  # into the journal
        try:
            engine.ask(*(("POST", f"{_place(action.name)}/_rollover") if action.what == "rollover" else ("DELETE", _place(action.name))))
        except (OSError, ValueError) as exc:  # the others are kept nevertheless
            failed.append(f"{action.what} {action.name!r}: {exc}")
    # what ElastAlert2 notes of each look is of no use to anybody after a while
    old = {"query": {"range": {"@timestamp": {"lt": int((now - config["alert_days"] * DAY) * 1000), "format": "epoch_millis"}}}}
    engine.ask("POST", f"/{config['alerts']}*/_delete_by_query?conflicts=proceed&ignore_unavailable=true", old)
    # the engine begins its record of log-ins anew each day
    for name in engine.older(config["audit"], now - (config["audit_days"] + 1) * DAY):
        sys.stderr.write(f"delete {name!r}: {config['audit_days']} days of log-ins are kept\n")
        engine.ask("DELETE", _place(name))
    if failed:
        raise ValueError("; ".join(failed))
    return len(due)


def _place(name: str) -> str:
    """Where one index is; whoever may write makes names, and * would be all of them."""
    if not name or name.startswith(("_", "-")) or set(name) & set("*,?/"):
        raise ValueError(f"an index is expected to have a name of its own, but one is {name!r}")
    return f"/{urllib.parse.quote(name, safe='')}"


def look(engine: Engine, config: t.Mapping[str, t.Any], out: Textfile) -> None:
    """Tell what there is, and keep retention."""
    pattern = config["pattern"]
    if engine.ask("GET", f"/{CHECKED}?ignore_unavailable=true"):
        # the engine stopped while a snapshot was tried, and is red as long as what came back in part is there
        engine.ask("DELETE", f"/{CHECKED}")
    streams = engine.streams(pattern)
    # first, because an index that is read-only may be why the rest fails
    out.gauge("blocked_indices", "Indices that the engine has made read-only", float(engine.blocked(pattern) if streams else 0))
    retain(engine, config, streams, time.time())
    for name, indices in streams.items():
        out.gauge("store_bytes", "Bytes of a data stream on the disk", float(sum(index.size for index in indices)), stream=name)
        out.gauge("oldest_timestamp_seconds", "When its oldest index was made", indices[0].made, stream=name)
    for host, when in (engine.newest(pattern) if streams else {}).items():
        out.gauge("newest_line_timestamp_seconds", "When the newest line of a host came", when, host=host)
    for host, (errors, clock) in (engine.recent(pattern) if streams else {}).items():
        out.gauge("error_lines", "Lines of the last ten minutes that programs of a host logged as errors", errors, host=host)
        if clock is not None:
            out.gauge("clock_ahead_seconds", "By which the clock of a host is ahead of the engine's", clock, host=host)
    out.gauge("retained_timestamp_seconds", "When retention was last kept", time.time())


AGAIN = 3600.0  # seconds until what failed is done again


def snapshots(engine: Engine, config: t.Mapping[str, t.Any], out: Textfile) -> None:
    """Begin a snapshot each day; once it is done, bring a part of it back; and let the old ones go. They have the lines of C(pattern) and nothing else.

    A large one takes longer than a look, so each look does what is next; C(state) remembers which one was tried, and when one last came back.
    Source: https://docs.opensearch.org/2.19/tuning-your-cluster/availability-and-recovery/snapshots/snapshot-restore/; Elasticsearch answers alike.
    """
    known: dict[str, t.Any] = {"tried": "", "well": True, "restored": 0.0}
    with contextlib.suppress(OSError, ValueError), open(config["state"], encoding="utf-8") as handle:
        known.update(json.load(handle))
    place, now = f"/_snapshot/{config['repository']}", time.time()
    try:
        # all, because the engine answers a pattern that matches none with an error
        listed = engine.ask("GET", f"{place}/_all")["snapshots"]
        taken = sorted((each for each in listed if each["snapshot"].startswith("gpulab-")), key=_begun)
        newest = taken[-1] if taken else {"state": "none", "snapshot": known["tried"], "start_time_in_millis": 0}
        if newest["state"] != "IN_PROGRESS" and newest["snapshot"] != known["tried"]:
            known.update(tried=newest["snapshot"], well=False)
            _bring_back(engine, place, newest, engine.streams(config["pattern"]))
            known.update(well=True, restored=now)
        elif newest["state"] != "IN_PROGRESS" and now - _begun(newest) >= (DAY if known["well"] else AGAIN) and engine.streams(config["pattern"]):
            name = time.strftime("gpulab-%Y%m%d-%H%M%S", time.gmtime(now))
            engine.ask("PUT", f"{place}/{name}", {"indices": config["pattern"], "include_global_state": False})
        for old in taken[:-1]:
            if now - _begun(old) > config["snapshot_days"] * DAY:
                sys.stderr.write(f"delete snapshot {old['snapshot']}: {config['snapshot_days']} days of them are kept\n")
                engine.ask("DELETE", f"{place}/{old['snapshot']}")
    finally:
        with open(config["state"], "w", encoding="utf-8") as handle:
            json.dump(known, handle)
        out.gauge("restored_timestamp_seconds", "When a snapshot was last taken and could be brought back", known["restored"])


def _begun(snapshot: t.Mapping[str, t.Any]) -> float:
    return float(snapshot["start_time_in_millis"]) / 1000


def _bring_back(engine: Engine, place: str, snapshot: t.Mapping[str, t.Any], streams: t.Mapping[str, list[Index]]) -> None:
    """The smallest index that gets no more lines, or else the smallest, under another name, which is then removed again."""
    name = snapshot["snapshot"]
    if snapshot["state"] != "SUCCESS":
        raise ValueError(f"snapshot {name} is {snapshot['state']}: {json.dumps(snapshot.get('failures', []))[:300]}")
    closed = [index for indices in streams.values() for index in indices[:-1] if index.name in snapshot["indices"]]
    written = [indices[-1] for indices in streams.values() if indices[-1].name in snapshot["indices"]]
    if not closed and not written:
        raise ValueError(f"snapshot {name} has none of the lines that are there")
    index = min(closed or written, key=lambda each: each.size)
    asked = {"indices": index.name, "include_aliases": False, "rename_pattern": ".+", "rename_replacement": CHECKED}
    engine.ask("POST", f"{place}/{name}/_restore?wait_for_completion=true", asked, RESTORE)
    there, here = (int(engine.ask("GET", f"/{each}/_count")["count"]) for each in (CHECKED, index.name))
    engine.ask("DELETE", f"/{CHECKED}")
    if there == 0 or closed and there != here:
        raise ValueError(f"of {here} lines of {index.name}, {there} came back from snapshot {name}")


def _failure(do: t.Callable[..., None], config: t.Mapping[str, t.Any], out: Textfile) -> str:
    """What went wrong, as a sentence, or nothing."""
    try:
        do(Engine(config), config, out)
    except (OSError, KeyError, ValueError) as exc:
        told = exc.read().decode("utf-8", "replace")[:400] if isinstance(exc, urllib.error.HTTPError) else ""
        return f"{config['url']} is expected to answer, but: {exc} {told}".strip()
    return ""


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as handle:
        config = json.load(handle)
    out = Textfile("gpulab_elk")
    disk = shutil.disk_usage(config["directory"])
    out.gauge("looked_timestamp_seconds", "When the engine was last looked at", time.time())
    out.gauge("disk_available_ratio", "Share of the engine's disk that is free", disk.free / disk.total)
    for url in config["urls"]:
        with contextlib.suppress(OSError, ValueError):  # an engine that is away is told below
            out.gauge("certificate_end_timestamp_seconds", "When the certificate of an engine ends", certificate_end(url), url=url)
    failed = _failure(look, config, out)
    out.gauge("up", "1 when the engine answered all that it was asked", 0.0 if failed else 1.0)
    if not failed and config["snapshot_days"]:
        out.write(config["textfile"])  # what comes back from a snapshot takes its time
        failed = _failure(snapshots, config, out)
    out.write(config["textfile"])
    if failed:
        sys.stderr.write(f"{failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
