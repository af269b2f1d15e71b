# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readings of GPUs as series for the thresholds. Pure: no NVML, no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from .model import FATE, NOT_SUPPORTED, Gpu, Reading
from .xid import events, of_hardware, pci_slot

Timed = t.Sequence[t.Tuple[float, Reading]]


def _percent(gpu: Gpu) -> float | None:
    return None if not gpu.memory_total_mib or gpu.memory_used_mib is None else 100.0 * gpu.memory_used_mib / gpu.memory_total_mib


def _throttled(*reasons: str) -> t.Callable[[Gpu], bool | None]:
    return lambda gpu: None if gpu.throttle_reasons is None else bool(set(reasons) & set(gpu.throttle_reasons))


# metric of _thresholds -> value of a GPU, and the field whose reason tells why there is none
_METRICS: dict[str, tuple[t.Callable[[Gpu], float | None], str]] = {
    "gpu_memory_used": (_percent, "memory"),
    "gpu_utilization": (lambda gpu: gpu.utilization_percent, "utilization"),
    "gpu_temperature": (lambda gpu: gpu.temperature_celsius, "temperature"),
    "gpu_thermal_slowdown": (_throttled("sw_thermal_slowdown", "hw_thermal_slowdown"), "throttle_reasons"),
    "gpu_power_brake": (_throttled("hw_power_brake_slowdown"), "throttle_reasons"),
    "gpu_ecc_uncorrected": (lambda gpu: gpu.ecc_uncorrected_volatile, "ecc_uncorrected_volatile"),
    "gpu_remap_pending": (lambda gpu: gpu.remap_pending, "remapped_rows"),
    "gpu_remap_failure": (lambda gpu: gpu.remap_failure, "remapped_rows"),
    "gpu_nvlink_lost": (lambda gpu: gpu.nvlink_down, "nvlink"),
}


def series(readings: Timed, kernel_log: t.Sequence[str] | None) -> list[dict[str, t.Any]]:
    """One for each metric and GPU, as C(metric), C(device), C(samples) of (seconds since the epoch, value), C(reason).

    What a GPU does not have is left out; what it has and did not tell has a reason and no samples. C(kernel_log) are messages, None when it cannot be read.
    """
    if not readings:
        return []
    told = [_one("gpu_lost", card.pci_bus_id, [(readings[-1][0], 1.0)]) for card in readings[-1][1].unlisted if not card.elsewhere]
    xids = None if kernel_log is None else of_hardware(events(kernel_log))
    now = readings[-1][0]
    for last in readings[-1][1].gpus:
        device = f"gpu{last.index}"
        of_gpu = [(when, gpu) for when, reading in readings for gpu in reading.gpus if gpu.index == last.index]
        told.append(_one("gpu_lost", device, [(when, float(gpu.state != "ok")) for when, gpu in of_gpu]))
        for metric, (value, field) in _METRICS.items():
            found = [(when, value(gpu)) for when, gpu in of_gpu]
            samples = [(when, float(number)) for when, number in found if number is not None]
            if not samples and (last.unreadable.get(field, NOT_SUPPORTED) == NOT_SUPPORTED and last.state == "ok"):
                continue
            reason = "" if samples else last.unreadable.get(field) or ("the GPU has fallen off the bus" if last.state == "lost" else last.unreadable[FATE])
            told.append(_one(metric, device, samples, reason))
        codes = (xids or {}).get(pci_slot(last.pci_bus_id or ""), [])
        reason = "the kernel log cannot be read" if xids is None else ""
        if last.pci_bus_id:
            told.append({**_one("gpu_xid_hardware", device, [] if reason else [(now, float(len(codes)))], reason), "codes": sorted(set(codes))})
    return told


def _one(metric: str, device: str, samples: t.Sequence[tuple[float, float]], reason: str = "") -> dict[str, t.Any]:
    return {"metric": metric, "device": device, "samples": list(samples), "reason": reason}
