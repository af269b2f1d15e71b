# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.model import Gpu, Reading
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.series import series
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.workloads import tasks
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.xid import XIDS, events, meaning, messages, of_hardware, pci_slot

DOCS = pathlib.Path(__file__).resolve().parents[5] / "docs" / "thresholds.md"
LOG = """\
NVRM: Xid (PCI:0000:01:00): 31, pid=4711, name=python, Ch 00000008, intr 10000000. MMU Fault
NVRM: Xid (PCI:0000:01:00): 45, pid=4711, name=python, Ch 00000008
NVRM: Xid (PCI:0000:02:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
NVRM: Xid (PCI:0000:03:00): 63, pid='<unknown>', name=<unknown>, Row Remapper: New row marked for remapping
NVRM: Xid (PCI:0000:02:00): 999, something new
""".splitlines()


def test_a_users_bug_is_not_a_broken_gpu() -> None:
    assert events(LOG) == [("01:00", 31), ("01:00", 45), ("02:00", 79), ("03:00", 63), ("02:00", 999)]
    assert of_hardware(events(LOG)) == {"02:00": [79, 999]}
    assert meaning(999).kind == "engine"


@pytest.mark.parametrize(
    ("address", "slot"),
    [
        ("0000:65:00", "65:00"), ("00000000:65:00.0", "65:00"), ("65:00", "65:00"), ("0000:B3:00.0", "b3:00"),
        ("000a:00:00", "000a:00:00"), ("0000000A:00:00.0", "000a:00:00"), ("0001:00:00", "0001:00:00"), ("10000:e1:00.0", "10000:e1:00"), ("", ""),
    ],
)  # fmt: skip
def test_a_gpu_is_known_by_its_address_however_it_is_written(address: str, slot: str) -> None:
    assert pci_slot(address) == slot


def test_xids_of_instances_and_of_other_domains() -> None:
    log = ["NVRM: Xid (PCI:0000:01:00 GPU-I:05): 94, pid=7194, Contained: CE User Channel", "NVRM: Xid (PCI:000a:00:00): 79, pid=12, name=a"]
    assert events(log) == [("01:00", 94), ("000a:00:00", 79)]


def test_what_the_kernel_repeats_of_a_user_is_no_xid() -> None:
    fault = "NVRM: Xid (PCI:0000:65:00): 79, pid=1"
    said = [f"process 'home/mallory/{fault}' started with executable stack", f"tmpfs: Unknown parameter 'x\n{fault}'", f"a\n{fault}[42]: segfault", fault]
    told = "\n".join([*(json.dumps({"MESSAGE": each}) for each in said), json.dumps({"MESSAGE": list(f"\xff\n{fault}".encode("latin-1"))}), "{}"])
    assert len(messages(told)) == 6 and events(messages(told)) == [("65:00", 79)]


def test_the_table_in_the_docs_is_this_table() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line[:3].strip("| ").isdigit() or line[2:4].isdigit()]
    assert rows == [f"| {code} | {m.kind} | {m.name} | {m.advice} |" for code, m in XIDS.items()]


def of(told: list[dict[str, object]], metric: str) -> list[object]:
    return [(row["device"], [value for _when, value in row["samples"]], row["reason"]) for row in told if row["metric"] == metric]  # type: ignore[attr-defined]


def test_what_a_gpu_has_not_is_left_out_and_what_it_did_not_tell_has_a_reason() -> None:
    card = Gpu(0, pci_bus_id="00000000:02:00.0", memory_total_mib=100, memory_used_mib=92, throttle_reasons=["sw_power_cap"])
    card.unreadable = {"utilization": "Unknown Error", "remapped_rows": "not supported", "temperature": "not supported"}
    lost = Gpu(1, state="lost", unreadable={"handle": "GPU is lost"})
    told = series([(1.0, Reading("degraded", "", gpus=[card, lost])), (2.0, Reading("degraded", "", gpus=[card, lost]))], LOG)
    assert of(told, "gpu_memory_used") == [("gpu0", [92, 92], ""), ("gpu1", [], "the GPU has fallen off the bus")]
    assert of(told, "gpu_utilization")[0] == ("gpu0", [], "Unknown Error")
    assert of(told, "gpu_power_brake")[0] == ("gpu0", [0, 0], "")
    assert of(told, "gpu_temperature")[0][0] == "gpu1" and of(told, "gpu_remap_pending")[0][0] == "gpu1"  # type: ignore[index]
    assert of(told, "gpu_lost") == [("gpu0", [0, 0], ""), ("gpu1", [1, 1], "")]
    assert of(told, "gpu_xid_hardware") == [("gpu0", [2], "")]
    assert of(series([(1.0, Reading("ok", "", gpus=[card]))], None), "gpu_xid_hardware") == [("gpu0", [], "the kernel log cannot be read")]


HOST_ROOT = "27 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n22 27 0:21 / /proc rw - proc proc rw\n"


def process(proc: pathlib.Path, pid: int, cgroup: str, session: int, name: str = "python", mounts: str = HOST_ROOT) -> None:
    home = proc / str(pid)
    home.mkdir()
    (home / "cgroup").write_text(f"0::{cgroup}\n", encoding="ascii")
    (home / "stat").write_text(f"{pid} ({name}) S 1 1 {session} 0\n", encoding="ascii")
    (home / "mountinfo").write_text(mounts, encoding="ascii")


def test_a_task_is_a_container_or_a_session(tmp_path: pathlib.Path) -> None:
    first, second = "a" * 64, "b" * 64
    process(tmp_path, 1, f"/system.slice/docker-{first}.scope", 10)
    process(tmp_path, 2, f"/system.slice/docker-{first}.scope", 11)
    process(tmp_path, 3, f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{second}.scope", 12)
    for rank in range(4, 12):
        process(tmp_path, rank, "/user.slice/user-1000.slice/session-3.scope", 500, "pt main (rank)")
    session = "/user.slice/user-1001.slice/session-4.scope"
    process(tmp_path, 20, session, 600, mounts="500 400 0:60 / / ro,nosuid - overlay overlay ro\n501 500 0:21 / /proc rw - proc proc rw\n")
    process(tmp_path, 21, session, 700, mounts="510 400 254:1 / / rw - ext4 /dev/vda1 rw\n511 510 0:70 / /tmp rw - tmpfs tmpfs rw\n")
    process(tmp_path, 22, session, 800, mounts=HOST_ROOT.replace("/ / rw", "/home/user/image / rw"))
    assert tasks([1, 2, 3, *range(4, 12), 20, 21, 22, 99], str(tmp_path)) == [
        {"name": "container aaaaaaaaaaaa", "containerised": True},
        {"name": "container bbbbbbbbbbbb", "containerised": True},
        {"name": "session 500", "containerised": False},
        {"name": "session 600", "containerised": True},
        {"name": "session 700", "containerised": False},
        {"name": "session 800", "containerised": True},
    ]
