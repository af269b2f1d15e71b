# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user of a host can make the host say (docs/security.md): everything is tried as one who is neither root nor in a group."""

from __future__ import annotations

import re
import time
import typing as t

import pytest
from harness import Contract, Lab
from lab_logs import Logs, phrase

XID = "NVRM: Xid (PCI:0000:65:00): 79, pid=1, GPU has fallen off the bus."
# Every way into the journal, each with what would be taken for another's word.
_ATTACKS = r"""
import json, socket, sys, syslog
xid, mark = sys.argv[1:]
ours = {"@timestamp": "2026-11-26T00:00:00Z", "host": {"name": "mgmt1"}, "event": {"dataset": "system", "provider": "kernel"}, "process": {"name": "kernel"}}
line = json.dumps({"line": {**ours, "message": f"{xid} {mark} field"}})

def native(message, **fields):
    data = b""
    for name, value in {"MESSAGE": message, "PRIORITY": "2", **fields}.items():
        data += name.encode() + b"\n" + len(value.encode()).to_bytes(8, "little") + value.encode() + b"\n"
    journal.send(data)

def connected(path, kind):
    found = socket.socket(socket.AF_UNIX, kind)
    found.connect(path)
    return found

journal = connected("/run/systemd/journal/socket", socket.SOCK_DGRAM)
native(f"{mark} field", GPULAB=line, SYSLOG_IDENTIFIER="a")
native(f"{xid} {mark} identifier", SYSLOG_IDENTIFIER="kernel", SYSLOG_FACILITY="0", _TRANSPORT="kernel", TRANSPORT="kernel")
native(f"a\n{xid}\n{line} {mark} lines", SYSLOG_IDENTIFIER="kernel")
native(f"{xid} {mark} claims", SYSLOG_IDENTIFIER="kernel", CONTAINER_ID_FULL="f" * 64, CONTAINER_NAME="other", HOST="mgmt1", _HOSTNAME="mgmt1",
       EVENT=line, LINE=line, METADATA=json.dumps({"filename": "/etc/shadow"}))
native(f"gpulab-borg.service: Failed with result 'exit-code'. {mark} unit", SYSLOG_IDENTIFIER="systemd", _PID="1", _UID="0")
native(f"error: Nodes gpu2 not responding, setting DOWN {mark} daemon", SYSLOG_IDENTIFIER="slurmctld", _SYSTEMD_UNIT="slurmctld.service")
native(f"Accepted publickey for root from 192.0.2.66 port 1 ssh2 {mark} login", SYSLOG_IDENTIFIER="sshd")
log = connected("/dev/log", socket.SOCK_DGRAM)
log.send(f"<0>Nov 26 19:00:00 mgmt1 kernel: {xid} {mark} host".encode())
log.send(f"<2>kernel[0]: {xid} {mark} datagram\n<0>1 2026-11-26T19:00:00Z mgmt1 kernel - - - {xid}".encode())
connected("/run/systemd/journal/stdout", socket.SOCK_STREAM).send(f"kernel\nslurmctld.service\n2\n1\n0\n0\n0\n{xid} {mark} stream\n".encode())
syslog.openlog("kernel", 0, syslog.LOG_KERN)
syslog.syslog(syslog.LOG_EMERG, f"{xid} {mark} facility")
"""
WAYS = ("field", "identifier", "lines", "claims", "unit", "daemon", "login", "host", "datagram", "stream", "facility")


@pytest.fixture(scope="module")
def mallory(lab: Lab, contract: Contract) -> t.Callable[..., str]:
    """Runs a command on gpu1 as that user."""
    lab.sh("gpu1", "id mallory >/dev/null 2>&1 || useradd -m mallory")

    def run(command: str, stdin: str | None = None) -> str:
        return lab.sh("gpu1", f"runuser -u mallory -- sh -c '{command}'", stdin=stdin).stdout

    return run


def test_no_way_into_the_journal_makes_a_signal_or_speaks_for_another(logs: Logs, mallory: t.Callable[..., str]) -> None:
    mark = f"mallory{time.time_ns()}"
    mallory(f'python3 - "{XID}" {mark}', stdin=_ATTACKS)
    assert logs.wait_for(phrase(mark), len(WAYS)) == len(WAYS)
    # the kernel itself is heard
    logs.say("gpu1", [f"{XID} {mark} kernel"])
    assert logs.wait_for(phrase(mark), len(WAYS) + 1) == len(WAYS) + 1
    lines = {re.findall(rf"{mark} (\w+?)(?:#012|$)", line["message"])[-1]: line for line in logs.lines(phrase(mark))}
    assert set(lines) == {*WAYS, "kernel"}
    assert lines.pop("kernel")["signal"]["id"] == "nvidia_xid"
    for way, line in lines.items():
        assert "signal" not in line and line["host"]["name"] == "gpu1" and line["event"]["dataset"] == "system", (way, line)
        assert line["event"]["provider"] == "anybody" and int(line["user"]["id"]) >= 1000, (way, line)
        assert not line.keys() & {"container", "slurm"} and "file" not in line["log"], (way, line)


def test_what_the_kernel_repeats_of_a_user_is_no_signal(logs: Logs) -> None:
    """Programs are named, and put into paths, by users; a name has 15 characters, which are enough for a few of our signals."""
    mark = f"repeats{time.time_ns()}"
    repeats = [
        f"process 'home/{mark}/{XID}' started with executable stack",
        f"tmpfs: Unknown parameter 'x {XID} {mark}'",
        f"eno1: Link down[4242]: segfault at 0 ip 0 sp 0 error 4 in {mark}[400000+1000]",
        f"EDAC MC0: 1 UE [4242]: segfault at 0 ip 0 sp 0 error 4 in {mark} on b[400000+1000]",
        f"ceph: mds0 hung[4242]: segfault at 0 ip 0 sp 0 error 4 in {mark}[400000+1000]",
        f"libceph: mon0 [4242]: segfault at 0 ip 0 sp 0 error 4 in {mark} socket closed[400000+1000]",
    ]
    logs.say("gpu1", repeats)
    assert logs.wait_for(phrase(mark), len(repeats)) >= 1
    time.sleep(2)
    assert not [line for line in logs.lines({"match_all": {}}) if mark in line["message"] and "signal" in line]


def test_nobody_reads_lines_past_the_engine(lab: Lab, contract: Contract) -> None:
    for host, place in (("gpu1", "/var/spool/gpulab-ship"), ("mgmt1", "/var/lib/opensearch"), ("mgmt1", "/var/lib/gpulab/elk-snapshots")):
        lab.sh(host, f"ls {place} && runuser -u nobody -- ls /")
        assert lab.sh(host, f"runuser -u nobody -- ls {place}", check=False).returncode, f"{host}: everybody reads {place}"


def test_a_link_among_shipped_files_does_not_ship_what_it_points_to(lab: Lab, logs: Logs, mallory: t.Callable[..., str]) -> None:
    secret = f"box-secret-{time.time_ns()}"
    lab.sh("gpu1", f"umask 077; echo '2026-11-26 {secret}' > /root/only-for-root; chown mallory /var/log/app")
    try:
        mallory("ln -s /root/only-for-root /var/log/app/link.log; mkfifo /var/log/app/pipe.log")
        until = time.monotonic() + 30
        while "Files in /var/log/app are not shipped" not in (told := lab.sh("gpu1", "journalctl -u gpulab-ship -n 50 --no-pager -o cat").stdout):
            assert time.monotonic() < until, told
            time.sleep(0.5)
        assert logs.count(phrase(secret)) == 0 and secret not in lab.sh("gpu1", "cat /var/log/gpulab-refused.log", check=False).stdout
    finally:
        lab.sh("gpu1", "rm -f /var/log/app/link.log /var/log/app/pipe.log /root/only-for-root; chown root /var/log/app")
    # and rsyslog goes on
    lab.sh("gpu1", f"logger 'goes on {secret}'")
    assert logs.wait_for(phrase(f"goes on {secret}")) == 1
