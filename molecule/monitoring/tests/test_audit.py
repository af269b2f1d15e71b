# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit on real hosts, with a real Prometheus, real requests to a disk and real traffic."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import pathlib
import subprocess
import sys
import threading
import time
import typing as t
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from harness import ROOT, Contract, Lab, soak

SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
PLAYBOOK = ROOT / "playbooks" / "audit.yml"
# Windows of seconds, so that a test need not take ten minutes. Prometheus tells of the GPUs; of links it tells a mean over a minute, which lingers.
QUICK = {
    "gpu_memory": {"window": "5 s"},
    "gpu_thermal": {"window": "5 s"},
    "link_traffic": {"window": "3 s", "limit": "20 Mbit/s", "query": ""},
    "disk_latency": {"window": "3 s"},
}


@dataclasses.dataclass
class Audit:
    rc: int
    output: str
    document: dict[str, t.Any]
    page: str
    suite: ET.Element

    def over(self) -> list[tuple[str, str, str]]:
        return [(f["host"], f["device"], f["threshold"]) for f in self.document["findings"] if f["state"] == "over"]

    def finding(self, threshold: str) -> dict[str, t.Any]:
        (found,) = [f for f in self.document["findings"] if f["threshold"] == threshold and f["state"] == "over"]
        return t.cast("dict[str, t.Any]", found)

    def module(self, name: str) -> dict[str, t.Any]:
        (found,) = [m for m in self.document["modules"] if m["module"] == name]
        return t.cast("dict[str, t.Any]", found)


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """One directory for all audits, so that each knows the last."""
    return tmp_path_factory.mktemp("audits")


@pytest.fixture
def audit(watched: Lab, audits: pathlib.Path) -> t.Callable[..., Audit]:
    """Run the playbook as a person does."""

    def run(check: bool = True, **variables: t.Any) -> Audit:
        before = set(audits.glob("audit-*"))
        given = {
            "lab_prometheus_url": f"http://{address(watched, 'mgmt1')}:9090",
            "lab_thresholds": QUICK,
            "lab_user_groups": ["lab"],
            "lab_preconditions": {"object_storage": True},
            "lab_interfaces": ["eth0"],
            "lab_disks": ["none"],  # the machine's own disk may be busy with something else
            "audit_seconds": 4,
            "gpu_node_metrics_directory": "/var/lib/prometheus/node-exporter",
            "gpu_node_metrics_interval": 1,
            "monitoring_grafana_provisioning": "/etc/grafana/provisioning",
            "monitoring_modules": ["gpu_node", "elk", "borg", "harbor"],
            **variables,
        }
        env = {**watched.env, "GPULAB_REPORTS": str(audits)}
        inventory = ["-i", str(watched.inventory), "-i", str(ROOT / "inventories" / "box" / "names.yml")]
        argv = [str(ROOT / ".venv/bin/ansible-playbook"), *inventory, str(PLAYBOOK), "-e", json.dumps(given), *(["--check"] if check else [])]
        done = subprocess.run(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        made = {path.suffix: path for path in set(audits.glob("audit-*")) - before}
        if not made:
            return Audit(done.returncode, done.stdout + done.stderr, {}, "", ET.Element("none"))
        document = json.loads(made[".json"].read_text(encoding="utf-8"))
        jsonschema.validate(document, SCHEMA)
        return Audit(done.returncode, done.stdout, document, made[".html"].read_text(encoding="utf-8"), ET.parse(made[".xml"]).getroot())

    return run


def address(lab: Lab, host: str) -> str:
    """As the control node reaches it."""
    shape = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return subprocess.run(["docker", "inspect", "-f", shape, f"{lab.prefix}-{host}"], capture_output=True, text=True, check=True).stdout.strip()


# Freezes a file system over and over, and thaws it for a moment, for at most five minutes: FIFREEZE and FITHAW of linux/fs.h.
FREEZE = """
import fcntl, os, signal, sys, time
place = os.open(sys.argv[1], os.O_RDONLY)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
until = time.monotonic() + 300
while not stop and time.monotonic() < until:
    fcntl.ioctl(place, 0xC0045877, 0)
    time.sleep(0.05)
    fcntl.ioctl(place, 0xC0045878, 0)
    time.sleep(0.002)
"""


@contextlib.contextmanager
def slow_disk(folder: pathlib.Path) -> t.Iterator[str]:
    """The name of a disk most of whose requests take 50 ms: a loop device on a file whose own file system is frozen again and again."""

    def sh(*argv: str) -> str:
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    outer, place = folder / "outer", folder / "place"
    place.mkdir()
    with contextlib.ExitStack() as undo:
        sh("truncate", "-s", "64M", str(outer))
        below = sh("losetup", "-f", "--show", str(outer))
        undo.callback(sh, "losetup", "-d", below)
        sh("mkfs.ext4", "-q", below)
        sh("mount", below, str(place))
        undo.callback(sh, "umount", "-l", str(place))
        sh("truncate", "-s", "16M", str(place / "inner"))
        disk = sh("losetup", "-f", "--show", str(place / "inner"))
        undo.callback(sh, "losetup", "-d", disk)
        freezer = subprocess.Popen([sys.executable, "-c", FREEZE, str(place)])
        undo.callback(freezer.wait)
        undo.callback(freezer.terminate)
        for number in range(4):
            write = f"while :; do dd if=/dev/zero of={disk} bs=4k count=1 seek={number} oflag=direct 2>/dev/null; done"
            writer = subprocess.Popen(["timeout", "300", "sh", "-c", write])
            undo.callback(writer.wait)
            undo.callback(writer.terminate)
        yield pathlib.Path(disk).name


def test_without_check_it_stops_and_says_the_command(audit: t.Callable[..., Audit]) -> None:
    refused = audit(check=False)
    assert refused.rc != 0 and "gpulab.expansion.audit --check" in refused.output and not refused.document
    assert "Ask Prometheus" not in refused.output


def test_it_changes_nothing_and_tells_what_is(watched: Lab, contract: Contract, audit: t.Callable[..., Audit]) -> None:
    """L0 on hosts, control node and the APIs of Prometheus and Alertmanager, on a calm lab."""
    hosts = ["gpu1", "mgmt1"]
    watched.sh(
        "gpu1", "getent group lab || groupadd lab; for name in li chen zhao; do id $name 2>/dev/null || useradd -m -G lab $name; done; usermod -aG sudo chen"
    )
    # the rule of one account, by an alias in a file that is included
    watched.sh(
        "gpu1", "printf 'User_Alias UPGRADERS = zhao\\nUPGRADERS ALL=(root) NOPASSWD: /usr/bin/apt\\n' > /etc/sudoers.d/zhao; chmod 440 /etc/sudoers.d/zhao"
    )

    def engines() -> list[str]:
        silences = watched.sh("mgmt1", "amtool --alertmanager.url=http://localhost:9093 silence query -o json").stdout
        loaded = watched.sh("mgmt1", "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://localhost:9090/metrics\").read().decode())'").stdout
        return [silences, *[line for line in loaded.splitlines() if line.startswith("prometheus_config_last_reload")]]

    try:
        before, said = watched.manifest(hosts), engines()
        found = audit()
        after = watched.manifest(hosts)
    finally:
        watched.sh("gpu1", "rm -f /etc/sudoers.d/zhao")
    moving = ("/var/lib/prometheus/", "/etc/nvml-sim.conf")
    written = [w for w in contract.written(before, after) if not w[1].startswith(moving)]
    assert not written, written
    assert engines() == said
    assert found.rc == 0, found.output
    assert found.over() == []
    assert found.document["prometheus"]["state"] == "ok"
    assert found.document["phase"] == 1
    (users,) = [e["readings"] for e in found.document["evidence"] if e["evidence"] == "users"]
    assert users[0]["value"] == 3 and users[0]["source"] == "host"
    (gpu1,) = [host for host in found.document["hosts"] if host["host"] == "gpu1"]
    assert gpu1["administrators"] == [{"user": "chen", "by": ["sudo"]}, {"user": "zhao", "by": ["sudoers: some commands"]}]
    assert {host["administrators_unknown"] for host in found.document["hosts"]} == {""}
    assert "chen (sudo)" in found.page and "zhao (sudoers: some commands)" in found.page and "zhao（sudoers：部分命令）" in found.page
    assert found.module("borg")["state"] == "open"
    (slurm,) = found.module("slurm")["conditions"]
    assert slurm["state"] == "unknown" and "7 d are needed" in slurm["found"]
    assert [len(h["gpus"]) for h in found.document["hosts"] if h["host"] == "gpu1"] == [8]
    assert found.document["changes"] == [] and "NVML tells of no NVLink at all" in found.document["horizontal"][0]["en"]
    assert found.suite.get("failures") == "0"


def test_heat_traffic_and_a_slow_disk_are_named_and_gone_when_calm(watched: Lab, audit: t.Callable[..., Audit], tmp_path: pathlib.Path) -> None:
    # the audit before this one found the lab calm
    watched.sh("gpu1", "cp /etc/nvml-sim.conf /tmp/gpus.conf && printf '[5]\\nmem_used=22700\\n' >> /etc/nvml-sim.conf")
    package = watched.sh("gpu1", "curl -s http://mirror/apt/pool/ | grep -o 'prometheus_[^\"]*deb' | head -1").stdout.strip()
    assert package
    # one program and one connection, because a machine that is busy takes seconds to start the next one
    watched.sh("gpu1", f"systemd-run -q --unit=download --collect timeout 300 curl -s -o /dev/null 'http://mirror/apt/pool/{package}?[1-1000000]'")
    rate = "a=$(cat /sys/class/net/eth0/statistics/rx_bytes); sleep 1; b=$(cat /sys/class/net/eth0/statistics/rx_bytes); [ $((b - a)) -gt 5000000 ]"
    watched.sh("gpu1", f"for _ in $(seq 60); do {rate} && exit 0; done; exit 1")
    try:
        with slow_disk(tmp_path) as disk:
            time.sleep(6)  # the window, so that all of it is hot
            hot = audit(lab_disks=[disk], audit_fail_on=["violation"])
    finally:
        watched.sh("gpu1", "cp /tmp/gpus.conf /etc/nvml-sim.conf; systemctl stop download.service || true")
    assert hot.rc != 0 and "nothing is expected to be over its limit, but " in hot.output.replace("\n", " "), hot.output[-3000:]
    # test hosts share the machine's kernel, so both tell of the disk
    assert set(hot.over()) == {("gpu1", "gpu5", "gpu_memory"), ("gpu1", "eth0", "link_traffic"), *((host, disk, "disk_latency") for host in ("gpu1", "mgmt1"))}
    slow = next(f for f in hot.document["findings"] if f["threshold"] == "disk_latency")
    assert slow["value"] > slow["limit"] == 20 and slow["source"] == "host" and "Optane" in slow["advice"] and disk in hot.page
    memory = hot.finding("gpu_memory")
    assert round(memory["value"]) == 92 and memory["limit"] == 90 and memory["window"] == 5 and memory["source"] == "prometheus"
    assert "H100 80GB" in memory["advice"] and "H100 80GB" in memory["advice_zh"]
    assert hot.finding("link_traffic")["source"] == "host" and "100 Gb InfiniBand" in hot.finding("link_traffic")["advice"]
    assert [case.get("name") for case in hot.suite if case.find("failure") is not None] == ["gpu_memory", "link_traffic", "disk_latency"]
    assert any("gpu1 gpu5" in line["en"] for line in hot.document["compared"]["new"])
    time.sleep(4)
    again = audit(lab_disks=[disk], audit_fail_on=["violation"])
    assert again.rc == 0 and any("gpu1 gpu5" in line["en"] for line in again.document["compared"]["gone"]), again.output


def test_drift_is_told_from_what_is_yet_to_come(watched: Lab, audit: t.Callable[..., Audit]) -> None:
    watched.sh("gpu1", "echo '# by hand' >> /etc/systemd/system/gpulab-gpu-metrics.service")
    try:
        found = audit(audit_fail_on="drift")
        assert found.rc != 0 and "nothing is expected to have drifted, but 2 did" in found.output.replace("\n", " "), found.output
        assert {(c["host"], c["kind"], c["drift"]) for c in found.document["changes"]} == {("gpu1", "file", True), ("gpu1", "unit", True)}
    finally:
        run = watched.play(
            ROOT / "playbooks" / "gpu_node.yml", variables={"gpu_node_metrics_directory": "/var/lib/prometheus/node-exporter", "gpu_node_metrics_interval": 1}
        )
        assert run.rc == 0, run.output


class Answer(http.server.BaseHTTPRequestHandler):
    """A Prometheus behind a door: /locked asks for a token, /slow takes three seconds, /odd is something else."""

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            time.sleep(3)
        self.send_response(401 if self.path.startswith("/locked") else 200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, *_args: t.Any) -> None:
        """Not on the terminal."""


@pytest.fixture(scope="module")
def door() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def requests_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("requests")
    (folder / "a.yml").write_text("title: [open\n", encoding="utf-8")
    (folder / "b.yml").write_text("title: b\nwho: c\nneed: d\nimpact: lab\n", encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def odd_roadmap(tmp_path_factory: pytest.TempPathFactory) -> str:
    text = (ROOT / "playbooks" / "files" / "roadmap.yml").read_text(encoding="utf-8").replace("unit: people", "unit: persons")
    path = tmp_path_factory.mktemp("roadmap") / "roadmap.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("variables", "rc", "said"),
    [
        ({"lab_prometheus_url": "http://127.0.0.1:1"}, 0, "Connection refused. Correct lab_prometheus_url."),
        ({"lab_prometheus_url": "{door}/locked"}, 0, "is expected to let us in, but answers 401: set lab_prometheus_token"),
        ({"lab_prometheus_url": "{door}/slow", "lab_prometheus_timeout": 1}, 0, "is expected to answer in time, but does not"),
        ({"lab_prometheus_url": "{door}/odd"}, 0, "does not answer as one"),
        ({"lab_requests": "{requests}"}, 0, "b.yml: impact is expected to be user or team, but is 'lab'"),
        ({"lab_user_groups": ["nobody-knows"]}, 0, "no group of lab_user_groups has a member"),
        ({"lab_roadmap": "{roadmap}"}, 2, "the unit of users is expected to be one of people, tasks"),
        ({"lab_roadmap": "/nowhere/roadmap.yml"}, 2, "The roadmap is expected at /nowhere/roadmap.yml, but it cannot be read"),
        ({"lab_thresholds": {"gpu_memory": {"limit": "8 Gbit/s"}}}, 2, "limit is expected as a number of percent"),
        ({"lab_gate_overrides": [{"module": "slurm"}]}, 2, "An override is expected to have module, by, reason, until"),
        ({"audit_fail_on": "sometimes"}, 2, "audit_fail_on is expected to be some of drift, violation, gate, never, but has sometimes"),
    ],
)
@soak
def test_what_is_wrong_is_told(
    audit: t.Callable[..., Audit], door: str, requests_folder: str, odd_roadmap: str, variables: dict[str, t.Any], rc: int, said: str
) -> None:
    """What is wrong outside is told on the page, and the rest of it stays; what is wrong in the inventory stops the audit with a sentence."""
    text = json.dumps(variables).replace("{door}", door).replace("{requests}", requests_folder).replace("{roadmap}", odd_roadmap)
    found = audit(audit_seconds=1, **json.loads(text))
    told = " ".join((found.output + json.dumps(found.document, ensure_ascii=False)).split())
    assert found.rc == rc and said in told, found.output
    if rc == 0:
        assert found.module("borg")["state"] == "open" and [len(h["gpus"]) for h in found.document["hosts"]] == [8, 0]
