# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a GPU reading is. Pure: no NVML, no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Names follow NVML, https://docs.nvidia.com/deploy/nvml-api/ (values are in the units of the field names).
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._phrases import Phrase

NOT_SUPPORTED = "not supported"  # the GPU does not have it, as a GeForce has no ECC
FATE = "handle"  # the field under which a GPU that cannot be used has its reason
UNREADABLE = "unreadable"  # the GPU has it, but the driver gave an error

# nvmlClocksEventReasons*, by bit
THROTTLE_REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}


def throttle_reasons(mask: int) -> list[str]:
    """The set bits of C(mask) by name; a bit without a name as C(bit_N)."""
    return [THROTTLE_REASONS.get(1 << bit, f"bit_{bit}") for bit in range(64) if mask >> bit & 1]


@dataclasses.dataclass
class Process:
    """A process that holds memory of a GPU; C(user) is None when it has ended meanwhile or runs in another container."""

    pid: int
    user: str | None
    name: str | None
    memory_mib: int | None


@dataclasses.dataclass
class Gpu:
    """One GPU. A value is None when it was not read; then C(unreadable) says why by field name."""

    index: int
    state: str = "ok"  # ok | lost (fallen off the bus) | failed (the driver has it, and it does not answer)
    uuid: str | None = None
    name: str | None = None
    compute_capability: str | None = None
    pci_bus_id: str | None = None
    memory_total_mib: int | None = None
    memory_used_mib: int | None = None
    utilization_percent: int | None = None
    memory_utilization_percent: int | None = None
    temperature_celsius: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    clock_graphics_mhz: int | None = None
    clock_memory_mhz: int | None = None
    throttle_reasons: list[str] | None = None
    ecc: str | None = None  # enabled | disabled | not supported
    ecc_uncorrected: int | None = None  # over the life of the GPU
    ecc_uncorrected_volatile: int | None = None  # since the driver was loaded
    remap_pending: bool | None = None  # a remapped row waits for a reset
    remap_failure: bool | None = None
    mig: str | None = None  # enabled | disabled | not supported
    nvlink_active: int | str | None = None  # number of active links, or not supported
    nvlink_down: int | None = None  # links that the GPU has and that are not active
    processes: list[Process] = dataclasses.field(default_factory=list)
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)


# What each state of a host means, and what to do about it.
HOST_STATES = {
    "ok": Phrase(
        "All GPUs answer.",
        "所有 GPU 均有应答。",
    ),
    "degraded": Phrase(
        "A GPU has fallen off the bus or does not answer: drain the host, look for its Xid in the kernel log, then reboot or reseat it.",
        "有 GPU 掉卡或无应答：请清空该主机上的任务，在内核日志中查找 Xid，然后重启或重新插拔。",
    ),
    "no_gpu": Phrase(
        "No NVIDIA GPU is on the PCI bus of this host.",
        "该主机的 PCI 总线上没有 NVIDIA GPU。",
    ),
    "no_driver": Phrase(
        "An NVIDIA GPU is on the PCI bus, but its driver is not loaded: install the driver, or look in dmesg why it did not load.",
        "PCI 总线上有 NVIDIA GPU，但驱动未加载：请安装驱动，或在 dmesg 中查看未加载的原因。",
    ),
    "mismatch": Phrase(
        "The loaded kernel driver and the user-space library are of different versions: reboot once no job runs, do not reinstall.",
        "已加载的内核驱动与用户态库版本不一致：待无任务时重启，不要重装。",
    ),
    "no_library": Phrase(
        "The Python library nvidia-ml-py is not there: install it where the option python_env points.",
        "缺少 Python 库 nvidia-ml-py：请安装到 python_env 所指的环境。",
    ),
    "failed": Phrase(
        "NVML does not answer as it should: see whether nvidia-smi does, and the kernel log; a driver that hangs needs a reboot.",
        "NVML 未正常应答：请查看 nvidia-smi 是否应答以及内核日志；驱动挂起时需重启主机。",
    ),
}
_DETAIL = Phrase("{state} NVML says: {detail}.", "{state} NVML 的原话：{detail}。")
UNLISTED = Phrase("{card} is on the PCI bus, and is not listed", "{card} 在 PCI 总线上，但未列出")
_HELD = Phrase("{state} The NVIDIA driver cannot use {cards}.", "{state} NVIDIA 驱动无法使用 {cards}。")
_BY = Phrase("{card}, which {driver} holds", "{card}（由 {driver} 占用）")
PHRASES = (*HOST_STATES.values(), _DETAIL, UNLISTED, _HELD, _BY)


@dataclasses.dataclass
class Card:
    """A GPU on the PCI bus that NVML does not list. C(driver) is the kernel driver that holds it, empty when none does."""

    pci_bus_id: str
    driver: str

    @property
    def elsewhere(self) -> bool:
        """Whether somebody gave it to another driver, as to vfio-pci for a virtual machine."""
        return self.driver not in ("", "nvidia")


@dataclasses.dataclass
class Reading:
    """The GPUs of a host at one moment."""

    state: str  # a key of HOST_STATES
    message: str
    driver_version: str | None = None
    cuda_version: str | None = None
    nvml_version: str | None = None
    gpus: list[Gpu] = dataclasses.field(default_factory=list)
    unlisted: list[Card] = dataclasses.field(default_factory=list)

    def as_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


def reading_of(state: str, detail: str = "", **more: t.Any) -> Reading:
    """A reading with the sentence of its state; C(detail) is what NVML said."""
    said = HOST_STATES[state]()
    said = _DETAIL(state=said, detail=detail) if detail else said
    held = [_BY(card=card.pci_bus_id, driver=card.driver) for card in more.get("unlisted", ()) if card.elsewhere]
    return Reading(state, _HELD(state=said, cards="; ".join(held)) if held else said, **more)


def cuda_version(number: int) -> str:
    """NVML's 12040 is CUDA 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"
