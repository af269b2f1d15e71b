# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of GPUs, held against real ones: against nvidia-smi, and against what programs do that CUDA's compiler makes.

C(make gpu) runs it as root on a host that has both. Nothing is configured, and no GPU is reset.
"""

from __future__ import annotations

import collections.abc
import concurrent.futures
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import time
import typing as t

import pynvml
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gpulab.expansion.plugins.module_utils._gpu import xid  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.model import Gpu, throttle_reasons  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.nvml import Reader, read  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.series import series  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._images.compatibility import judge, node_of  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._images.image import image_of  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.judge import judge_all  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.model import Series, load  # noqa: E402

PROGRAM = pathlib.Path(__file__).with_name("program.cu")
LOOK = Reader(pynvml).read
Build = t.Callable[[str], pathlib.Path]


def sh(command: str) -> str:
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def host() -> None:
    reading = LOOK()
    if reading.state != "ok" or not shutil.which("nvcc"):
        pytest.exit(f"A GPU and CUDA's compiler are expected on this host, but: {reading.message} nvcc: {shutil.which('nvcc')}. Run this where both are.", 2)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """PROGRAM with code for one target only, such as sm_90 or compute_90."""
    made: dict[str, pathlib.Path] = {}

    def one(target: str) -> pathlib.Path:
        if target not in made:
            made[target] = tmp_path_factory.mktemp(target) / "program"
            sh(f"nvcc -gencode arch=compute_{target.split('_')[1]},code={target} -o {made[target]} {PROGRAM}")
        return made[target]

    return one


@pytest.fixture(scope="module")
def busy(build: Build) -> collections.abc.Iterator[int]:
    """Process of a program that holds most of the memory of the first GPU, and computes."""
    gpu = LOOK().gpus[0]
    with subprocess.Popen([build(f"sm_{(gpu.compute_capability or '').replace('.', '')}"), "fill", "0.93", "90"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "no error\n"
        time.sleep(5)
        yield process.pid
        process.kill()


# what nvidia-smi calls it, ours of it, and by how much two looks in a row may differ
VALUES: dict[str, tuple[t.Callable[[Gpu], t.Any], float]] = {
    "uuid": (lambda gpu: gpu.uuid, 0),
    "name": (lambda gpu: gpu.name, 0),
    "pci.bus_id": (lambda gpu: gpu.pci_bus_id, 0),
    "compute_cap": (lambda gpu: gpu.compute_capability, 0),
    "memory.total": (lambda gpu: gpu.memory_total_mib, 0),
    "memory.used": (lambda gpu: gpu.memory_used_mib, 2),
    "utilization.gpu": (lambda gpu: gpu.utilization_percent, 10),
    "utilization.memory": (lambda gpu: gpu.memory_utilization_percent, 10),
    "temperature.gpu": (lambda gpu: gpu.temperature_celsius, 3),
    "power.draw.instant": (lambda gpu: gpu.power_watts, 60),
    "enforced.power.limit": (lambda gpu: gpu.power_limit_watts, 0.01),
    "clocks.gr": (lambda gpu: gpu.clock_graphics_mhz, 150),
    "clocks.mem": (lambda gpu: gpu.clock_memory_mhz, 0),
    "ecc.mode.current": (lambda gpu: gpu.ecc, 0),
    "ecc.errors.uncorrected.aggregate.total": (lambda gpu: gpu.ecc_uncorrected, 0),
    "ecc.errors.uncorrected.volatile.total": (lambda gpu: gpu.ecc_uncorrected_volatile, 0),
    "mig.mode.current": (lambda gpu: gpu.mig, 0),
    "clocks_event_reasons.active": (lambda gpu: gpu.throttle_reasons, 0),
}


def test_each_value_is_nvidia_smis_when_idle() -> None:
    compare()


def test_each_value_is_nvidia_smis_under_load(busy: int) -> None:
    compare()
    assert (LOOK().gpus[0].utilization_percent or 0) > 50


def compare() -> None:
    rows = sh(f"nvidia-smi --query-gpu={','.join(VALUES)} --format=csv,noheader,nounits").splitlines()
    reading = LOOK()
    assert reading.state == "ok" and len(rows) == len(reading.gpus)
    assert reading.driver_version in sh("nvidia-smi") and f"CUDA Version: {reading.cuda_version}" in sh("nvidia-smi")
    for gpu, row in zip(reading.gpus, rows):
        for (name, (ours, margin)), text in zip(VALUES.items(), row.split(", ")):
            assert same(ours(gpu), text.strip(), margin), f"GPU {gpu.index}: nvidia-smi says {name} {text}, we say {ours(gpu)}"


def same(ours: t.Any, text: str, margin: float) -> bool:
    if text == "[N/A]":
        return ours in (None, "not supported")
    if isinstance(ours, list):
        return ours == throttle_reasons(int(text, 16))
    return abs(ours - float(text)) <= margin if isinstance(ours, (int, float)) else str(ours).lower() == text.lower()


def test_memory_over_its_limit_is_found_and_whose_it_is(busy: int) -> None:
    readings = []
    for _reading in range(12):
        readings.append((time.time(), LOOK()))
        time.sleep(0.5)
    thresholds = yaml.safe_load((ROOT / "playbooks" / "files" / "thresholds.yml").read_text(encoding="utf-8"))
    measured = [Series(s["metric"], s["device"], "host", s["samples"], s["reason"]) for s in series(readings, "")]
    found = {
        f.threshold: f.state
        for f in judge_all(load({**thresholds, "gpu_memory": {**thresholds["gpu_memory"], "window": "5 s"}}, "").values(), measured, time.time())
        if f.device == "gpu0"
    }
    assert found.pop("gpu_memory") == "over"
    assert found and set(found.values()) == {"ok"}  # a card that works hard is well
    (process,) = (p for p in readings[-1][1].gpus[0].processes if p.pid == busy)
    assert (process.user, process.name) == (pwd.getpwuid(os.getuid()).pw_name, "program")
    assert (process.memory_mib or 0) > 0.9 * (readings[-1][1].gpus[0].memory_total_mib or 0)


def test_a_build_runs_where_it_is_told_to(build: Build) -> None:
    reading = LOOK()
    own = (reading.gpus[0].compute_capability or "").replace(".", "")
    (toolkit,) = re.findall(r"release ([\d.]+)", sh("nvcc --version"))
    targets = {*sh("nvcc --list-gpu-code").split(), *sh("nvcc --list-gpu-arch").split(), *((f"sm_{own}a", f"compute_{own}a") if int(own) >= 90 else ())}
    node = node_of("here", {**reading.as_dict(), "gpus": reading.as_dict()["gpus"][:1]})
    seen = {True: 0, False: 0}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for target, program in zip(sorted(targets), pool.map(build, sorted(targets))):
            verdict = judge(image_of(target, {"config": {"Labels": {"gpulab.cuda": toolkit, "gpulab.sm": target}}}), node)
            done = subprocess.run([program, "run"], capture_output=True, text=True, check=False)
            assert verdict.runs == (done.returncode == 0), f"{target}: {verdict.why} The GPU says: {done.stdout}"
            seen[verdict.runs] += 1
    print(f"{seen[True]} builds ran as told, {seen[False]} were refused as told, of {len(targets)} by CUDA {toolkit}")
    assert seen[True] > 1 and seen[False] > 1


def test_fault_of_a_program_is_none_of_the_gpu(build: Build) -> None:
    before, gpu = len(xid.events(sh("dmesg --notime").splitlines())), LOOK().gpus[0]
    done = subprocess.run([build(f"sm_{(gpu.compute_capability or '').replace('.', '')}"), "fault"], capture_output=True, text=True, check=False)
    assert "illegal memory access" in done.stdout
    time.sleep(1)
    new = xid.events(sh("dmesg --notime").splitlines())[before:]
    assert (xid.pci_slot(gpu.pci_bus_id or ""), 31) in new
    assert xid.of_hardware(new) == {} and LOOK().state == "ok"


def test_gpu_without_its_library_is_told(tmp_path: pathlib.Path) -> None:
    """Hidden in a mount namespace of its own, so that nobody else misses it."""
    libraries = {os.path.realpath(path) for path in re.findall(r"libnvidia-ml\.so\.1 .*=> (\S+)", sh("ldconfig -p"))}
    (tmp_path / "empty").touch()
    (tmp_path / "ask.py").write_text(f"import sys; sys.path[:0] = {sys.path!r}; import pynvml; from {read.__module__} import read; print(read(pynvml).state)")
    hide = " && ".join(f"mount --bind {tmp_path}/empty {path}" for path in libraries)
    assert libraries and sh(f"unshare -m sh -c '{hide} && {sys.executable} {tmp_path}/ask.py'") == "no_driver\n"
