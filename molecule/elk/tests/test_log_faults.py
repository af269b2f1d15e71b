# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a line and the engine, what the admin then sees, and what is lost (nothing).

All of it in the soak; a wrong password always. The table goes to reports/faults-elk.txt.
"""

from __future__ import annotations

import datetime
import time
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from harness import ROOT, Lab, soak
from lab_logs import Logs, phrase

CERTIFICATE = "/etc/opensearch/gpulab/node.pem"
TABLE: list[tuple[str, int, int, str]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> t.Iterator[None]:
    yield
    lines = [f"{'fault':46} {'lines':>6} {'lost':>5}  seen by the admin", *(f"{fault:46} {sent:6} {lost:5}  {seen}" for fault, sent, lost, seen in TABLE)]
    (ROOT / "reports" / "faults-elk.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Fault:
    """Lines that are logged while something is wrong, and must all be there, once each, when it is right again."""

    def __init__(self, logs: Logs, name: str) -> None:
        self.logs, self.name, self.sent = logs, name, 0
        self.word = f"during-{len(TABLE)}-{int(time.time())}"

    def say(self, number: int = 200) -> None:
        self.logs.say("gpu1", [f"{self.word} line {self.sent + n}" for n in range(number)], program="fault")
        self.sent += number

    def waits(self) -> None:
        """That lines wait on the host is asked of the host."""
        self.logs.lab.sh("gpu1", f"timeout 120 sh -c 'until grep -q {self.word} /var/spool/gpulab-ship/lines*.log; do sleep 0.2; done'")
        assert self.logs.lab.sh("gpu1", "systemctl is-active gpulab-ship").stdout.strip() == "active"

    def over(self, seen: str) -> None:
        found = self.logs.wait_for(phrase(self.word), self.sent, 180)
        time.sleep(2)
        found = max(found, self.logs.count(phrase(self.word)))
        TABLE.append((self.name, self.sent, self.sent - found, seen))
        assert found == self.sent


def shipper_says(lab: Lab, text: str, since: float, seconds: int = 120) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        said = lab.sh("gpu1", f"journalctl -u gpulab-ship --no-pager -o cat --since @{int(since)}").stdout
        if text in said:
            return
        time.sleep(1)
    raise AssertionError(said)


def metrics(lab: Lab) -> str:
    lab.sh("mgmt1", "systemctl start gpulab-elk-keep", check=False)
    return lab.sh("mgmt1", "grep -v '^#' /var/lib/gpulab/metrics/gpulab_elk.prom").stdout


def test_a_wrong_password_is_said_and_loses_nothing(lab: Lab, logs: Logs) -> None:
    fault, begun = Fault(logs, "wrong password of the shipper"), time.time()
    lab.sh("gpu1", "cp -p /etc/gpulab/elk/ship.json /root/; sed -i s/box-Harbour-8830-sail/wrong-Harbour-1/ /etc/gpulab/elk/ship.json")
    lab.sh("gpu1", "systemctl restart gpulab-ship")
    fault.say()
    shipper_says(lab, "The log engine is expected to take lines, but does not: the engine answered 401", begun)
    fault.waits()
    lab.sh("gpu1", "mv /root/ship.json /etc/gpulab/elk/ship.json; systemctl restart gpulab-ship")
    fault.over("journal of gpulab-ship: the engine answered 401; ElkHostSilent after 30 min; the next dry run names ship.json")


@soak
def test_an_engine_away_for_minutes(lab: Lab, logs: Logs) -> None:
    fault, begun = Fault(logs, "engine down for two minutes"), time.time()
    lab.sh("mgmt1", "systemctl stop opensearch")
    for _minute in range(4):
        fault.say(500)
        time.sleep(30)
    shipper_says(lab, "They wait on this host.", begun)
    assert "gpulab_elk_up 0" in metrics(lab)
    lab.sh("mgmt1", "systemctl start opensearch")
    fault.over("journal of gpulab-ship: they wait on this host; ElkDown after 10 min")


@soak
def test_a_disk_at_its_flood_stage(lab: Lab, logs: Logs) -> None:
    """The engine is told that it wants more room than there is, and forbids writing by itself, as on a disk that is full."""
    fault, begun = Fault(logs, "disk of the engine at its flood stage"), time.time()
    name = "cluster.routing.allocation.disk"
    before = logs.ask("GET", f"/_cluster/settings?include_defaults=true&flat_settings=true&filter_path=*.{name}.threshold_enabled")[1]
    full = {f"{name}.threshold_enabled": True, "cluster.info.update.interval": "10s"}
    full.update({f"{name}.watermark.{stage}": f"{9000 - n}gb" for n, stage in enumerate(("low", "high", "flood_stage"))})
    try:
        assert logs.ask("PUT", "/_cluster/settings", {"transient": full})[0] == 200
        until = time.monotonic() + 90
        while "gpulab_elk_blocked_indices 0" in metrics(lab) and time.monotonic() < until:
            time.sleep(5)
        told = metrics(lab)
        assert "gpulab_elk_blocked_indices" in told and "gpulab_elk_blocked_indices 0" not in told, (told, before)
        fault.say()
        shipper_says(lab, "flood-stage watermark", begun)
        fault.waits()
    finally:
        assert logs.ask("PUT", "/_cluster/settings", {"transient": dict.fromkeys(full)})[0] == 200
    fault.over("ElkDiskLow before, ElkReadOnly at once; journal of gpulab-ship has the engine's reason; goes on by itself with room")


@soak
def test_a_certificate_that_ends(lab: Lab, logs: Logs) -> None:
    """While the engine runs; one that has ended already would keep it from starting, which its journal says."""
    fault, begun = Fault(logs, "certificate of the engine ends"), time.time()
    end = begun + 60
    lab.sh("mgmt1", f"cp -p {CERTIFICATE} /root/node.pem; cat > {CERTIFICATE}", stdin=_ends(lab, end))
    lab.sh("mgmt1", "systemctl restart opensearch")
    fault.say()
    assert logs.wait_for(phrase(fault.word), fault.sent, end - time.time()) == fault.sent, "it is expected to serve until then"
    time.sleep(max(0.0, end + 1 - time.time()))
    fault.say()
    shipper_says(lab, "certificate has expired", end)
    fault.waits()
    told = metrics(lab)
    assert "gpulab_elk_up 0" in told
    assert float(next(line.split()[-1] for line in told.splitlines() if line.startswith("gpulab_elk_certificate_end_timestamp_seconds"))) == int(end)
    assert "certificate has expired" in lab.sh("mgmt1", "journalctl -u gpulab-elk-keep -n 20 --no-pager").stdout
    lab.sh("mgmt1", f"cat /root/node.pem > {CERTIFICATE}; systemctl restart opensearch")
    fault.over("ElkCertificateEnds 14 days before; journals of gpulab-ship and gpulab-elk-keep: certificate has expired")


def _ends(lab: Lab, end: float) -> str:
    """The engine's certificate, by the lab's own authority, with an end of its own."""
    request = x509.load_pem_x509_csr(lab.sh("mgmt1", "cat /etc/opensearch/gpulab/node.csr").stdout.encode())
    authority = x509.load_pem_x509_certificate(lab.sh("mgmt1", "cat /etc/gpulab/ca/ca.pem").stdout.encode())
    key = serialization.load_pem_private_key(lab.sh("mgmt1", "cat /etc/gpulab/ca/ca.key").stdout.encode(), None)
    last = datetime.datetime.fromtimestamp(int(end), datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(last - datetime.timedelta(days=365))
        .not_valid_after(last)
    )
    for extension in request.extensions:
        made = made.add_extension(extension.value, extension.critical)
    signed = made.sign(t.cast("t.Any", key), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@soak
def test_a_clock_that_is_off(lab: Lab, logs: Logs) -> None:
    """Of the shipper alone, because a test host has the clock of the machine."""
    fault = Fault(logs, "clock of a host two minutes ahead")
    folder = "/run/systemd/system/gpulab-ship.service.d"
    ahead = "import time; now = time.time; time.time = lambda: now() + 120"
    lab.sh("gpu1", f"mkdir -p {folder} /run/ahead; echo '{ahead}' > /run/ahead/sitecustomize.py")
    lab.sh("gpu1", f'printf "[Service]\\nEnvironment=PYTHONPATH=/run/ahead:/usr/local/lib/gpulab\\n" > {folder}/clock.conf')
    lab.sh("gpu1", "systemctl daemon-reload && systemctl restart gpulab-ship")
    try:
        fault.say()
        until = time.monotonic() + 60
        while not (wrong := [line for line in metrics(lab).splitlines() if 'clock_ahead_seconds{host="gpu1"} 1' in line]) and time.monotonic() < until:
            time.sleep(5)
        assert wrong and 118 < float(wrong[0].split()[-1]) < 122, metrics(lab)
        run = lab.play(ROOT / "playbooks" / "explain.yml", check=True, variables={"host": "gpu1", "since": "1min", "language": "en"})
        assert run.rc == 0 and "gpu1 clock: the clock is 120 s ahead" in run.output, run.output
    finally:
        lab.sh("gpu1", f"rm -r {folder}; systemctl daemon-reload; systemctl restart gpulab-ship")
    fault.over("ElkClockOff; explain names the clock")


@soak
def test_rsyslog_is_killed(lab: Lab, logs: Logs) -> None:
    """Of a file, what was being read when a minute ends may come twice, so it is done at the beginning of one."""
    fault = Fault(logs, "kill -9 of rsyslog, three times")
    for turn in range(3):
        fault.say(1000)
        time.sleep(60 - time.time() % 60)
        lab.sh("gpu1", f"seq -f '2026-11-24 killed-{turn} line %g' 2000 >> /var/log/app/killed.log; sleep 0.{turn}; systemctl kill -s KILL rsyslog")
    fault.over("nothing, systemd starts it again")
    for turn in range(3):
        assert logs.wait_for(phrase(f"killed-{turn}"), 2000, 60) == 2000
    time.sleep(2)
    assert [logs.count(phrase(f"killed-{turn}")) for turn in range(3)] == [2000] * 3, "lines came twice"
