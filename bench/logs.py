# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many lines a second go from a file on a host into the engine, and what limits it, in one session on the box.

Beside ours: rsyslog that only copies the lines to a file, the engine without the pipeline that marks them, and one request for a hundred lines or for
each line, as a set-up that nobody tuned has. Rounds alternate. No absolute time is a promise.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "molecule" / "box"))

from box import PREFIX  # noqa: E402

ROUNDS = 3
LINES = 30000
# Runs on the host: how long rsyslog of its own takes from a file to a file, by C(config).
_COPY = r"""
import os, subprocess, sys, time
number, config = int(sys.argv[1]), sys.stdin.read()
os.makedirs("/run/bench", exist_ok=True)
for name in os.listdir("/run/bench"):
    os.unlink("/run/bench/" + name)
with open("/run/bench/in.log", "w") as out:
    out.writelines(f"2026-11-25 10:00:00 step {n} loss 0.4{n % 97} lr 3e-4 tokens 8192 device 0000:65:00 ok\n" for n in range(number))
with open("/run/bench/conf", "w") as out:
    out.write(config)
begun = time.perf_counter()
daemon = subprocess.Popen(["rsyslogd", "-n", "-f", "/run/bench/conf", "-i", "/run/bench/pid"], stderr=subprocess.DEVNULL)
while not os.path.exists("/run/bench/out.log") or subprocess.run(["wc", "-l", "/run/bench/out.log"], capture_output=True).stdout.split()[0] != b"%d" % number:
    time.sleep(0.05)
print(time.perf_counter() - begun)
daemon.terminate()
daemon.wait()
"""
# Runs on the host, with the shipper's own code and user: lines of the spool to the engine.
_SEND = r"""
import json, os, sys, time
sys.path.insert(0, "/usr/local/lib/gpulab")
from gpulab._logs.programs import shipper as ship
number, batch, pipeline, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
config = json.load(open("/etc/gpulab/elk/ship.json"))
text = {"ordinary": "step {n} loss 0.4 lr 3e-4 tokens 8192 device 0000:65:00 ok", "signal": "NVRM: Xid (PCI:0000:65:00): 31, pid={n}, name=python, Ch 1"}[kind]
when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
first, lines = time.time_ns(), []
for n in range(number):
    line = {"@timestamp": when, "host": {"name": "bench"}, "message": text.format(n=n), "process": {"name": "kernel"}, "event": {"dataset": "bench"},
            "log": {"file": {"path": "/run/bench/in.log"}, "offset": first + n}}
    lines.append(json.dumps({"line": line}).encode() + b"\n")
request = ship.urllib.request.Request
if pipeline == "none":
    ship.urllib.request.Request = lambda url, **more: request(url + "?pipeline=_none", **more)
post = ship.poster(config)
begun = time.perf_counter()
for start in range(0, number, batch):
    wrong = ship.send(post, lines[start:start + batch], config["prefix"])
    assert not wrong, wrong[:1]
print(time.perf_counter() - begun)
"""
_PLAIN = """
module(load="imfile")
global(workDirectory="/run/bench")
template(name="raw" type="string" string="%msg%\\n")
input(type="imfile" File="/run/bench/in.log" Tag="bench" ruleset="out")
ruleset(name="out") { action(type="omfile" file="/run/bench/out.log" template="raw") }
"""


def python(host: str, script: str, *args: t.Any, stdin: str = "") -> float:
    argv = ["docker", "exec", "-i", f"{PREFIX}-{host}", "python3", "-B", "-c", script, *map(str, args)]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout)


def shell(host: str, command: str) -> str:
    return subprocess.run(["docker", "exec", f"{PREFIX}-{host}", "sh", "-ec", command], check=True, capture_output=True, text=True).stdout


def ours() -> str:
    """What the role has put onto the host, from a file to a spool, with a file of the bench instead of the journal."""
    text = shell("gpu1", "cat /etc/rsyslog.d/60-gpulab.conf")
    kept = [line for line in text.splitlines() if not line.startswith("module(")]
    body = "\n".join(kept).replace('file="/var/spool/gpulab-ship/lines.log"', 'file="/run/bench/out.log"')
    rules = body[: body.index('if $inputname == "imjournal"')]
    head = 'module(load="imfile")\nglobal(workDirectory="/run/bench")\n'
    return head + rules + '\ninput(type="imfile" File="/run/bench/in.log" Tag="bench" Ruleset="gpulab" addMetadata="on" escapeLF="off")\n'


CASES: dict[str, t.Callable[[], float]] = {
    "rsyslog, file to file": lambda: LINES / python("gpu1", _COPY, LINES, stdin=_PLAIN),
    "rsyslog, file to our spool": lambda: LINES / python("gpu1", _COPY, LINES, stdin=ours()),
    "spool to engine, as we send": lambda: LINES / python("gpu1", _SEND, LINES, 1000, "ours", "ordinary"),
    "the same, each line a signal": lambda: LINES / python("gpu1", _SEND, LINES, 1000, "ours", "signal"),
    "the same, no line marked": lambda: LINES / python("gpu1", _SEND, LINES, 1000, "none", "ordinary"),
    "a request for 5000 lines": lambda: LINES / python("gpu1", _SEND, LINES, 5000, "ours", "ordinary"),
    "a request for 100 lines": lambda: LINES / python("gpu1", _SEND, LINES, 100, "ours", "ordinary"),
    "a request for each line": lambda: LINES / 50 / python("gpu1", _SEND, LINES // 50, 1, "ours", "ordinary"),
}


def main() -> None:
    subprocess.run(
        [ROOT / ".venv/bin/ansible-playbook", "-i", "inventories/box", "playbooks/elk.yml"],
        cwd=ROOT,
        env={**os.environ, "GPULAB_REPORTS": "/tmp", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    measure()


def measure() -> None:
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(ROUNDS):
        names = list(CASES) if number % 2 == 0 else list(reversed(CASES))
        for name in names:
            rates[name].append(CASES[name]())
    base = statistics.median(rates["spool to engine, as we send"])
    for name, each in rates.items():
        print(f"{name:32} {statistics.median(each):9.0f} lines/s ({min(each):.0f} to {max(each):.0f}): {statistics.median(each) / base:5.2f} x", flush=True)
    memory = shell("mgmt1", "systemctl show -p MemoryCurrent,MemoryPeak --value opensearch; grep -h Xmx /etc/opensearch/jvm.options.d/*").split()
    print(f"engine: {int(memory[0]) / 2**20:.0f} MiB in use, heap {memory[-1]}")


if __name__ == "__main__":
    main()
