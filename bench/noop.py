# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run costs that finds nothing to do, against the least that Ansible does: facts of the same hosts, in one session.

Prints the median of alternating runs and its ratio. No absolute time is a promise.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
PLAYBOOK = [str(BIN / "ansible-playbook"), "-i", "inventories/box", "phase1.yml"]
CASES = {
    "gather_facts": [str(BIN / "ansible"), "-i", "inventories/box", "all", "-m", "ansible.builtin.gather_facts"],
    "phase1, nothing to do": PLAYBOOK,
    "phase1 --check": [*PLAYBOOK, "--check"],
    "phase1, one GPU host less": [*PLAYBOOK, "--limit", "!gpu2", "--tags", "gpu_node"],
    "phase1, both GPU hosts": [*PLAYBOOK, "--tags", "gpu_node"],
}


def seconds(argv: list[str]) -> float:
    started = time.perf_counter()
    env = {**os.environ, "GPULAB_REPORTS": "/tmp", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    subprocess.run(argv, cwd=ROOT, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds(PLAYBOOK)  # converge
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _round in range(rounds):
        for name, argv in CASES.items():
            times[name].append(seconds(argv))
    base = statistics.median(times["gather_facts"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:28} {median:6.2f} s  {median / base:5.2f} x gather_facts  ({min(measured):.2f}-{max(measured):.2f})")
    added = statistics.median(times["phase1, both GPU hosts"]) - statistics.median(times["phase1, one GPU host less"])
    print(f"{'one more GPU host costs':28} {added:6.2f} s")


if __name__ == "__main__":
    main()
