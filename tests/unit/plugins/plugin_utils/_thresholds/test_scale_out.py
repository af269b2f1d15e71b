# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.scale_out import plan


def node(name: str, nvlink: t.Any, speed: float | None, kind: str = "ethernet", up: bool = True) -> dict[str, t.Any]:
    return {"gpus": [{"name": name, "nvlink_active": nvlink}] * 8, "links": [{"name": "eth0", "kind": kind, "speed_gbps": speed, "up": up}]}


CARD, SXM = "NVIDIA GeForce RTX 4090", "NVIDIA H100 80GB HBM3"


def texts(nodes: dict[str, t.Any]) -> list[str]:
    return [advice["en"] for advice in plan(nodes)]


def test_nvlink_between_4090_nodes_does_not_exist() -> None:
    first, second = texts({"gpu1": node(CARD, "not supported", 10), "gpu2": node(CARD, "not supported", None)})
    assert first.startswith("NVLink cannot join gpu1, gpu2 with another server: NVML tells of no NVLink at all on their GPUs (NVIDIA GeForce RTX 4090)")
    assert "InfiniBand or RoCE" in first
    assert "one 100 Gb cable between the two, without a switch" in second
    assert "gpu1: eth0 ethernet 10 Gbit/s; gpu2: eth0 ethernet of unknown speed" in second


def test_more_nodes_take_a_switch_and_one_node_a_port() -> None:
    four = {f"gpu{n}": node(CARD, "not supported", 10) for n in range(4)}
    assert "4 ports of one switch" in texts(four)[1]
    assert "one 100 Gb port for each node to come" in texts({"gpu1": node(CARD, "not supported", 10)})[1]


def test_what_is_fast_already_needs_nothing() -> None:
    fast = {"gpu1": node(SXM, 18, 400, "infiniband"), "gpu2": node(SXM, 18, 400, "infiniband")}
    assert texts(fast) == ["gpu1, gpu2 can be joined as they are, by links of 100 Gb."]
    down = {**fast, "gpu2": node(SXM, 18, 400, "infiniband", up=False)}
    assert "each of gpu2 needs one 100 Gb port" in texts(down)[0]


def test_hosts_without_gpus_are_not_asked() -> None:
    assert plan({"store1": {"gpus": [], "links": []}}) == []
