# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's backups through the eyes of an admin: what units say, what metrics say, which archives there are, and the plays."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import re
import shlex
import typing as t

from harness import ROOT, Contract, Lab, Run

CLIENT = (
    "export BORG_REPO=ssh://borg@store1:22/srv/borg/repos/gpu1 BORG_PASSCOMMAND='cat /etc/gpulab/borg/passphrase' BORG_BASE_DIR=/var/lib/gpulab/borg "
    "BORG_HOST_ID=gpu1 BORG_RSH='ssh -i /etc/gpulab/borg/id_ed25519 -o UserKnownHostsFile=/etc/gpulab/borg/known_hosts -o BatchMode=yes'; "
)
ADMIN = (
    "export BORG_REPO=ssh://borg@store1:22/srv/borg/repos/gpu1 BORG_PASSCOMMAND='cat /etc/gpulab/borg-admin/passphrases/gpu1' BORG_BASE_DIR=$(mktemp -d) "
    "BORG_RSH='ssh -i /etc/gpulab/borg-admin/id_ed25519 -o UserKnownHostsFile=/etc/gpulab/borg-admin/known_hosts -o BatchMode=yes'; "
)
HOSTILE = pathlib.Path(__file__).with_name("hostile.py")
# How to read what only day-2 plays change, by other means than the modules'
READERS = {
    "borg_offsite_fetch": """
        cd $1 && find . -type f ! -name gpulab-segments -printf '%s\\n' | awk '{n++; s += $1} END {printf "{\\"objects\\": %d, \\"bytes\\": %d}", n, s}'
    """,
    "borg_offsite_reset": "rclone --config /etc/gpulab/borg-offsite/rclone.conf size --json $1 | sed s/count/objects/",
    "borg_passphrase": ADMIN + """borg info --bypass-lock >/dev/null && rm -r $BORG_BASE_DIR && echo '{"passphrase": "opens it"}'""",
}
UNKNOWN = ["borg_passphrase/*/passphrase:secret", "file/*/passphrases/*/sha256:secret"]


class Backups:
    def __init__(self, lab: Lab, contract: Contract) -> None:
        self.lab = lab
        self.contract = contract

    def run(self, host: str, unit: str) -> bool:
        return self.lab.sh(host, f"systemctl start {unit}", check=False).returncode == 0

    def backup(self) -> bool:
        return self.run("gpu1", "gpulab-borg.service")

    def copy(self) -> bool:
        return self.run("store1", "gpulab-borg-offsite@gpu1.service")

    def watch(self) -> bool:
        return self.run("mgmt1", "gpulab-borg-watch.service")

    def retain(self) -> bool:
        return self.run("mgmt1", "gpulab-borg-retain.service")

    def said(self, host: str, unit: str) -> str:
        """The journal of the unit's last run."""
        command = f"journalctl --no-pager -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value {unit})"
        return self.lab.sh(host, command, check=False).stdout

    def metric(self, host: str, name: str) -> float:
        found = self.lab.sh(host, f"cat /var/lib/gpulab/metrics/*.prom | grep '^gpulab_borg_{name}[ {{]'").stdout
        return float(found.split()[-1])

    def archives(self) -> dict[str, str]:
        """Name by id, read by the admin host."""
        found = json.loads(self.lab.sh("mgmt1", ADMIN + "borg list --bypass-lock --json").stdout)
        return {a["id"]: a["name"] for a in found["archives"]}

    def lost(self, before: t.Mapping[str, str]) -> int:
        """How many of the archives of before are gone; the newest of them must come back whole."""
        there = self.archives()
        newest = list(before.values())[-1]
        if list(before)[-1] in there:
            self.lab.sh("mgmt1", ADMIN + f"borg extract --bypass-lock --dry-run ::{newest}")
        return len(set(before) - set(there))

    def hostile(self, *words: str) -> int:
        """What a client that was taken over does with its own key; how many objects it hit."""
        quoted = " ".join(shlex.quote(word) for word in words)
        return int(self.lab.sh("gpu1", CLIENT + f"python3 -B - {quoted}", stdin=HOSTILE.read_text(encoding="utf-8")).stdout)

    def told(self) -> dict[str, float]:
        """What the admin host's metrics say of what is lost, and the labels of that as part of the name."""
        text = self.lab.sh("mgmt1", "cat /var/lib/gpulab/metrics/gpulab_borg_admin_gpu1.prom").stdout
        return {name: float(value) for name, value in re.findall(r"(?m)^gpulab_borg_admin_(\S.*) (\S+)$", text)}

    @contextlib.contextmanager
    def undone(self) -> t.Iterator[None]:
        """Repository, what the admin host and the client remember of it, and what was noted, are afterwards what they were."""
        places = [("store1", "/srv/borg/repos/gpu1"), ("store1", "/srv/borg/holds"), ("mgmt1", "/var/lib/gpulab/borg-admin"), ("gpu1", "/var/lib/gpulab/borg")]
        for host, path in places:
            self.lab.sh(host, f"rm -rf /root/undo{path} && mkdir -p /root/undo{path} && cp -a {path}/. /root/undo{path}/")
        try:
            yield
        finally:
            for host, path in places:
                self.lab.sh(host, f"find {path} -mindepth 1 -delete && cp -a /root/undo{path}/. {path}/")

    def quiet(self) -> None:
        """A play starts the timers; without them the tests alone say what happens when."""
        self.lab.sh("store1", "systemctl stop 'gpulab-borg-offsite@gpu1.timer'")
        self.lab.sh("gpu1", "systemctl stop gpulab-borg.timer")
        self.lab.sh("mgmt1", "systemctl stop gpulab-borg-watch.timer")

    def play(self, name: str, **variables: t.Any) -> str:
        run = self.lab.play(ROOT / "playbooks" / name, variables=variables)
        assert run.rc == 0, run.output
        return run.output

    def agreed(self, name: str, **variables: t.Any) -> Run:
        """The play's dry run, then the play. As in the contract the first writes nothing, and both say the same."""
        subject = self.contract.subject
        known = dataclasses.replace(subject, readers={**subject.readers, **READERS}, unknown=[*subject.unknown, *UNKNOWN])
        compared = Contract(known, self.lab)
        before = self.lab.manifest(subject.hosts)
        dry = self.lab.play(ROOT / "playbooks" / name, check=True, variables=variables)
        written = list(compared.written(before, self.lab.manifest(subject.hosts)))
        assert dry.rc == 0 and not written, (written, dry.output)
        real = self.lab.play(ROOT / "playbooks" / name, variables=variables)
        assert real.rc == 0, real.output
        compared.agree(name, dry, real)
        assert dry.changes() and not compared.disagreements, "\n".join(str(d) for d in compared.disagreements)
        return real
