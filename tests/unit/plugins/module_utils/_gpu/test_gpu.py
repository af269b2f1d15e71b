# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.model import HOST_STATES, Gpu, Process, cuda_version, reading_of, throttle_reasons
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.nvml import Reader, has_nvidia_gpu, read
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.programs.metrics import registry_of
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.workloads import tasks
from prometheus_client import generate_latest


def test_names() -> None:
    assert throttle_reasons(0x4 | 0x20 | 1 << 40) == ["sw_power_cap", "sw_thermal_slowdown", "bit_40"]
    assert throttle_reasons(0) == []
    assert cuda_version(12040) == "12.4" and cuda_version(13010) == "13.1"


def pci(tmp_path: pathlib.Path, vendor: str, kind: str) -> str:
    device = tmp_path / "0000:01:00.0"
    device.mkdir()
    (device / "vendor").write_text(vendor + "\n", encoding="ascii")
    (device / "class").write_text(kind + "\n", encoding="ascii")
    return str(tmp_path)


def test_gpu_without_library(tmp_path: pathlib.Path) -> None:
    devices = pci(tmp_path, "0x10de", "0x030000")
    assert has_nvidia_gpu(devices)
    assert read(None, devices).state == "no_library"


def test_nvidia_sound_card_is_no_gpu(tmp_path: pathlib.Path) -> None:
    devices = pci(tmp_path, "0x10de", "0x040300")
    assert not has_nvidia_gpu(devices) and read(None, devices).state == "no_gpu"


class Driver:
    """NVML of a host without GPUs, whose start does something else first."""

    class NVMLError(Exception):
        value = 999

    def __init__(self, start: t.Callable[[], t.Any]) -> None:
        self.nvmlInit = start
        self.nvmlShutdown = self.nvmlDeviceGetCount = lambda: 0
        self.nvmlSystemGetDriverVersion = self.nvmlSystemGetNVMLVersion = lambda: str(os.getpid())
        self.nvmlSystemGetCudaDriverVersion_v2 = lambda: 12040


def test_each_reading_is_of_a_process_of_its_own() -> None:
    """So that one that finds a new version of the driver's library does not go on with the old."""
    reader = Reader(Driver(lambda: None))
    first, second = reader.read(), reader.read()
    assert first.state == second.state == "no_gpu" and first.cuda_version == "12.4"
    assert len({first.driver_version, second.driver_version, str(os.getpid())}) == 3


def test_driver_that_hangs_is_told_and_asked_again(tmp_path: pathlib.Path) -> None:
    flag = tmp_path / "hangs"
    flag.touch()
    reader = Reader(Driver(lambda: time.sleep(30 if flag.exists() else 0)), patience=0.3)
    hung = reader.read()
    assert hung.state == "failed" and hung.message.endswith("a driver that hangs needs a reboot. NVML says: nothing for 0.3 s.")
    flag.unlink()
    reader._patience = 60.0  # a machine that is busy is no driver that hangs
    assert reader.read().state == "no_gpu"


def test_nobody_is_sent_after_one_who_cannot_be_killed(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    log = tmp_path / "asked"
    reader = Reader(Driver(lambda: (log.open("a", encoding="ascii").write("x"), time.sleep(60))), patience=0.2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", lambda *_args: None)
        assert {reader.read().state, reader.read().state, reader.read().state} == {"failed"}
    until = time.monotonic() + 60
    while not log.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(reader._child, signal.SIGKILL)
    os.waitpid(reader._child, 0)
    assert log.read_text(encoding="ascii") in ("", "x"), "one asked"


def test_driver_that_kills_who_asks_is_told() -> None:
    reading = Reader(Driver(lambda: os.kill(os.getpid(), signal.SIGKILL))).read()
    assert reading.state == "failed" and "it ended the process that asked" in reading.message


def test_metrics_leave_out_what_was_not_read() -> None:
    ok = Gpu(0, uuid="U", name="N", utilization_percent=50, memory_used_mib=1, throttle_reasons=["gpu_idle"], processes=[Process(1, "alice", "python", 5)])
    text = generate_latest(registry_of(reading_of("degraded", gpus=[ok, Gpu(1, state="lost")]), 7.0)).decode()
    assert 'gpulab_gpu_utilization_ratio{gpu="0"} 0.5' in text and 'gpulab_gpu_utilization_ratio{gpu="1"}' not in text
    assert 'gpulab_gpu_temperature_celsius{gpu="0"}' not in text
    assert 'gpulab_gpu_up{gpu="1"} 0.0' in text and 'gpulab_gpu_host_state{state="degraded"} 1.0' in text
    assert 'gpulab_gpu_processes{gpu="0",user="alice"} 1.0' in text
    assert text.count("gpulab_gpu_host_state{") == len(HOST_STATES)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a b", "é".encode(), b"..", b"%s{{ x }}"])
def test_a_control_group_of_any_name_stops_no_reading(tmp_path: pathlib.Path, name: bytes) -> None:
    """A user of the host makes such groups below his own."""
    for pid, group in ((1, name), (2, b"docker-" + b"a" * 64 + b".scope")):
        home = tmp_path / str(pid)
        home.mkdir()
        (home / "cgroup").write_bytes(b"0::/user.slice/" + group + b"\n")
        (home / "stat").write_bytes(f"{pid} (".encode() + name + f") S 1 {pid} {pid} 0".encode())
        mounted = name.replace(b" ", b"\\040")  # as the kernel writes it
        (home / "mountinfo").write_bytes(b"27 1 254:1 / / rw - ext4 /dev/vda1 rw\n28 27 0:60 / /home/" + mounted + b" rw - fuse " + mounted + b" rw\n")
    found = tasks([1, 2, 3], str(tmp_path))
    assert [task["containerised"] for task in found] == [True, False]
