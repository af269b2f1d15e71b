# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How GPU nodes can be joined, from what was read of them. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Sources: NVIDIA's data sheets. RTX 4090: no NVLink connector, no NVLink in NVML. NVLink between servers exists as a switch system for GPUs with
NVLink-C2C or SXM boards (NVL72 racks) only; everything else is joined by a network.
"""

from __future__ import annotations

import typing as t

FAST = 100.0  # Gbit/s


def plan(nodes: t.Mapping[str, t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """Advice, C(en) and C(zh), each with the evidence it rests on. C(nodes) have C(gpus) as of gpu_info and C(links) as of network_link_info."""
    advice: list[dict[str, str]] = []
    with_gpus = {host: node for host, node in nodes.items() if node["gpus"]}
    if not with_gpus:
        return advice
    models = sorted({str(gpu["name"]) for node in with_gpus.values() for gpu in node["gpus"] if gpu.get("name")})
    bare = sorted(host for host, node in with_gpus.items() if not any(isinstance(g.get("nvlink_active"), int) for g in node["gpus"]))
    told = ", ".join(models) or "?"
    if bare:
        advice.append(
            {
                "en": f"NVLink cannot join {', '.join(bare)} with another server: NVML tells of no NVLink at all on their GPUs ({told}). "
                "Join them by InfiniBand or RoCE.",
                "zh": f"{'、'.join(bare)} 无法用 NVLink 与其他服务器相连：NVML 未报告其 GPU（{told}）有 NVLink。请使用 InfiniBand 或 RoCE。",
            }
        )
    fast = sorted(h for h, node in with_gpus.items() if any((link["speed_gbps"] or 0) >= FAST and link["up"] for link in node["links"]))
    slow = sorted(set(with_gpus) - set(fast))
    count = len(with_gpus)
    if slow:
        found = "; ".join(f"{host}: {_links(with_gpus[host]['links'], 'no link of hardware', 'of unknown speed')}" for host in slow)
        found_zh = "；".join(f"{host}：{_links(with_gpus[host]['links'], '无硬件网络接口', '速率未知')}" for host in slow)
        way_en = "one 100 Gb cable between the two, without a switch" if count == 2 else f"{count} ports of one switch"
        way_zh = "两台之间一根 100Gb 线缆直连（无需交换机）" if count == 2 else f"一台交换机的 {count} 个端口"
        if count == 1:
            way_en, way_zh = "one 100 Gb port for each node to come", "每个新增节点一个 100Gb 端口"
        advice.append(
            {
                "en": f"For training across nodes, each of {', '.join(slow)} needs one 100 Gb port (a ConnectX-class card in a PCIe x16 slot) and {way_en}: "
                f"InfiniBand, or RoCE if the Ethernet switch does priority flow control. Found: {found}.",
                "zh": f"跨节点训练时，{'、'.join(slow)} 各需一个 100Gb 端口（PCIe x16 槽位的 ConnectX 级网卡），以及{way_zh}：InfiniBand，"
                f"或在支持优先级流控的以太网交换机上使用 RoCE。现状：{found_zh}。",
            }
        )
    if fast and count > 1:
        advice.append({"en": f"{', '.join(fast)} can be joined as they are, by links of 100 Gb.", "zh": f"{'、'.join(fast)} 已具备 100Gb 链路，可直接组网。"})
    return advice


def _links(links: t.Sequence[t.Mapping[str, t.Any]], none: str, unknown: str) -> str:
    shown = [f"{link['name']} {link['kind']} {format(link['speed_gbps'], 'g') + ' Gbit/s' if link['speed_gbps'] else unknown}" for link in links]
    return ", ".join(shown) or none
