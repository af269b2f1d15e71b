# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an audit costs for each host, how large its page is, and what reading eight GPUs costs beyond the start of NVML.

The hosts are light: all are this machine, each read as if it were one of its own. No absolute time is a promise.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "molecule" / "box"))

from box import PREFIX  # noqa: E402

BIN = ROOT / ".venv" / "bin"
READING = """
import sys, time
sys.path.insert(0, "/opt/gpulab/gpu_node/lib/python3.11/site-packages"); sys.path.insert(0, "/usr/local/lib/gpulab")
import pynvml
from gpulab._gpu.nvml import read_gpu
pynvml.nvmlInit()
took = []
for _round in range(20):
    begun = time.perf_counter()
    for index in range(pynvml.nvmlDeviceGetCount()):
        read_gpu(pynvml, index, "/proc")
    took.append(time.perf_counter() - begun)
print(sorted(took)[10] * 1000)
"""


def audit(hosts: int, directory: pathlib.Path) -> tuple[float, pathlib.Path]:
    inventory = directory / f"{hosts}.json"
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {f"node{n:03}": variables for n in range(hosts)}}}), encoding="ascii")
    env = {**os.environ, "GPULAB_REPORTS": str(directory), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), "playbooks/audit.yml", "--check", "-e", '{"audit_seconds": 0.1, "lab_disks": ["none"]}']
    begun = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun, max(directory.glob("audit-*.html"))


def main() -> None:
    with tempfile.TemporaryDirectory() as tmp:
        few, _page = audit(10, pathlib.Path(tmp))
        many, page = audit(200, pathlib.Path(tmp))
        print(f"{'audit of 10 hosts':28} {few:6.1f} s")
        print(f"{'audit of 200 hosts':28} {many:6.1f} s  {many / few:5.2f} x 10 hosts, page {page.stat().st_size / 1e6:.2f} MB")
        print(f"{'one more host costs':28} {(many - few) / 190:6.2f} s")
    play = [str(BIN / "ansible-playbook"), "-i", "inventories/box", "playbooks/gpu_node.yml", "--limit", "gpu1"]
    subprocess.run(play, cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, check=True, stdout=subprocess.DEVNULL)
    found = subprocess.run(["docker", "exec", "-i", f"{PREFIX}-gpu1", "python3", "-"], input=READING, capture_output=True, text=True, check=True)
    print(f"{'reading 8 GPUs':28} {float(found.stdout):6.1f} ms beyond import and start of NVML")


if __name__ == "__main__":
    main()
