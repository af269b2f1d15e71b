# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads GPUs through NVML (nvidia-ml-py). Every missing piece, from driver to a single field, is a result and not an error.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import pickle
import pwd
import re
import select
import signal
import time
import typing as t

from .model import FATE, NOT_SUPPORTED, UNLISTED, Card, Gpu, Process, Reading, cuda_version, reading_of, throttle_reasons
from .xid import pci_slot

MIB = 1 << 20
MAX_NVLINKS = 18  # NVML_NVLINK_MAX_LINKS
_MODULE = re.compile(r"SXM|HBM3|\bG?[HB]\d00\b(?! (?:NVL|PCIe))")  # on a board that joins all GPUs
# Seconds. Without its persistence daemon the driver starts each GPU anew, in up to 3 s, https://docs.nvidia.com/deploy/driver-persistence/
PATIENCE = 60.0


class Reader:
    """Reads each time in a process of its own.

    NVML stays in memory as it was loaded, also when another version of the driver has been installed since; and a driver that hangs, or
    kills who asks it, must not take the caller along. Who hangs in the driver cannot be killed, so no second one is sent after it.
    """

    def __init__(self, nvml: t.Any, patience: float = PATIENCE) -> None:
        self._nvml, self._patience, self._child = nvml, patience, 0

    def read(self) -> Reading:
        until = time.monotonic() + self._patience
        if not self._ended(until):
            return self._silent()
        ours, theirs = os.pipe()
        self._child = os.fork()
        if not self._child:
            _tell(theirs, self._nvml)
        os.close(theirs)
        told = _all_of(ours, until)
        if told is None or not self._ended(until):
            os.kill(self._child, signal.SIGKILL)
            return self._silent()
        return t.cast(Reading, pickle.loads(told)) if told else reading_of("failed", "nothing, and it ended the process that asked")

    def _ended(self, until: float) -> bool:
        """Whether the process of before has, which is waited for."""
        while self._child and os.waitpid(self._child, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
        self._child = 0
        return True

    def _silent(self) -> Reading:
        return reading_of("failed", f"nothing for {self._patience:g} s")


def _all_of(pipe: int, until: float) -> bytes | None:
    """What is written into C(pipe) to its end; None when that has not come by then."""
    told = b""
    with os.fdopen(pipe, "rb", buffering=0) as answer:
        while select.select([answer], [], [], max(until - time.monotonic(), 0))[0]:
            part = answer.read(1 << 16)
            if not part:
                return told
            told += part
    return None


def _tell(pipe: int, nvml: t.Any) -> t.NoReturn:
    """The work of the process of its own. Nothing that the caller has begun is ended by it."""
    with contextlib.suppress(BaseException), os.fdopen(pipe, "wb") as answer:
        answer.write(pickle.dumps(read(nvml)))
    os._exit(0)


def read(nvml: t.Any, pci_devices: str = "/sys/bus/pci/devices", proc: str = "/proc") -> Reading:
    """The host's GPUs. C(nvml) is the module pynvml, or None when it cannot be imported."""
    if nvml is None:
        return reading_of("no_library" if has_nvidia_gpu(pci_devices) or has_driver_library() else "no_gpu")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as exc:
        return not_initialised(nvml, exc, has_nvidia_gpu(pci_devices))
    try:
        count = nvml.nvmlDeviceGetCount()
        gpus = [read_gpu(nvml, index, proc) for index in range(count)]
        unlisted = not_listed(cards(pci_devices), gpus)
        dead = [f"gpu{gpu.index}: {gpu.unreadable[FATE]}" for gpu in gpus if gpu.state != "ok"]
        dead += [UNLISTED(card=card.pci_bus_id) for card in unlisted if not card.elsewhere]
        return reading_of(
            "degraded" if dead else "ok" if gpus else "no_gpu",
            "; ".join(dead),
            unlisted=unlisted,
            driver_version=nvml.nvmlSystemGetDriverVersion(),
            cuda_version=cuda_version(nvml.nvmlSystemGetCudaDriverVersion_v2()),
            nvml_version=nvml.nvmlSystemGetNVMLVersion(),
            gpus=gpus,
        )
    except nvml.NVMLError as exc:
        return reading_of("failed", str(exc))
    finally:
        nvml.nvmlShutdown()


def not_initialised(nvml: t.Any, exc: Exception, gpu_present: bool) -> Reading:
    code = getattr(exc, "value", None)
    if code == nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
        return reading_of("mismatch", str(exc))
    if code in (nvml.NVML_ERROR_LIBRARY_NOT_FOUND, nvml.NVML_ERROR_DRIVER_NOT_LOADED):
        # the library without its driver still tells of a GPU that was there
        present = gpu_present or code == nvml.NVML_ERROR_DRIVER_NOT_LOADED
        return reading_of("no_driver" if present else "no_gpu", str(exc) if present else "")
    return reading_of("failed", str(exc))


def has_nvidia_gpu(pci_devices: str) -> bool:
    return bool(cards(pci_devices))


def cards(pci_devices: str) -> list[Card]:
    """PCI vendor 0x10de, class 0x03 (display), in the order of their addresses; a virtual function (vGPU) is a part of one and not one itself."""
    found = []
    for device in sorted(glob.glob(os.path.join(pci_devices, "*"))):
        if _line(device, "vendor") == "0x10de" and _line(device, "class").startswith("0x03") and not os.path.lexists(os.path.join(device, "physfn")):
            driver = os.path.join(device, "driver")
            found.append(Card(os.path.basename(device), os.path.basename(os.readlink(driver)) if os.path.islink(driver) else ""))
    return found


def not_listed(found: t.Sequence[Card], gpus: t.Sequence[Gpu]) -> list[Card]:
    """Those of C(found) that are none of C(gpus). A GPU that does not tell its address gets the first one that is left; both are in the bus's order."""
    known = {pci_slot(gpu.pci_bus_id) for gpu in gpus if gpu.pci_bus_id}
    left = [card for card in found if pci_slot(card.pci_bus_id) not in known]
    mute = [gpu for gpu in gpus if not gpu.pci_bus_id]
    ours = [card for card in left if not card.elsewhere]
    for gpu, card in zip(mute, ours):
        gpu.pci_bus_id = card.pci_bus_id
        left.remove(card)
    return left


def has_driver_library() -> bool:
    """A host with the driver's library most likely has a GPU, perhaps one that fell off the bus."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _line(*path: str) -> str:
    try:
        with open(os.path.join(*path), encoding="ascii", errors="replace") as handle:
            return handle.readline().strip()
    except OSError:
        return ""


def read_gpu(nvml: t.Any, index: int, proc: str) -> Gpu:
    gpu = Gpu(index)
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as exc:
        gpu.state = "failed"
        return _failed(nvml, gpu, FATE, exc)

    def ask(field: str, question: t.Callable[[], t.Any]) -> t.Any:
        """The answer; NOT_SUPPORTED; or None, with the reason noted."""
        if gpu.state != "ok":
            return None
        try:
            return question()
        except nvml.NVMLError as exc:
            if getattr(exc, "value", None) in (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND):
                return NOT_SUPPORTED
            _failed(nvml, gpu, field, exc)
            return None

    def number(field: str, question: t.Callable[[], t.Any]) -> t.Any:
        """Like ask, but what is not supported is not a number: None, and noted."""
        value = ask(field, question)
        if value == NOT_SUPPORTED:
            gpu.unreadable[field] = NOT_SUPPORTED
            return None
        return value

    gpu.uuid = ask("uuid", lambda: nvml.nvmlDeviceGetUUID(handle))
    gpu.name = ask("name", lambda: nvml.nvmlDeviceGetName(handle))
    capability = ask("compute_capability", lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    gpu.compute_capability = f"{capability[0]}.{capability[1]}" if isinstance(capability, (tuple, list)) else capability
    gpu.pci_bus_id = ask("pci_bus_id", lambda: nvml.nvmlDeviceGetPciInfo(handle).busId)
    memory = number("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
    if memory is None and gpu.state == "ok":  # drivers before 510
        gpu.unreadable.pop("memory", None)
        memory = number("memory", lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    if memory is not None:
        gpu.memory_total_mib, gpu.memory_used_mib = memory.total // MIB, memory.used // MIB
    rates = number("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    if rates is not None:
        gpu.utilization_percent, gpu.memory_utilization_percent = rates.gpu, rates.memory
    gpu.temperature_celsius = number("temperature", lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
    gpu.power_watts = _watts(number("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle)))
    gpu.power_limit_watts = _watts(number("power_limit", lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)))
    gpu.clock_graphics_mhz = number("clock_graphics", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_GRAPHICS))
    gpu.clock_memory_mhz = number("clock_memory", lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM))
    mask = number("throttle_reasons", lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    gpu.throttle_reasons = None if mask is None else throttle_reasons(mask)
    gpu.ecc = _mode(ask("ecc", lambda: nvml.nvmlDeviceGetEccMode(handle)))
    if gpu.ecc == "enabled":
        kind = nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
        gpu.ecc_uncorrected = number("ecc_uncorrected", lambda: nvml.nvmlDeviceGetTotalEccErrors(handle, kind, nvml.NVML_AGGREGATE_ECC))
        gpu.ecc_uncorrected_volatile = number("ecc_uncorrected_volatile", lambda: nvml.nvmlDeviceGetTotalEccErrors(handle, kind, nvml.NVML_VOLATILE_ECC))
    rows = number("remapped_rows", lambda: nvml.nvmlDeviceGetRemappedRows(handle))  # corrected, uncorrected, pending, failure
    if rows is not None:
        gpu.remap_pending, gpu.remap_failure = bool(rows[2]), bool(rows[3])
    gpu.mig = _mode(ask("mig", lambda: nvml.nvmlDeviceGetMigMode(handle)))
    links = ask("nvlink", lambda: nvlinks(nvml, handle))
    gpu.nvlink_active = links if isinstance(links, str) or links is None else sum(links)
    # a card without a bridge has all its links inactive, as it was built; a module without them has lost them
    joined = isinstance(links, list) and (any(links) or _MODULE.search(gpu.name or ""))
    gpu.nvlink_down = (links.count(False) if joined else 0) if isinstance(links, list) else None
    running = number("processes", lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    gpu.processes = [read_process(p, proc) for p in running or []]
    if gpu.state == "ok" and all(gpu.unreadable.get(field, NOT_SUPPORTED) != NOT_SUPPORTED for field in ("uuid", "memory", "temperature")):
        gpu.state = "failed"  # one that answers nothing
        gpu.unreadable[FATE] = gpu.unreadable["uuid"]
    return gpu


def _failed(nvml: t.Any, gpu: Gpu, field: str, exc: Exception) -> Gpu:
    gpu.unreadable[field] = str(exc)
    fate = {nvml.NVML_ERROR_GPU_IS_LOST: "lost", nvml.NVML_ERROR_RESET_REQUIRED: "failed"}.get(getattr(exc, "value", None))
    if fate:
        gpu.state = fate
        gpu.unreadable[FATE] = str(exc)
    return gpu


def _watts(milliwatts: int | None) -> float | None:
    return None if milliwatts is None else milliwatts / 1000


def _mode(value: t.Any) -> str | None:
    """NVML answers with (current, pending)."""
    if value is None or value == NOT_SUPPORTED:
        return t.cast("str | None", value)
    return "enabled" if value[0] else "disabled"


def nvlinks(nvml: t.Any, handle: t.Any) -> list[bool]:
    """Whether each link is active. Raises NVMLError "not supported" when there is none; a link beyond the last one is an invalid argument."""
    links: list[bool] = []
    for link in range(MAX_NVLINKS):
        try:
            links.append(bool(nvml.nvmlDeviceGetNvLinkState(handle, link)))
        except nvml.NVMLError as exc:
            if link == 0 or getattr(exc, "value", None) not in (nvml.NVML_ERROR_INVALID_ARGUMENT, nvml.NVML_ERROR_NOT_SUPPORTED):
                raise
            break
    return links


def read_process(process: t.Any, proc: str) -> Process:
    user = None
    try:
        owner = os.stat(os.path.join(proc, str(process.pid))).st_uid
        try:
            user = pwd.getpwuid(owner).pw_name
        except KeyError:
            user = str(owner)
    except OSError:
        pass
    memory = process.usedGpuMemory
    return Process(process.pid, user, _line(proc, str(process.pid), "comm") or None, None if memory is None else memory // MIB)
