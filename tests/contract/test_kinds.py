# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of resources through the same states as a role, and an error that points at the one resource that has it."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from harness import ROOT, Contract, Lab, Subject

KINDS = pathlib.Path(__file__).parent / "kinds"
SOURCE = "/etc/apt/sources.list.d/lab.sources"
INDEX = "http://mirror/pypi/simple/prometheus-client/"


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    lab = Lab("gpulab-kinds", ROOT / "molecule" / "gpu_node" / "hosts.yml")
    lab.box("fresh", "gpu1")
    yield lab
    lab.box("down")


def test_repository_package_user_and_download(lab: Lab) -> None:
    lab.sh("gpu1", "rm /etc/apt/sources.list.d/box.sources; echo of an earlier version >/etc/lab-old.conf")
    key = lab.sh("gpu1", "curl -sf http://mirror/apt/key.asc").stdout
    wheel, other = lab.sh("gpu1", f"curl -sf {INDEX} {INDEX.replace('prometheus-client', 'borgmatic')} | grep -o '\"[^\"]*whl\"' | tr -d '\"'").stdout.split()

    def variables(url: str) -> dict[str, str]:
        return {"url": url, "sha256": lab.sh("gpu1", f"curl -sf {url} | sha256sum").stdout.split()[0]}

    subject = Subject(
        "kinds",
        KINDS / "play.yml",
        ["gpu1"],
        variables={"signed_by": key, **variables(INDEX + wheel)},
        changed=variables(INDEX.replace("prometheus-client", "borgmatic") + other),
        drifts=[
            {"host": "gpu1", "command": f"sed -i s/main/contrib/ {SOURCE}", "expect": [f"repository {SOURCE}"]},
            {"host": "gpu1", "command": "usermod -s /bin/bash lab", "expect": ["user lab"]},
            {"host": "gpu1", "command": "truncate -s 100 /srv/lab/wheel", "expect": ["download /srv/lab/wheel"]},
            {"host": "gpu1", "command": "echo of an earlier version >/etc/lab-old.conf", "expect": ["absent /etc/lab-old.conf"]},
        ],
        unknown=["user/lab/uid:server_assigned"],
    )
    contract = Contract(subject, lab)
    for state in (contract.bare, contract.drifted, contract.input_changed):
        state()
    report = contract.report()
    assert not contract.disagreements, report
    assert contract.compared >= 20, report


def test_what_the_timers_of_a_host_do_is_put_down_to_no_role(lab: Lab) -> None:
    """They run at hours of their own, at midnight for one: whatever runs then must not be blamed."""
    timers = lab.sh("gpu1", "systemctl list-timers --all --output=json").stdout
    services = sorted(timer["activates"] for timer in json.loads(timers))
    assert {"apt-daily.service", "dpkg-db-backup.service"} <= set(services)
    before = lab.manifest(["gpu1"])
    for service in services:
        lab.sh("gpu1", f"systemctl start {service}")
    assert lab.sh("gpu1", "ls /var/backups").stdout, "nothing was written, so nothing is tried"
    contract = Contract(Subject("timers", KINDS / "play.yml", ["gpu1"]), lab)
    assert not list(contract.written(before, lab.manifest(["gpu1"])))


def test_package_from_a_source_that_is_not_there_yet_is_predicted(lab: Lab) -> None:
    """The simulation has to know the source of the same list: without it the package has no candidate."""
    lab.box("fresh", "gpu1")
    key = lab.sh("gpu1", "rm /etc/apt/sources.list.d/box.sources; curl -sf http://mirror/apt/key.asc").stdout
    run = lab.play(KINDS / "play.yml", check=True, variables={"signed_by": key, "url": "http://mirror/apt/key.asc", "sha256": "0" * 64})
    assert run.rc == 0, run.output
    (packages,) = [p for (_host, kind, key), p in run.changes().items() if kind == "packages" and key == "rclone"]
    assert packages["after"]["packages"]["rclone"]


def test_an_error_points_at_one_resource(lab: Lab) -> None:
    run = lab.play(KINDS / "broken.yml", check=True)
    line = next(n for n, text in enumerate((KINDS / "broken.yml").read_text(encoding="utf-8").splitlines(), 1) if "path: /srv/absent" in text)
    assert run.rc and "directory /srv/absent/below: its directory /srv/absent is expected to exist" in run.output
    assert f"broken.yml:{line}" in run.output, run.output


# A driver of two versions, and a tool that needs the second one.
DRIVERS = """
set -e
mkdir -p /srv/apt && cd /srv/apt
build() { # name version depends
    mkdir -p "$1/DEBIAN"
    printf '%s\\n' "Package: $1" "Version: $2" "Depends: $3" 'Architecture: all' 'Maintainer: lab <lab@lab.example>' 'Description: one' >"$1/DEBIAN/control"
    dpkg-deb -b "$1" "$1_$2.deb" >/dev/null
    cat "$1/DEBIAN/control" >>Packages
    printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$1_$2.deb" "$(stat -c %s "$1_$2.deb")" "$(sha256sum "$1_$2.deb" | cut -d ' ' -f 1)" >>Packages
    rm -r "$1"
}
build nvidia-lab-driver 550 dpkg
build nvidia-lab-driver 560 dpkg
build lab-tool 1 'nvidia-lab-driver (>= 560)'
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list.d/driver.list
apt-get -qq update
apt-get -qq install -y nvidia-lab-driver=550 >/dev/null
"""


def test_a_driver_is_upgraded_by_whoever_answers_for_it(lab: Lab) -> None:
    """Refused, refused after its day, confirmed by name, done as predicted, and told in the report."""
    lab.box("fresh", "gpu1")
    lab.sh("gpu1", DRIVERS)

    def confirmed(**more: t.Any) -> dict[str, t.Any]:
        entry = {"host": "gpu1", "names": ["nvidia-lab-driver"], "by": "Li Wei", "reason": "CUDA 12.6", "until": "2999-12-31"}
        return {"lab_confirm": [{**entry, **more}]}

    for variables, sentence in (
        ({}, "nvidia-lab-driver is expected to stay, because jobs run on it, but this would upgrade or remove it: drain the host, then add"),
        (confirmed(until="2026-01-31"), "The confirmation by Li Wei ended on 2026-01-31."),
        (confirmed(host="gpu3"), "expected to name a host of the inventory, but names gpu3"),
        (confirmed(names=["nvidia-other"]), "names: [nvidia-lab-driver], by: …, reason: …, until: …} to lab_confirm"),
        (confirmed(by=""), "A confirmation in lab_confirm is expected to have host, names, by, reason, until and nothing else, but by is wrong"),
    ):
        for check in (True, False):
            run = lab.play(KINDS / "driver.yml", check=check, variables=variables)
            assert run.rc and sentence in " ".join(run.output.split()), run.output
    version = "dpkg-query -W -f '${Version}' nvidia-lab-driver"
    assert lab.sh("gpu1", version).stdout == "550"
    contract = Contract(Subject("driver", KINDS / "driver.yml", ["gpu1"], variables=confirmed()), lab)
    dry = contract.dry_run("driver")
    assert "upgrades nvidia-lab-driver 550 to 560; confirmed by Li Wei until 2999-12-31: CUDA 12.6" in dry.output, dry.output
    contract.agree("driver", dry, contract.apply("driver", dry))
    assert not contract.disagreements, contract.report()
    assert lab.sh("gpu1", version).stdout == "560"


# As dpkg writes it when it is stopped while it unpacks a package.
HALF = """
import re
path = "/var/lib/dpkg/status"
text = open(path).read()
entry = re.search(r"(?ms)^Package: python3-msgpack\\n.*?(?=^Package: |\\Z)", text).group()
short = "\\n".join(line for line in entry.splitlines() if line.split(":")[0] in ("Package", "Priority", "Section", "Version", "Architecture"))
open(path, "w").write(text.replace(entry, short + "\\nStatus: install reinstreq half-installed\\n\\n"))
"""


@pytest.mark.parametrize("more", ["", "apt-get -qq download python3-msgpack && dpkg --unpack --force-depends python3-msgpack_*.deb && python3 -"])
def test_what_a_power_failure_leaves_between_two_packages_is_mended(lab: Lab, more: str) -> None:
    """dpkg alone cannot configure what waits for a package never unpacked, and APT finds no source for one that was unpacked by half."""
    lab.box("fresh", "gpu1")
    lab.sh("gpu1", "cd /tmp && apt-get -qq update && apt-get -qq download borgbackup && dpkg --unpack borgbackup_*.deb")
    lab.sh("gpu1", f"cd /tmp; {more}", stdin=HALF)
    assert lab.sh("gpu1", "dpkg --configure -a", check=False).returncode != 0
    contract = Contract(Subject("interrupted", KINDS / "packages.yml", ["gpu1"]), lab)
    contract.bare()
    assert not contract.disagreements, contract.report()
    assert lab.sh("gpu1", "borg --version && dpkg --audit").stdout.startswith("borg 1")
