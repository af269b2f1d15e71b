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
import re
import typing as t

_LINE = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): (\d+)")
HARDWARE = ("memory", "link", "bus", "power", "engine")


@dataclasses.dataclass(frozen=True)
class Meaning:
    kind: str  # program | note | one of HARDWARE
    name: str
    advice: str


XIDS = {
    13: Meaning("program", "graphics engine exception", "Debug the program, with compute-sanitizer for example."),
    31: Meaning("program", "memory page fault", "Debug the program: it reads or writes where it may not."),
    32: Meaning("program", "invalid push buffer", "Debug the program; when several are hit, look at PCIe."),
    38: Meaning("engine", "driver firmware error", "Reset the GPU; when it comes again, report it to NVIDIA."),
    43: Meaning("program", "stopped processing", "Debug the program; the GPU is well."),
    45: Meaning("program", "preemptive clean-up", "Follows another error or a killed program; look for what came before."),
    46: Meaning("engine", "timeout of the GPU", "Reset the GPU."),
    48: Meaning("memory", "double-bit ECC error", "Drain the host and reset the GPU; see the row-remap state after it."),
    54: Meaning("power", "auxiliary power is not connected", "Power off and see to the power plug."),
    61: Meaning("engine", "microcontroller breakpoint", "Reset the GPU; when it comes again, have it replaced."),
    62: Meaning("engine", "microcontroller halt", "Reset the GPU; when it comes again, have it replaced."),
    63: Meaning("note", "row remap recorded", "Reset the GPU when it is idle, if a remap is pending."),
    64: Meaning("note", "row remap not recorded", "The row-remap state decides: replace the GPU when it says failure."),
    66: Meaning("program", "illegal access", "Debug the program."),
    68: Meaning("program", "video decoder exception", "Debug the program."),
    69: Meaning("program", "graphics engine class error", "Debug the program."),
    74: Meaning("link", "NVLink error", "Drain the host and reset the GPUs of the link; when it stays, look at bridge or board."),
    79: Meaning("bus", "fallen off the bus", "Drain the host, power off and on; then reseat card and power plug."),
    92: Meaning("note", "many single-bit ECC errors", "Run dcgmi diag when the GPU is idle."),
    94: Meaning("memory", "contained ECC error", "The one program died of it; reset the GPU when it is idle."),
    95: Meaning("memory", "uncontained ECC error", "Drain the host and reset the GPU now."),
    109: Meaning("engine", "context switch timeout", "Reset the GPU; update the driver when it comes again."),
    119: Meaning("engine", "GSP does not answer", "Reset the GPU, or power off and on; update the driver."),
    120: Meaning("engine", "GSP error", "Reset the GPU, or power off and on; update the driver."),
    140: Meaning("memory", "unrecovered ECC error", "Drain the host and reset the GPU now."),
}


def meaning(code: int) -> Meaning:
    """Of an Xid; one that is not in the table is taken for hardware, because nobody knows better."""
    return XIDS.get(code, Meaning("engine", "not in our table", "Look it up in NVIDIA's catalogue of Xids."))


def events(log: str) -> list[tuple[str, int]]:
    """(PCI address as C(65:00), code) of each Xid in a kernel log."""
    return [(pci_slot(found.group(1)), int(found.group(2))) for found in _LINE.finditer(log)]


def pci_slot(address: str) -> str:
    """Bus and slot of C(0000:65:00), C(00000000:65:00.0) or C(65:00): the part that kernel log and NVML write alike."""
    parts = address.split(".")[0].lower().split(":")
    return ":".join(parts[-2:])


def of_hardware(found: t.Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Codes that speak of hardware, by PCI slot."""
    by_slot: dict[str, list[int]] = {}
    for slot, code in found:
        if meaning(code).kind in HARDWARE:
            by_slot.setdefault(slot, []).append(code)
    return by_slot
