# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GPU readings as a Prometheus textfile. The role gpu_node runs this on the host: C(python -m gpulab._gpu.programs.metrics FILE SECONDS).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import sys
import time
import typing as t

from ..model import HOST_STATES, Reading
from ..nvml import Reader
from ..workloads import tasks

try:
    import prometheus_client
except ImportError:  # only the host's own environment has it
    prometheus_client = None  # type: ignore[assignment]

_GAUGES = (
    # (metric, help, field of Gpu, factor)
    ("gpulab_gpu_utilization_ratio", "Share of the last sample period in which a kernel ran", "utilization_percent", 0.01),
    ("gpulab_gpu_memory_used_bytes", "Memory in use", "memory_used_mib", 1 << 20),
    ("gpulab_gpu_memory_total_bytes", "Memory of the GPU", "memory_total_mib", 1 << 20),
    ("gpulab_gpu_temperature_celsius", "Temperature of the GPU", "temperature_celsius", 1),
    ("gpulab_gpu_power_watts", "Power drawn", "power_watts", 1),
    ("gpulab_gpu_power_limit_watts", "Power limit in force", "power_limit_watts", 1),
    ("gpulab_gpu_ecc_uncorrected_errors", "Uncorrected ECC errors over the life of the GPU", "ecc_uncorrected", 1),
)


def registry_of(reading: Reading, now: float) -> t.Any:
    """C(reading) as a registry; a value that was not read has no sample, so that nobody takes 0 for it."""
    registry = prometheus_client.CollectorRegistry()

    def gauge(name: str, text: str, *labels: str) -> t.Any:
        return prometheus_client.Gauge(name, text, labels, registry=registry)

    gauge("gpulab_gpu_reading_timestamp_seconds", "When the GPUs were read").set(now)
    state = gauge("gpulab_gpu_host_state", "1 for the state the host's GPUs are in", "state")
    for name in HOST_STATES:
        state.labels(name).set(name == reading.state)
    up = gauge("gpulab_gpu_up", "0 when the GPU has fallen off the bus or does not answer; by its PCI address when NVML does not list it", "gpu")
    info = gauge("gpulab_gpu_info", "Identity of the GPU", "gpu", "uuid", "name", "pci_bus_id", "driver_version")
    reasons = gauge("gpulab_gpu_throttled", "1 for each reason that holds the clocks down", "gpu", "reason")
    processes = gauge("gpulab_gpu_processes", "Processes on the GPU by user", "gpu", "user")
    of_tasks = gauge("gpulab_gpu_tasks", "Tasks on the GPUs: containers, or sessions outside any", "containerised")
    found = tasks({process.pid for gpu in reading.gpus for process in gpu.processes})
    for boxed in (True, False):
        of_tasks.labels(str(boxed).lower()).set(sum(task["containerised"] == boxed for task in found))
    gauges = [(gauge(name, text, "gpu"), field, factor) for name, text, field, factor in _GAUGES]
    for card in reading.unlisted:
        if not card.elsewhere:
            up.labels(card.pci_bus_id).set(0)
    for gpu in reading.gpus:
        index = str(gpu.index)
        up.labels(index).set(gpu.state == "ok")
        if gpu.state != "ok":
            continue
        info.labels(index, gpu.uuid or "", gpu.name or "", gpu.pci_bus_id or "", reading.driver_version or "").set(1)
        for each, field, factor in gauges:
            value = getattr(gpu, field)
            if value is not None:
                each.labels(index).set(value * factor)
        for reason in gpu.throttle_reasons or []:
            reasons.labels(index, reason).set(1)
        for process in gpu.processes:
            processes.labels(index, (process.user or "unknown").encode("utf-8", "replace").decode()).inc()
    return registry


def main(argv: t.Sequence[str]) -> None:
    """Write the textfile C(argv[0]) every C(argv[1]) seconds, for ever."""
    import pynvml  # the host's environment has it  # pylint: disable=import-error

    reader = Reader(pynvml)
    while True:
        prometheus_client.write_to_textfile(argv[0], registry_of(reader.read(), time.time()))
        time.sleep(float(argv[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
