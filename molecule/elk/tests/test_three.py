# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three hosts of the engine: they form a cluster, and a change that restarts all of them never takes two away at once. In the soak alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t

import pytest
import yaml
from harness import ROOT, Lab, soak
from lab_logs import Logs, phrase

sys.path.insert(0, str(ROOT / "molecule" / "box"))

SERVERS = ("gpu2", "mgmt1", "store1")
# How many of them take connections, five times a second, for as long as the file is there.
_WATCH = """
import os, socket, sys, time
while os.path.exists("/tmp/watched"):
    up = 0
    for host in sys.argv[1:]:
        try:
            socket.create_connection((host, 9200), 0.5).close()
            up += 1
        except OSError:
            pass
    print(time.time(), up, flush=True)
    time.sleep(0.2)
"""
_TALK = """
n=0
while test -e /tmp/watched; do logger -t three "rolling line $n of many"; n=$((n+1)); sleep 0.1; done
echo $n > /tmp/said
"""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Lab]:
    import box  # noqa: PLC0415 - the soak alone needs it

    inventory = tmp_path_factory.mktemp("three") / "hosts.yml"
    groups = {"elk": {"hosts": dict.fromkeys(SERVERS)}, "elk_clients": {"hosts": dict.fromkeys([*SERVERS, "gpu1"])}}
    inventory.write_text(yaml.safe_dump(groups), encoding="ascii")
    lab = Lab("gpulab-three", inventory)
    lab.box("fresh", *SERVERS, "gpu1")
    base = box.base_image()
    recipe = ROOT / "molecule" / "box" / "build_nofile.sh"
    library = box.cached(f"nofile-{box.key_of(base, recipe)}", lambda out: box.in_builder(base, recipe, out)) / "nofile.so"
    for host in SERVERS:
        lab.sh(host, "mkdir -p /etc/systemd/system/opensearch.service.d")
        subprocess.run(["docker", "cp", "-q", str(library), f"{lab.prefix}-{host}:/usr/local/lib/nofile.so"], check=True)
        lab.sh(host, "printf '[Service]\\nEnvironment=LD_PRELOAD=/usr/local/lib/nofile.so\\n' > /etc/systemd/system/opensearch.service.d/nofile.conf")
    yield lab
    lab.box("down")


def run(lab: Lab, **variables: t.Any) -> t.Any:
    override = {"module": "elk", "by": "a test", "reason": "it is small", "until": "2099-12-31"}
    return lab.play(ROOT / "playbooks" / "elk.yml", variables={"elk_heap_mib": 512, "elk_snapshot_days": 0, "lab_gate_overrides": [override], **variables})


@soak
def test_three_form_a_cluster_and_never_two_restart_at_once(three: Lab) -> None:
    logs = Logs(three, SERVERS[0])
    made = run(three)
    assert made.rc == 0, made.output
    assert not run(three).changed()
    health = logs.ask("GET", "/_cluster/health")[1]
    assert (health["number_of_nodes"], health["status"]) == (3, "green"), health
    three.sh("gpu1", "touch /tmp/watched; cat > /tmp/watch.py", stdin=_WATCH)
    three.sh("gpu1", "cat > /tmp/talk.sh", stdin=_TALK)
    three.sh("gpu1", f"systemd-run -q --unit=watch -p StandardOutput=file:/tmp/seen python3 -u /tmp/watch.py {' '.join(SERVERS)}")
    three.sh("gpu1", "systemd-run -q --unit=talk sh /tmp/talk.sh")
    changed = run(three, elk_heap_mib=450)
    assert changed.rc == 0, changed.output
    three.sh("gpu1", "rm /tmp/watched; timeout 20 sh -c 'until test -s /tmp/said; do sleep 0.2; done'")
    restarted = {host for host, kind, key in changed.changes() if (kind, key) == ("unit", "opensearch.service")}
    assert restarted == set(SERVERS)
    seen = [int(line.split()[1]) for line in three.sh("gpu1", "cat /tmp/seen").stdout.splitlines()]
    assert min(seen) == 2, "one at a time is away, and none is left out"
    said = int(three.sh("gpu1", "cat /tmp/said").stdout)
    assert logs.wait_for(phrase("rolling line"), said, 120) == said
    time.sleep(2)
    assert logs.count(phrase("rolling line")) == said, "lines came twice"
    health = logs.ask("GET", "/_cluster/health")[1]
    assert (health["number_of_nodes"], health["status"]) == (3, "green"), json.dumps(health)
