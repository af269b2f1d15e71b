# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.evidence import from_hosts, from_prometheus, merged, windows
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.files import read_roadmap

NOW = 1_795_514_400.0
WEEK = 7 * 86400.0
ROADMAP = read_roadmap()


def usage(users: t.Sequence[str] = (), tasks: str = "", stores: t.Sequence[tuple[str, float]] = (), memory: float = 64 * 2**30) -> dict[str, t.Any]:
    """One letter a task: c in a container, p a plain one."""
    return {
        "users": list(users),
        "tasks": [{"name": str(n), "containerised": letter == "c"} for n, letter in enumerate(tasks)],
        "storage": [{"path": "/data", "source": source, "used_bytes": used, "size_bytes": 9e13} for source, used in stores],
        "cores": 8,
        "memory_bytes": memory,
    }


def value(known: t.Mapping[str, t.Any], key: str) -> t.Any:
    (reading,) = known[key]
    return reading["value"] if not reading["reason"] else reading["reason"]


def test_hosts_are_added_up() -> None:
    known = from_hosts({"gpu1": usage(["li", "chen"], "ccp", [("/dev/sda", 3e12)]), "gpu2": usage(["chen", "zhao"], "c", [("/dev/sda", 2e12)])}, None, NOW)
    assert [value(known, key) for key in ("users", "concurrent_tasks", "containerised_share", "storage_demand")] == [3, 4, 75, 5]


def test_a_file_system_that_many_mount_counts_once() -> None:
    shared = [("store1:/data", 80e12)]
    assert value(from_hosts({"gpu1": usage(stores=shared), "gpu2": usage(stores=shared)}, None, NOW), "storage_demand") == 80


def test_what_one_host_does_not_tell_makes_the_sum_unknown() -> None:
    known = from_hosts({"gpu1": usage(["li"], "c", [("/dev/sda", 1e12)]), "gpu2": None}, "gpu2", NOW)
    assert {value(known, key) for key in known} == {"gpu2 could not be read"}


def test_nothing_is_not_zero() -> None:
    known = from_hosts({"gpu1": usage()}, None, NOW)
    assert value(known, "concurrent_tasks") == 0
    assert value(known, "containerised_share") == "no task is on a GPU"
    assert value(known, "users") == "no group of lab_user_groups has a member"
    assert value(from_hosts({}, None, NOW), "concurrent_tasks") == "no host was read"


def test_a_licence_on_one_host_is_one() -> None:
    found = {**usage(), "licences": ["/etc/nvidia/ClientConfigToken/lab.tok"]}
    assert value(from_hosts({"gpu1": usage(), "gpu2": found}, None, NOW), "gpu_licence") == 1
    assert value(from_hosts({"gpu1": found, "gpu2": None}, None, NOW), "gpu_licence") == 1, "what another host does not tell does not take it away"
    assert value(from_hosts({"gpu1": usage(), "gpu2": None}, None, NOW), "gpu_licence") == "gpu2 could not be read"
    assert value(from_hosts({"gpu1": usage()}, None, NOW), "gpu_licence") == "no host has one of lab_licence_files"


def test_a_machine_sold_with_16_gb_has_them() -> None:
    for shown, counted in ((15.5, 16), (16.0, 16), (15.0, 15), (31.2, 32)):
        assert value(from_hosts({"log1": usage(memory=shown * 2**30)}, "log1", NOW), "log_memory") == counted


def test_prometheus_is_asked_for_the_windows_of_the_gates() -> None:
    services = {"backup_age": 0, "log_silence": 0, "gpu_availability": 0}
    assert windows(ROADMAP) == {"concurrent_tasks": WEEK, "containerised_share": WEEK, **services}
    samples = [(NOW - 60, 21.0), (NOW, 22.0)]
    results = {
        "concurrent_tasks": {"series": [{"labels": {}, "samples": samples}], "reason": ""},
        "containerised_share": {"series": [], "reason": "no such series"},
    }
    known = from_prometheus(ROADMAP, results, NOW)
    assert known["concurrent_tasks"] == [{"source": "prometheus", "time": NOW, "reason": "", "value": 22.0, "samples": samples}]
    assert known["containerised_share"] == [{"source": "prometheus", "time": NOW, "reason": "no such series"}]
    assert set(known) == set(results), "what nobody asked for is no reading"
    two = {"concurrent_tasks": {"series": results["concurrent_tasks"]["series"] * 2, "reason": ""}}  # type: ignore[operator]
    assert "expected to give one series, but gives 2" in from_prometheus(ROADMAP, two, NOW)["concurrent_tasks"][0]["reason"]
    both = merged(known, from_hosts({"gpu1": usage(tasks="c")}, None, NOW))
    assert [reading["source"] for reading in both["concurrent_tasks"]] == ["prometheus", "host"]
