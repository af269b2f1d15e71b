# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much faster an image is on every node with a cache that has it already, when the line to the registry is the limit.

The registry's line is shaped to 200 Mbit/s. Nodes are pulls at the same time, on three hosts, with the library of podman, each into a store of its own.
What is compared: from the registry itself; with a cache that has not got it; with one that has; and both of the image's next version, of which a tenth
is new. An image is brought into the cache when it is pushed, so that time is told beside, and counted once. No absolute time is a promise.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "contract"), str(ROOT / "molecule" / "harbor" / "tests")]

from harness import Lab  # noqa: E402
from lab_images import ADMIN, Images  # noqa: E402

RATE = "200mbit"
HOSTS = ("gpu1", "gpu2", "mgmt1")
LAYERS = (350, 100, 50)  # megabytes; only the last is another in the next version
DIRECT = "--registries-conf /etc/bench-none.conf"


class Bench:
    def __init__(self) -> None:
        self.lab = Lab("gpulab-bench", ROOT / "molecule" / "harbor" / "hosts.yml")
        self.images = Images(self.lab)
        self.version = 0

    def up(self) -> None:
        self.lab.box("fresh", "store1", *HOSTS)
        for host in HOSTS:
            self.lab.sh(host, "apt-get -qq update && apt-get -qq install -y --no-install-recommends skopeo >/dev/null; : > /etc/bench-none.conf")
        inventory = {"harbor_caches": {"hosts": {"gpu1": None}}, "harbor": {"hosts": {"store1": None}}, "harbor_clients": {"hosts": dict.fromkeys(HOSTS)}}
        path = ROOT / "reports" / "bench-images.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(inventory), encoding="ascii")
        lab = Lab("gpulab-bench", path)
        more = {"harbor_runtimes": ["podman"], "harbor_pull_secrets": ["/root/.docker/config.json"], "harbor_preheat": ["lab/*:*"]}
        run = lab.play(ROOT / "playbooks" / "harbor.yml", variables=more)
        assert run.rc == 0, run.output
        self.lab.sh("gpu1", "systemctl stop gpulab-harbor-warm.timer")
        self.lab.sh("store1", f"tc qdisc add dev eth0 root tbf rate {RATE} burst 256kb latency 200ms")

    def push(self, more: int) -> str:
        """An image of another version; those of another C(more) share no layer with it."""
        self.version += 1
        self.images.make(self.version, [LAYERS[0] + more, LAYERS[1] + more, LAYERS[2]])
        self.images.push(f"lab/bench:{self.version}", ADMIN)
        return f"lab/bench:{self.version}"

    def preheat(self) -> float:
        begun = time.perf_counter()
        self.lab.sh("gpu1", "systemctl start gpulab-harbor-warm.service")
        return time.perf_counter() - begun

    def sent(self) -> float:
        return float(self.lab.sh("store1", "cat /sys/class/net/eth0/statistics/tx_bytes").stdout) / 1e6

    def pull(self, image: str, nodes: int, more: str = "", fresh: bool = True) -> tuple[float, float]:
        """Seconds until all have it, and megabytes that left the registry."""
        if fresh:
            for host in HOSTS:
                self.lab.sh(host, "rm -rf /var/lib/bench*")
        before, begun = self.sent(), time.perf_counter()

        def one(number: int) -> None:
            self.lab.sh(HOSTS[number % len(HOSTS)], f"skopeo {more} copy -q docker://store1:5000/{image} oci:/var/lib/bench{number}:{image.rpartition(':')[2]}")

        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(one, range(nodes)))
        return time.perf_counter() - begun, self.sent() - before


def main() -> None:
    bench = Bench()
    try:
        bench.up()
        for nodes in (3, 6):
            first = bench.push(nodes)
            direct, out = bench.pull(first, nodes, DIRECT)

            def told(what: str, took: float, sent: float, base: float = direct, count: int = nodes) -> None:
                print(f"{count} nodes, {what:44} {took:6.1f} s  {base / took:5.1f} x   {sent:6.0f} MB left the registry", flush=True)

            print(f"an image of {sum(LAYERS)} MB, the registry's line at {RATE}")
            told("from the registry itself", direct, out)
            told("the cache has not got it", *bench.pull(first, nodes))
            preheated = bench.preheat()
            warm, out = bench.pull(first, nodes)
            told("the cache has it, as when jobs start later", warm, out)
            told(f"the same, and the {preheated:.1f} s that it took to get it", preheated + warm, sum(LAYERS))
            bench.pull(first, nodes)
            second = bench.push(nodes)
            for number in range(nodes):
                bench.lab.sh(HOSTS[number % 3], f"cp -r /var/lib/bench{number} /var/lib/kept{number}")
            following, out = bench.pull(second, nodes, DIRECT, fresh=False)
            told("next version, from the registry itself", following, out, following)
            for number in range(nodes):
                bench.lab.sh(HOSTS[number % 3], f"rm -rf /var/lib/bench{number}; mv /var/lib/kept{number} /var/lib/bench{number}")
            preheated = bench.preheat()
            warm, out = bench.pull(second, nodes, fresh=False)
            told("next version, the cache has it", warm, out, following)
            told(f"the same, and the {preheated:.1f} s that it took to get it", preheated + warm, LAYERS[-1], following)
    finally:
        subprocess.run([sys.executable, str(ROOT / "molecule" / "box" / "box.py"), "down"], env={**os.environ, "BOX_PREFIX": "gpulab-bench"}, check=False)


if __name__ == "__main__":
    main()
