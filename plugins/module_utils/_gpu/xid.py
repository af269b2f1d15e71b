# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Xid events, the NVIDIA driver's error reports in the kernel log: code, class, and what to do. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Source: https://docs.nvidia.com/deploy/xid-errors/ (catalogue of Xids; the classes and the advice are ours).

A class tells who acts. C(program): a user's program, the GPU is well. C(note): nothing to do by itself, the row-remap state decides.
The others are hardware.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

# At the beginning, because the kernel also repeats what users chose, as the path of a program.
_LINE = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)(?: GPU-I:\d+)?\): (\d+)")  # of a MIG instance, its GPU counts
HARDWARE = ("memory", "link", "bus", "power", "engine")


@dataclasses.dataclass(frozen=True)
class Meaning:
    kind: str  # program | note | one of HARDWARE
    name: str
    advice: str
    name_zh: str
    advice_zh: str


XIDS = {
    13: Meaning(
        "program",
        "graphics engine exception",
        "Debug the program, with compute-sanitizer for example.",
        "图形引擎异常",
        "调试程序，例如使用 compute-sanitizer。",
    ),
    31: Meaning("program", "memory page fault", "Debug the program: it reads or writes where it may not.", "显存页错误", "调试程序：它读写了不该访问的地址。"),
    32: Meaning(
        "program", "invalid push buffer", "Debug the program; when several are hit, look at PCIe.", "无效的推送缓冲区", "调试程序；若多个程序出现，检查 PCIe。"
    ),
    38: Meaning(
        "engine", "driver firmware error", "Reset the GPU; when it comes again, report it to NVIDIA.", "驱动固件错误", "重置 GPU；若再次出现，报告给 NVIDIA。"
    ),
    43: Meaning("program", "stopped processing", "Debug the program; the GPU is well.", "停止处理", "调试程序；GPU 正常。"),
    45: Meaning(
        "program",
        "preemptive clean-up",
        "Follows another error or a killed program; look for what came before.",
        "抢占式清理",
        "由其他错误或被终止的程序引起；查看此前的记录。",
    ),
    46: Meaning("engine", "timeout of the GPU", "Reset the GPU.", "GPU 超时", "重置 GPU。"),
    48: Meaning(
        "memory",
        "double-bit ECC error",
        "Drain the host and reset the GPU; see the row-remap state after it.",
        "双比特 ECC 错误",
        "排空主机并重置 GPU；之后查看行重映射状态。",
    ),
    54: Meaning("power", "auxiliary power is not connected", "Power off and see to the power plug.", "辅助供电未连接", "断电并检查供电插头。"),
    61: Meaning(
        "engine", "microcontroller breakpoint", "Reset the GPU; when it comes again, have it replaced.", "微控制器断点", "重置 GPU；若再次出现，申请更换。"
    ),
    62: Meaning("engine", "microcontroller halt", "Reset the GPU; when it comes again, have it replaced.", "微控制器停止", "重置 GPU；若再次出现，申请更换。"),
    63: Meaning(
        "note", "row remap recorded", "Reset the GPU when it is idle, if a remap is pending.", "已记录行重映射", "若有待处理的重映射，在 GPU 空闲时重置。"
    ),
    64: Meaning(
        "note",
        "row remap not recorded",
        "The row-remap state decides: replace the GPU when it says failure.",
        "行重映射记录失败",
        "以行重映射状态为准：若显示失败则更换 GPU。",
    ),
    66: Meaning("program", "illegal access", "Debug the program.", "非法访问", "调试程序。"),
    68: Meaning("program", "video decoder exception", "Debug the program.", "视频解码器异常", "调试程序。"),
    69: Meaning("program", "graphics engine class error", "Debug the program.", "图形引擎类错误", "调试程序。"),
    74: Meaning(
        "link",
        "NVLink error",
        "Drain the host and reset the GPUs of the link; when it stays, look at bridge or board.",
        "NVLink 错误",
        "排空主机并重置该链路上的 GPU；若仍存在，检查桥接器或主板。",
    ),
    79: Meaning(
        "bus",
        "fallen off the bus",
        "Drain the host, power off and on; then reseat card and power plug.",
        "掉卡",
        "排空主机并断电重启；随后重新插好显卡和供电线。",
    ),
    92: Meaning("note", "many single-bit ECC errors", "Run dcgmi diag when the GPU is idle.", "大量单比特 ECC 错误", "GPU 空闲时运行 dcgmi diag。"),
    94: Meaning(
        "memory",
        "contained ECC error",
        "The one program died of it; reset the GPU when it is idle.",
        "已隔离的 ECC 错误",
        "只有一个程序因此终止；GPU 空闲时重置。",
    ),
    95: Meaning("memory", "uncontained ECC error", "Drain the host and reset the GPU now.", "未隔离的 ECC 错误", "立即排空主机并重置 GPU。"),
    109: Meaning(
        "engine", "context switch timeout", "Reset the GPU; update the driver when it comes again.", "上下文切换超时", "重置 GPU；若再次出现，升级驱动。"
    ),
    119: Meaning("engine", "GSP does not answer", "Reset the GPU, or power off and on; update the driver.", "GSP 无响应", "重置 GPU 或断电重启；升级驱动。"),
    120: Meaning("engine", "GSP error", "Reset the GPU, or power off and on; update the driver.", "GSP 错误", "重置 GPU 或断电重启；升级驱动。"),
    140: Meaning("memory", "unrecovered ECC error", "Drain the host and reset the GPU now.", "未恢复的 ECC 错误", "立即排空主机并重置 GPU。"),
}

_OTHER = Meaning("engine", "not in our table", "Look it up in NVIDIA's catalogue of Xids.", "未收录", "请在 NVIDIA 的 Xid 目录中查询。")


def meaning(code: int) -> Meaning:
    """Of an Xid; one that is not in the table is taken for hardware, because nobody knows better."""
    return XIDS.get(code, _OTHER)


def events(log: t.Iterable[str]) -> list[tuple[str, int]]:
    """(PCI address as C(65:00), code) of each Xid among the messages of a kernel log."""
    return [(pci_slot(found.group(1)), int(found.group(2))) for message in log for found in [_LINE.match(message)] if found]


def messages(told: str) -> list[str]:
    """Of what C(journalctl --output=json) tells, one object a line. A message of several lines is one, so that no line of it passes for another."""
    found = []
    for line in told.splitlines():
        message = json.loads(line).get("MESSAGE")
        # what is no plain text comes as a list of bytes
        found.append(bytes(message).decode("utf-8", "replace") if isinstance(message, list) else str(message or ""))
    return found


def pci_slot(address: str) -> str:
    """Bus and slot of C(0000:65:00), C(00000000:65:00.0) or C(65:00), and the domain where it is not 0: what kernel log and NVML tell alike."""
    parts = address.split(".")[0].lower().split(":")
    domain = parts[-3].lstrip("0") if len(parts) > 2 else ""
    return ":".join([*([domain.zfill(4)] if domain else []), *parts[-2:]])


def of_hardware(found: t.Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Codes that speak of hardware, by PCI slot."""
    by_slot: dict[str, list[int]] = {}
    for slot, code in found:
        if meaning(code).kind in HARDWARE:
            by_slot.setdefault(slot, []).append(code)
    return by_slot
