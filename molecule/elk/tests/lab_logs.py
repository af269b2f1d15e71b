# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's logs through the eyes of an admin: lines go in on a host, and are asked for at the engine."""

from __future__ import annotations

import json
import time
import typing as t

from harness import Lab

ADMIN = "--cert /etc/gpulab/elk/admin.pem --key /etc/gpulab/elk/admin.key"
HOOK = "/var/lib/gpulab-hook.jsonl"
# A test host has no log of the kernel, so it is given a pipe of its own in its place, from which its journald reads as it would from the kernel's:
# the lines become lines of the kernel by journald's word, and by no other way. Format: https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg
_KERNEL = r"""
import json, os, struct, sys, time
_program, pause, lines = json.load(sys.stdin)
kernel = os.open("/dev/kmsg", os.O_WRONLY)
def number():
    with open("/run/systemd/journal/kernel-seqnum", "rb") as handle:
        return struct.unpack("<Q", handle.read(8))[0]
for line in lines:
    now = number()
    os.write(kernel, f"3,{now},{time.monotonic_ns() // 1000},-;{line}\n".encode())
    print(time.time())
    until = time.monotonic() + 10
    while number() == now and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(pause)
"""
_PIPE = """
test -p /dev/kmsg && exit 0
mkfifo -m 0600 /dev/kmsg
# journald would wait for somebody who reads before it does
setsid sleep infinity <>/dev/kmsg >/dev/null 2>&1 &
systemctl restart systemd-journald
"""
# What root's programs say, by any name.
_JOURNAL = r"""
import json, socket, sys, time
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.connect("/run/systemd/journal/socket")
program, pause, lines = json.load(sys.stdin)
for line in lines:
    journal.send(f"MESSAGE={line}\nSYSLOG_IDENTIFIER={program}\nPRIORITY=3\n".encode())
    print(time.time())
    time.sleep(pause)
"""
_HOOK = r"""
import http.server, json, time
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("HOOK", "a") as out:
            out.write(json.dumps([time.time(), body]) + "\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 19999), Hook).serve_forever()
""".replace("HOOK", HOOK)


class Logs:
    def __init__(self, lab: Lab, engine: str) -> None:
        self.lab = lab
        self.engine = engine

    def ask(self, method: str, path: str, body: t.Any = None, who: str = ADMIN, host: str = "") -> tuple[int, t.Any]:
        """Status and body; C(who) is what curl is told of who asks."""
        data = "-H 'Content-Type: application/json' --data-binary @-" if body is not None else ""
        command = f"curl -s -w '\\n%{{http_code}}' --cacert /etc/gpulab/elk/ca.pem {who} -X {method} {data} 'https://{self.engine}:9200{path}'"
        out = self.lab.sh(host or self.engine, command, check=False, stdin=json.dumps(body) if body is not None else None).stdout
        text, _newline, status = out.rpartition("\n")
        return int(status or 0), json.loads(text) if text.startswith(("{", "[")) else text

    def say(self, host: str, lines: t.Sequence[str], program: str = "kernel", pause: float = 0.0) -> list[float]:
        """Log C(lines) on C(host); the times at which it was done."""
        if program == "kernel":
            self.lab.sh(host, _PIPE)
        done = self.lab.sh(host, f"python3 -c '{_KERNEL if program == 'kernel' else _JOURNAL}'", stdin=json.dumps([program, pause, list(lines)]))
        return [float(each) for each in done.stdout.split()]

    def count(self, query: dict[str, t.Any]) -> int:
        status, found = self.ask("POST", "/logs-lab-*/_count", {"query": query})
        return int(found["count"]) if status == 200 else -1

    def lines(self, query: dict[str, t.Any], size: int = 10000) -> list[dict[str, t.Any]]:
        found = self.ask("POST", "/logs-lab-*/_search", {"query": query, "size": size})[1]
        return [row["_source"] for row in found["hits"]["hits"]]

    def wait_for(self, query: dict[str, t.Any], number: int = 1, seconds: float = 180.0) -> int:
        """How many lines there are when there are C(number), or when time is up."""
        until = time.monotonic() + seconds
        while True:
            found = self.count(query)
            if found >= number or time.monotonic() > until:
                return found
            time.sleep(0.5)

    def hook(self) -> None:
        """A webhook that notes when it was called, and with what."""
        self.lab.sh(self.engine, f"systemctl is-active -q hook || systemd-run -q --unit=hook python3 -c '{_HOOK}'; : > {HOOK}")

    def called(self) -> list[tuple[float, dict[str, t.Any]]]:
        return [tuple(json.loads(line)) for line in self.lab.sh(self.engine, f"cat {HOOK}").stdout.splitlines()]


def phrase(text: str) -> dict[str, t.Any]:
    return {"match_phrase": {"message": text}}
