# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what hosts and Prometheus say to the evidence of the roadmap. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import math
import typing as t

from .model import Roadmap

TB, GB = 1e12, 2.0**30  # disks are sold in powers of ten, memory in powers of two
Usage = t.Mapping[str, t.Any]  # a result of usage_info


def windows(roadmap: Roadmap) -> dict[str, float]:
    """Seconds of history that the gates want, by evidence that Prometheus can be asked for; 0 is a moment."""
    wanted = {key: 0.0 for key, evidence in roadmap.evidence.items() if evidence.query}
    for module in roadmap.modules.values():
        for need in module.needs:
            if need.evidence.key in wanted:
                wanted[need.evidence.key] = max(wanted[need.evidence.key], need.window)
    return wanted


def from_prometheus(roadmap: Roadmap, results: t.Mapping[str, t.Any], now: float) -> dict[str, list[dict[str, t.Any]]]:
    """Readings by evidence, of results of prometheus_info by evidence; a query for the whole lab has one series."""
    told = {}
    for key in windows(roadmap):
        if key not in results:
            continue  # nobody asked
        result = results[key]
        reading: dict[str, t.Any] = {"source": "prometheus", "time": now, "reason": result["reason"]}
        if len(result["series"]) > 1:
            reading["reason"] = f"its query is expected to give one series, but gives {len(result['series'])}"
        elif result["series"]:
            samples = result["series"][0]["samples"]
            reading.update(time=samples[-1][0], value=samples[-1][1], samples=samples)
        told[key] = [reading]
    return told


def from_hosts(usages: t.Mapping[str, Usage | None], logs: str | None, now: float) -> dict[str, list[dict[str, t.Any]]]:
    """Readings by evidence, of usage_info by host; None is a host that could not be read. C(logs) is the host meant for log analysis."""
    read = {host: usage for host, usage in usages.items() if usage is not None}
    missing = sorted(host for host in usages if host not in read)
    # a sum without one of its parts is no sum
    gap = f"{', '.join(missing)} could not be read" if missing else "" if read else "no host was read"
    users = {name for usage in read.values() for name in usage["users"]}
    tasks = [task for usage in read.values() for task in usage["tasks"]]
    boxed = sum(task["containerised"] for task in tasks)
    stores = {}
    for host, usage in read.items():
        for store in usage["storage"]:
            # a network file system that many hosts mount is one
            shared = ":" in store["source"] or store["source"].startswith("//")
            stores[store["source"] if shared else (host, store["source"], store["path"])] = store["used_bytes"]

    def reading(value: float | None, reason: str = "", when: float = now) -> list[dict[str, t.Any]]:
        return [{"source": "host", "time": when, "value": None if reason else value, "reason": reason}]

    known = {
        "users": reading(len(users), gap or ("" if users else "no group of lab_user_groups has a member")),
        "concurrent_tasks": reading(len(tasks), gap),
        "containerised_share": reading(100.0 * boxed / len(tasks) if tasks else None, gap or ("" if tasks else "no task is on a GPU")),
        "storage_demand": reading(sum(stores.values()) / TB, gap or ("" if stores else "none of lab_data_paths is there")),
    }
    licensed = any(usage.get("licences") for usage in read.values())
    known["gpu_licence"] = reading(1.0, "" if licensed else gap or "no host has one of lab_licence_files")
    if logs:
        own = read.get(logs)
        told = "" if own else f"{logs} could not be read"
        known["log_cores"] = reading(own["cores"] if own else None, told)
        # a machine sold with 16 GB shows a little less, because firmware and kernel keep some
        known["log_memory"] = reading(math.floor(1.04 * own["memory_bytes"] / GB) if own else None, told)
    return known


def merged(*parts: t.Mapping[str, list[dict[str, t.Any]]]) -> dict[str, list[dict[str, t.Any]]]:
    """All readings by evidence."""
    known: dict[str, list[dict[str, t.Any]]] = {}
    for part in parts:
        for key, readings in part.items():
            known.setdefault(key, []).extend(readings)
    return known
