# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import subprocess
import typing as t

import pytest
from harness import ROOT, Contract, Lab, soak


def test_contract(contract: Contract) -> None:
    assert not contract.disagreements, contract.report()


def gpu_info(lab: Lab, state: str) -> dict[str, t.Any]:
    """Run the module on the host, against its simulated NVML in C(state): the real pynvml through the real ctypes."""
    lab.sh("gpu1", "cp /etc/nvml-sim.conf /etc/nvml-sim.saved; cat > /etc/nvml-sim.conf", stdin=state)
    return ask(lab)


def ask(lab: Lab, more: str = "") -> dict[str, t.Any]:
    """As the host is; what was saved of its simulated NVML comes back."""
    try:
        argv = [
            "ansible",
            "-i",
            str(lab.inventory),
            "-i",
            str(ROOT / "inventories" / "box" / "names.yml"),
            "gpu1",
            "-m",
            "gpulab.expansion.gpu_info",
            "-a",
            f"python_env=/opt/gpulab/gpu_node {more}",
        ]
        done = subprocess.run(argv, env=lab.env, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return t.cast("dict[str, t.Any]", json.loads(done.stdout.split("=>", 1)[1]))
    finally:
        lab.sh("gpu1", "mv -f /etc/nvml-sim.saved /etc/nvml-sim.conf")


def test_eight_gpus_with_a_user(contract: Contract, lab: Lab) -> None:
    lab.sh("gpu1", "useradd -m alice; setsid runuser -u alice sleep 600 >/dev/null 2>&1 & until pgrep -u alice sleep >/dev/null; do sleep 0.1; done")
    pid = lab.sh("gpu1", "pgrep -u alice sleep").stdout.split()[0]
    found = gpu_info(lab, f"count=8\ndriver=550.54.14\ncuda=12040\n[0]\nutil=97\nmem_used=20000\ntemp=71\npower=412\nthrottle=4\nprocs={pid}:19000\n")
    lab.sh("gpu1", f"kill {pid}; userdel -r alice 2>/dev/null || true")
    assert (found["state"], found["driver_version"], found["cuda_version"], len(found["gpus"])) == ("ok", "550.54.14", "12.4", 8)
    first, second = found["gpus"][:2]
    assert (first["utilization_percent"], first["temperature_celsius"], first["power_watts"]) == (97, 71, 412.0)
    assert (first["memory_used_mib"], first["memory_total_mib"]) == (20000, 24564)
    assert first["throttle_reasons"] == ["sw_power_cap"]
    assert first["processes"] == [{"pid": int(pid), "user": "alice", "name": "sleep", "memory_mib": 19000}]
    assert (first["ecc"], first["mig"], first["nvlink_active"]) == ("not supported", "not supported", "not supported")
    assert second["processes"] == [] and second["uuid"] != first["uuid"]


def test_sixteen_gpus(contract: Contract, lab: Lab) -> None:
    found = gpu_info(lab, "count=16\n")
    assert [g["index"] for g in found["gpus"]] == list(range(16)) and found["state"] == "ok"


def test_one_of_eight_is_lost(contract: Contract, lab: Lab) -> None:
    found = gpu_info(lab, "count=8\n[5]\nlost=1\n")
    assert found["state"] == "degraded" and "fallen off the bus" in found["message"]
    assert [g["state"] for g in found["gpus"]] == ["ok"] * 5 + ["lost"] + ["ok"] * 2
    assert found["gpus"][5]["temperature_celsius"] is None and "lost" in found["gpus"][5]["unreadable"]["handle"]


EIGHT = {f"0000:{bus:02x}:00.0": "nvidia" for bus in (1, 2, 3, 4, 0x81, 0x82, 0x83, 0x84)}
# how a GPU can fail: what NVML says, the display devices on the PCI bus with their drivers, the host's state, dead devices, words of the message.
# docs/gpu-failures.md tells the same.
FATES: dict[str, tuple[str, dict[str, str], str, list[str], str]] = {
    "all is well": ("count=8\n", EIGHT, "ok", [], "All GPUs answer."),
    "fallen off the bus": ("count=8\n[5]\nlost=1\n", EIGHT, "degraded", ["gpu5"], "gpu5: GPU is lost."),
    "its handle fails": ("count=8\n[3]\nhandle=999\n", EIGHT, "degraded", ["gpu3"], "gpu3: Unknown Error."),
    "its power plug": ("count=8\n[3]\nhandle=8\n", EIGHT, "degraded", ["gpu3"], "gpu3: Insufficient External Power."),
    "its interrupt": ("count=8\n[3]\nhandle=11\n", EIGHT, "degraded", ["gpu3"], "gpu3: Interrupt Request Issue."),
    "it waits for a reset": ("count=8\n[2]\nerror=16\n", EIGHT, "degraded", ["gpu2"], "gpu2: GPU requires restart."),
    "it answers nothing": ("count=8\n[2]\nerror=999\n", EIGHT, "degraded", ["gpu2"], "gpu2: Unknown Error."),
    "one field is not told": ("count=8\n[2]\nunreadable=temp\n", EIGHT, "ok", [], "All GPUs answer."),
    "the driver did not start it": ("count=7\n", EIGHT, "degraded", ["0000:84:00.0"], "0000:84:00.0 is on the PCI bus, and is not listed."),
    "no driver took it": ("count=7\n", {**EIGHT, "0000:84:00.0": ""}, "degraded", ["0000:84:00.0"], "0000:84:00.0 is on the PCI bus"),
    "the driver started none": ("count=0\n", EIGHT, "degraded", sorted(EIGHT), "0000:01:00.0 is on the PCI bus"),
    "another driver holds it": ("count=7\n", {**EIGHT, "0000:84:00.0": "vfio-pci"}, "ok", [], "cannot use 0000:84:00.0, which vfio-pci holds."),
    "another driver holds all": ("count=0\n", dict.fromkeys(EIGHT, "vfio-pci"), "no_gpu", [], "cannot use 0000:01:00.0, which vfio-pci holds"),
    "two at once": ("count=7\n[0]\nlost=1\n", EIGHT, "degraded", ["gpu0", "0000:84:00.0"], "gpu0: GPU is lost; 0000:84:00.0 is on the PCI bus"),
    "in another domain": (
        "count=1\ndomain=10\n[0]\nbus=0\nhandle=999\n", {"000a:00:00.0": "nvidia"}, "degraded", ["gpu0"], "gpu0: Unknown Error.",
    ),
}  # fmt: skip
# What the metrics program that the role installed writes of it.
METRICS = "; ".join(
    [
        "import pynvml",
        "from prometheus_client import generate_latest",
        "from gpulab._gpu.nvml import read",
        "from gpulab._gpu.programs.metrics import registry_of",
        "print(generate_latest(registry_of(read(pynvml), 7.0)).decode())",
    ]
)


@pytest.mark.parametrize("fate", list(FATES))
def test_fates_of_a_gpu(contract: Contract, lab: Lab, fate: str) -> None:
    """Reading, metric and threshold agree, through the real library and ctypes; the PCI bus is a directory of the test's own."""
    state, bus, host, dead, words = FATES[fate]
    made = "".join(
        f"mkdir -p /tmp/pci/{address}; cd /tmp/pci/{address}; echo 0x10de > vendor; echo 0x030000 > class; {f'ln -s /x/{driver} driver; ' if driver else ''}"
        for address, driver in bus.items()
    )
    # beside each a sound device, and a virtual function
    made += "".join(f"mkdir /tmp/pci/{other}; cd /tmp/pci/{other}; echo 0x10de > vendor; echo {kind} > class; {more}" for other, kind, more in (
        ("0000:01:00.1", "0x040300", ""), ("0000:01:00.4", "0x030200", "ln -s ../0000:01:00.0 physfn; "),
    ))  # fmt: skip
    lab.sh("gpu1", "cp /etc/nvml-sim.conf /etc/nvml-sim.saved; cat > /etc/nvml-sim.conf", stdin=state)
    lab.sh("gpu1", f"{made} mount --bind /tmp/pci /sys/bus/pci/devices")
    try:
        text = lab.sh("gpu1", f"PYTHONPATH=/usr/local/lib/gpulab /opt/gpulab/gpu_node/bin/python -B -c '{METRICS}'").stdout
        found = ask(lab, "seconds=0.01")
    finally:
        lab.sh("gpu1", "umount /sys/bus/pci/devices; rm -r /tmp/pci; [ ! -e /etc/nvml-sim.saved ] || mv /etc/nvml-sim.saved /etc/nvml-sim.conf")
    assert (found["state"], words in found["message"]) == (host, True), found["message"]
    assert sorted(row["device"] for row in found["series"] if row["metric"] == "gpu_lost" and row["samples"][-1][1] == 1) == sorted(dead)
    down = re.findall(r'gpulab_gpu_up\{gpu="(.*)"\} 0.0', text)
    assert sorted(down) == sorted(device.removeprefix("gpu") for device in dead)
    assert f'gpulab_gpu_host_state{{state="{host}"}} 1.0' in text


def test_the_page_tells_of_each_fate() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in (ROOT / "docs" / "gpu-failures.md").read_text(encoding="utf-8").splitlines()[9:]]
    told = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    assert {fate: state for fate, (state, _metric) in told.items()} == {fate: row[2] for fate, row in FATES.items()}
    assert {fate for fate, (_state, metric) in told.items() if metric.startswith("0")} == {fate for fate, row in FATES.items() if row[3]}


def test_unreadable_field(contract: Contract, lab: Lab) -> None:
    gpu = gpu_info(lab, "count=2\n[1]\nunreadable=temp\ntemp=50\n")["gpus"][1]
    assert gpu["temperature_celsius"] is None and gpu["unreadable"]["temperature"] == "Unknown Error"
    assert gpu["power_watts"] == 20.0 and gpu["state"] == "ok"


def test_ecc_mig_and_nvlink_where_they_are(contract: Contract, lab: Lab) -> None:
    gpu = gpu_info(lab, "count=1\n[0]\nname=NVIDIA H100 80GB HBM3\necc=1\necc_unc=2\nmig=1\nnvlinks=4\n")["gpus"][0]
    assert (gpu["ecc"], gpu["ecc_uncorrected"], gpu["mig"], gpu["nvlink_active"]) == ("enabled", 2, "enabled", 4)


@pytest.mark.parametrize(
    ("name", "inactive", "down"),
    [
        ("NVIDIA A100-PCIE-40GB", 12, 0),  # nobody has bought the bridge
        ("NVIDIA A100-PCIE-40GB", 2, 2),
        ("NVIDIA A100-SXM4-80GB", 12, 12),
        ("NVIDIA H100 80GB HBM3", 12, 12),
        ("NVIDIA H100 PCIe", 12, 0),
        ("NVIDIA H200", 12, 12),
        ("NVIDIA H200 NVL", 12, 0),
        ("NVIDIA GeForce RTX 3090", 12, 0),
    ],
)
def test_links_that_are_lost_and_links_that_never_were(contract: Contract, lab: Lab, name: str, inactive: int, down: int) -> None:
    gpu = gpu_info(lab, f"count=1\n[0]\nname={name}\nnvlinks=12\nnvlinks_down={inactive}\n")["gpus"][0]
    assert (gpu["nvlink_active"], gpu["nvlink_down"]) == (12 - inactive, down)


@pytest.mark.parametrize(
    ("state", "name", "words"), [("nodriver=1\n", "no_driver", "driver is not loaded"), ("mismatch=1\n", "mismatch", "different versions")]
)
def test_driver_trouble(contract: Contract, lab: Lab, state: str, name: str, words: str) -> None:
    found = gpu_info(lab, state)
    assert found["state"] == name and words in found["message"] and found["gpus"] == []


def test_no_gpu(contract: Contract, lab: Lab) -> None:
    assert gpu_info(lab, "count=0\n")["state"] == "no_gpu"


def test_no_driver_library(contract: Contract, lab: Lab) -> None:
    lab.sh("gpu1", "mv /usr/lib/libnvidia-ml.so.1 /root/; ldconfig")
    try:
        assert gpu_info(lab, "count=8\n")["state"] == "no_gpu"
    finally:
        lab.sh("gpu1", "mv /root/libnvidia-ml.so.1 /usr/lib/; ldconfig")


def test_metrics(lab: Lab, host_of: t.Callable[[str], t.Any]) -> None:
    host = host_of("gpu1")
    assert host.service("gpulab-gpu-metrics").is_running and host.service("gpulab-gpu-metrics").is_enabled
    # what other tests simulated is gone with the next reading
    lab.sh("gpu1", "touch /tmp/now; timeout 120 sh -c 'until [ /var/lib/gpulab/metrics/gpulab_gpu.prom -nt /tmp/now ]; do sleep 0.5; done'")
    text = host.file("/var/lib/gpulab/metrics/gpulab_gpu.prom").content_string
    assert 'gpulab_gpu_utilization_ratio{gpu="0"} 0.97' in text
    assert 'gpulab_gpu_host_state{state="ok"} 1.0' in text
    assert text.count("gpulab_gpu_up{") == 8
    # nothing outside the role's own places was made writable
    assert oct(host.file("/etc").mode) == "0o755" and oct(host.file("/usr/local/lib").mode) in ("0o755", "0o2775")


def test_metrics_see_a_driver_that_is_replaced(lab: Lab) -> None:
    """Its library stays in the memory of who has loaded it, and answers as ever."""
    once = "touch /tmp/now; timeout 120 sh -c 'until [ /var/lib/gpulab/metrics/gpulab_gpu.prom -nt /tmp/now ]; do sleep 0.5; done'"
    wait = f"{once}; {once}"  # the first may be of a reading that had begun before
    seen = "grep -h 'host_state.* 1.0' /var/lib/gpulab/metrics/gpulab_gpu.prom"
    lab.sh("gpu1", f"{wait}; mv /usr/lib/libnvidia-ml.so.1 /root/; ldconfig")
    try:
        away = lab.sh("gpu1", f"{wait}; {seen}").stdout
    finally:
        lab.sh("gpu1", "mv /root/libnvidia-ml.so.1 /usr/lib/; ldconfig")
    assert away == 'gpulab_gpu_host_state{state="no_gpu"} 1.0\n'
    assert lab.sh("gpu1", f"{wait}; {seen}").stdout == 'gpulab_gpu_host_state{state="ok"} 1.0\n'


@soak
def test_driver_that_hangs(contract: Contract, lab: Lab) -> None:
    """Who opens a pipe that nobody writes into waits."""
    lab.sh("gpu1", "mv /etc/nvml-sim.conf /etc/nvml-sim.saved; mkfifo /etc/nvml-sim.conf")
    found = ask(lab)
    assert (found["state"], found["gpus"]) == ("failed", []) and "a driver that hangs needs a reboot. NVML says: nothing for 60 s." in found["message"]
    seen = "timeout 90 sh -c 'until grep -q \"host_state.*{}.* 1.0\" /var/lib/gpulab/metrics/gpulab_gpu.prom; do sleep 0.5; done'"
    lab.sh("gpu1", seen.format("failed"))
    lab.sh("gpu1", seen.format("ok"))


def test_host_without_python(lab: Lab, said: t.Callable[..., str], contract: Contract) -> None:
    before = lab.manifest(["gpu1"])
    lab.sh("gpu1", "mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        run = lab.play(contract.subject.playbook)
    finally:
        lab.sh("gpu1", "mv /usr/bin/python3.away /usr/bin/python3")
    messages = [r["message"] for r in run.records if r["failed"]]
    assert run.rc and len(messages) == 1
    assert "gpu1: Python 3.9 or newer is expected on the host, but none is found: run `apt-get install python3`" in messages[0]
    assert {p for _h, p, _w in contract.written(before, lab.manifest(["gpu1"]))} <= {"/usr", "/usr/bin", "/usr/bin/python3"}
