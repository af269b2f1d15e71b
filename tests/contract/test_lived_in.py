# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that somebody lives on: what a run cannot live with is refused by its sentence, dry and real alike, and nothing is changed."""

from __future__ import annotations

import typing as t

import pytest
from harness import ROOT, Contract, Lab, Subject
from lived_in import BLOCKING, HOOKED, LIVEABLE, Blocking

PLAY = ROOT / "tests" / "contract" / "kinds" / "lived_in.yml"


# Held, older than what the mirror has, and wanted: it stays as it is, and is no reason to install nothing else.
OLDER = """mkdir -p /tmp/old/DEBIAN && cd /tmp
printf '%s\\n' 'Package: xxhash' 'Version: 0.0' 'Architecture: all' 'Maintainer: lab <lab@lab.example>' 'Description: old' > old/DEBIAN/control
dpkg-deb -b old >/dev/null && dpkg -i old.deb >/dev/null && apt-mark hold xxhash >/dev/null; rm -r old old.deb"""
SUBJECT = Subject(
    "lived-in", PLAY, ["gpu1"], unknown=["user/lab/uid:server_assigned", "unit/lab-look.service/since:time"], already={"gpu1": f"mkdir /srv/textfiles; {OLDER}"}
)


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    lab = Lab("gpulab-lived", ROOT / "molecule" / "gpu_node" / "hosts.yml")
    yield lab
    lab.box("down")


@pytest.mark.parametrize("habit", BLOCKING, ids=[habit.name for habit in BLOCKING])
def test_what_stands_in_the_way_is_refused_before_anything_is_changed(lab: Lab, habit: Blocking) -> None:
    contract = Contract(SUBJECT, lab)
    contract.fresh()
    lab.sh("gpu1", habit.dress)
    before = lab.manifest(["gpu1"])
    for check in (True, False):
        run = lab.play(PLAY, check=check)
        assert run.rc and habit.sentence in " ".join(run.output.split()), run.output
        written = list(contract.written(before, lab.manifest(["gpu1"])))
        assert not written, written
    assert lab.sh("gpu1", habit.refuses, check=False).returncode, "nothing stands in the way, so it was refused for nothing"
    lab.sh("gpu1", habit.undress)


def test_all_that_a_run_can_live_with_at_once(lab: Lab) -> None:
    contract = Contract(SUBJECT, lab)
    contract.lived_in()
    report = contract.report()
    assert not contract.disagreements, report
    assert lab.sh("gpu1", "dpkg-query -W -f '${Version}' xxhash").stdout == "0.0"
    hooks = lab.sh("gpu1", f"sort {HOOKED} | uniq -c").stdout
    assert all(when in hooks for when in ("APT::Update::Post-Invoke", "DPkg::Pre-Invoke")), f"the run itself has run the hooks: {hooks}"
    assert len(LIVEABLE) >= 12 and contract.compared >= 15, report
