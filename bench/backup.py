# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What our way of backing up costs beside plain `borg create` and `rclone sync` of the same files, in one session on the box.

Plain and ours alternate, each with files that it has not seen, and who comes first changes each round, because the first one pays for a disk that is
still busy. No absolute time is a promise.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "molecule" / "box"))

from box import PREFIX  # noqa: E402

PLAIN = (
    "export BORG_REPO=ssh://borg@store1/srv/borg/plain BORG_PASSPHRASE=plain BORG_BASE_DIR=/var/lib/plain "
    "BORG_RSH='ssh -i /root/plain -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'; "
)
RCLONE = "runuser -u borg -- rclone --config /etc/gpulab/borg-offsite/rclone.conf sync /srv/borg/plain offsite:plain/gpu1"


def sh(host: str, command: str) -> float:
    started = time.perf_counter()
    subprocess.run(["docker", "exec", f"{PREFIX}-{host}", "sh", "-ec", command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - started


def plain(tree: str) -> tuple[float, float]:
    return sh("gpu1", PLAIN + f"borg create -C zstd,3 ::$(date +%s%N) {tree}"), sh("store1", RCLONE)


def ours() -> tuple[float, float]:
    return sh("gpu1", "systemctl start gpulab-borg.service"), sh("store1", "systemctl start gpulab-borg-offsite@gpu1.service")


def mean(took: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(each[0] for each in took) / len(took), sum(each[1] for each in took) / len(took)


def told(what: str, ours_took: tuple[float, float], plain_took: tuple[float, float]) -> None:
    mine, other = sum(ours_took), sum(plain_took)
    print(f"{what:34} ours {ours_took[0]:6.2f} + {ours_took[1]:5.2f} s, plain {plain_took[0]:6.2f} + {plain_took[1]:5.2f} s: {mine / other:5.2f} x", flush=True)


def main() -> None:
    subprocess.run(
        [ROOT / ".venv/bin/ansible-playbook", "-i", "inventories/box", "playbooks/borg.yml", "-e", '{"borg_sources": ["/home"]}'],
        cwd=ROOT,
        env={**os.environ, "GPULAB_REPORTS": "/tmp", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    sh("gpu1", "systemctl stop gpulab-borg.timer; rm -rf /root/plain* /var/lib/plain /home/*; ssh-keygen -q -t ed25519 -N '' -f /root/plain")
    sh("store1", "systemctl stop 'gpulab-borg-offsite@*.timer'; rm -rf /srv/borg/plain; chmod g+w /srv/borg")
    sh("mgmt1", "systemctl stop gpulab-borg-watch.timer gpulab-borg.timer")
    key = subprocess.run(["docker", "exec", f"{PREFIX}-gpu1", "cat", "/root/plain.pub"], check=True, capture_output=True, text=True).stdout.strip()
    sh("store1", f"echo '{key}' >> /srv/borg/.ssh/authorized_keys")
    sh("gpu1", PLAIN + "borg init -e repokey-blake2")
    ours()
    plain("/home")
    # half of it compresses, as code and logs do; half does not, as checkpoints
    make = "mkdir -p {0} && head -c 500000000 /dev/urandom > {0}/random && head -c 375000000 /dev/urandom | base64 -w 100 > {0}/text"
    mine: list[tuple[float, float]] = []
    others: list[tuple[float, float]] = []
    for number in range(1, 5):
        sh("gpu1", "rm -rf /home/*; " + make.format(f"/home/tree{number}"))
        sh("gpu1", f"cat /home/tree{number}/* > /dev/null")
        if number % 2:
            others.append(plain("/home"))
            mine.append(ours())
        else:
            mine.append(ours())
            others.append(plain("/home"))
        told(f"1 GB of new files, round {number}", mine[-1], others[-1])
    told("1 GB of new files, mean of rounds", mean(mine), mean(others))
    sh("gpu1", "rm -rf /home/*; mkdir /home/small && cd /home/small && seq 50000 | split -l 1 -a 5 -d - f")
    told("50,000 new small files", ours(), plain("/home"))
    told("nothing changed", ours(), plain("/home"))


if __name__ == "__main__":
    main()
