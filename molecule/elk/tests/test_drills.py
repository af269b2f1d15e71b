# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Incidents among what hosts say all day: does `explain` name host, device and cause first, and what does one read without it?

Three always, all twelve in the soak. The table goes to reports/elk-drills.txt.
"""

from __future__ import annotations

import json
import pathlib
import re
import time
import typing as t

import pytest
import yaml
from harness import ROOT, Lab, soak
from lab_logs import Logs, phrase

DRILLS = yaml.safe_load((pathlib.Path(__file__).parent / "drills.yml").read_text(encoding="utf-8"))
ALWAYS = ("a GPU falls off the bus under a training job", "a service fails, and says why only in its own words", "a job dies of a GPU of another host")
# What an admin looks for when nobody has said what for.
GREP = "grep -iE 'error|fail|xid|killed|down|timeout'"
# What hosts say all day, and that such a search finds, too.
ORDINARY = [
    ("sshd", "Failed password for invalid user oracle from 10.9.8.7 port 40022 ssh2"),
    ("smartd", "Device: /dev/sda [SAT], SMART Usage Attribute: 199 UDMA_CRC_Error_Count changed from 200 to 200"),
    ("systemd", "Reached target shutdown.target - System Shutdown, skipped: 0 failed units."),
    ("kernel", "usb 1-2: device descriptor read/64, error -71"),
    ("kernel", "ixgbe 0000:3d:00.1 eno2: NIC Link is Up 10 Gbps, Flow Control: RX/TX"),
    ("dockerd", 'level=warning msg="failed to retrieve runc version: exit status 1"'),
    ("chronyd", "Source 10.0.0.1 replaced with 10.0.0.2, timeout 0"),
    ("train", "epoch 12 step 4000 loss 0.412 grad_norm 1.2 lr 3e-4"),
]
TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> t.Iterator[None]:
    yield
    head = f"{'incident':62} {'named first':>11} {'s':>5}  by hand: commands, lines to read until the cause"
    (ROOT / "reports" / "elk-drills.txt").write_text("\n".join([head, *TABLE]) + "\n", encoding="utf-8")


@pytest.mark.parametrize("drill", [pytest.param(drill, id=drill["name"], marks=[] if drill["name"] in ALWAYS else soak) for drill in DRILLS])
def test_explain_names_host_device_and_cause_first(lab: Lab, logs: Logs, drill: dict[str, t.Any]) -> None:
    begun = lab.sh("mgmt1", "sleep 0.1; date -u +%Y-%m-%dT%H:%M:%S.%N | cut -c-23").stdout.strip()
    for host in ("gpu1", "mgmt1"):
        for program, line in ORDINARY:
            logs.say(host, [line] * 3, program=program)
    for said in drill["say"]:
        _say(lab, logs, said)
    mark = f"{begun} drill is over"
    for host in ("gpu1", "mgmt1"):
        logs.say(host, [mark], program="drill")
    lab.sh("gpu1", f"echo '{mark}' >> /var/log/app/train.log")  # files are read beside the journal, and an event ends where the next begins
    assert logs.wait_for(phrase(mark), 3) == 3
    cause, started = drill["cause"], time.monotonic()
    run = lab.play(ROOT / "playbooks" / "explain.yml", variables={"host": drill["host"], "since": begun})
    seconds = time.monotonic() - started
    assert run.rc == 0, run.output
    told = json.loads(re.search(r'"msg": (\[.*?\])\s*\}', run.output, re.S).group(1))  # type: ignore[union-attr]
    right = told[0].startswith(f"{cause['host']} {cause['device']}: ") and cause["name"] in told[0]
    TABLE.append(f"{drill['name']:62} {'yes' if right else 'NO':>11} {seconds:5.1f}  {_by_hand(lab, drill, begun)}")
    assert right, told
    page = pathlib.Path(told[-1].removeprefix("Page: "))
    text = page.read_text(encoding="utf-8")
    page.unlink()
    assert cause.get("told", cause["device"]) in text and "http" not in re.sub(r"https?://www.w3.org", "", text), "everything is on the page"


def _say(lab: Lab, logs: Logs, said: dict[str, t.Any]) -> None:
    if "unit" in said:
        lab.sh(said["host"], f"systemd-run -q --wait --unit={said['unit']} sh -c '{said['command']}'; systemctl reset-failed {said['unit']}", check=False)
    elif "file" in said:
        lab.sh(said["host"], f"cat >> {said['file']}", stdin="".join(f"{line}\n" for line in said["lines"]))
    else:
        logs.say(said["host"], said["lines"], program=said["program"])


def _by_hand(lab: Lab, drill: dict[str, t.Any], begun: str) -> str:
    """Journal and files of the host, then of the next one: how many commands, and how many lines they show up to the one that tells the cause."""
    cause, lines, commands = drill["cause"], 0, 0
    for host in (drill["host"], "mgmt1"):
        for command in (f"journalctl --no-pager -o cat --since '{begun.replace('T', ' ')} UTC'", "cat /var/log/app/*.log"):
            commands += 1
            shown = lab.sh(host, f"{command} 2>/dev/null | {GREP}", check=False).stdout.splitlines()
            for line in shown:
                lines += 1
                if host == cause["host"] and cause.get("told", cause.get("line", cause["device"])) in line:
                    return f"{commands}, {lines}"
    return f"{commands}, {lines}, and it is not among them"
