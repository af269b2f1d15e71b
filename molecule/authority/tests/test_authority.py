# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority and a service on another host: its first root, its second one, and its loss."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest
from harness import ROOT, Contract, Lab, Run

CA = "/etc/gpulab/ca"
# the first root as if it ended soon
SECOND = {"authority_days": 5000, "authority_renew_days": 4000}


def test_contract(contract: Contract) -> None:
    assert not contract.disagreements, contract.report()


def openssl(lab: Lab, host: str, arguments: str) -> str:
    return lab.sh(host, f"openssl {arguments}").stdout.strip()


def test_what_it_tells_prometheus(contract: Contract, lab: Lab) -> None:
    text = lab.sh("mgmt1", "systemctl start gpulab-authority.service; cat /var/lib/gpulab/metrics/gpulab_authority.prom").stdout
    told = dict(line.split(" ") for line in text.splitlines() if not line.startswith("#"))
    end = openssl(lab, "mgmt1", f"x509 -in {CA}/ca.pem -noout -enddate").partition("=")[2]
    parsed = datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=datetime.timezone.utc)
    assert float(told['gpulab_authority_root_end_timestamp_seconds{root="ca"}']) == parsed.timestamp()


def test_both_roots_are_trusted_before_the_second_one_signs(contract: Contract, lab: Lab) -> None:
    lab.sh("mgmt1", f"rm -f {CA}/ca-2.*")  # a second one that the contract has tried
    assert lab.play(contract.subject.playbook).rc == 0
    before = lab.sh("store1", "cat /etc/page/page.pem").stdout
    kept = lab.sh("mgmt1", f"sha256sum {CA}/ca.key {CA}/ca.pem").stdout

    foreseen = lab.play(contract.subject.playbook, check=True, variables={**SECOND, "authority_overlap_days": 180})
    done = lab.play(contract.subject.playbook, variables={**SECOND, "authority_overlap_days": 180})
    assert done.rc == 0, done.output
    new = {"private_key /etc/gpulab/ca/ca-2.key", "certificate_request /etc/gpulab/ca/ca-2.csr", "certificate /etc/gpulab/ca/ca-2.pem"}
    assert named(foreseen) == named(done) == {*new, "file /etc/page/trust.pem"}
    assert lab.sh("store1", "grep -c BEGIN /etc/page/trust.pem").stdout == "2\n" and lab.sh("store1", "cat /etc/page/page.pem").stdout == before

    foreseen = lab.play(contract.subject.playbook, check=True, variables={**SECOND, "authority_overlap_days": 0})
    done = lab.play(contract.subject.playbook, variables={**SECOND, "authority_overlap_days": 0})
    assert done.rc == 0, done.output
    assert named(foreseen) == named(done) == {"certificate /etc/gpulab/ca/issued/page.pem", "file /etc/page/page.pem"}
    lab.sh("store1", "cat > /tmp/before.pem", stdin=before)
    assert openssl(lab, "store1", "verify -CAfile /etc/page/trust.pem /etc/page/page.pem /tmp/before.pem").count(": OK") == 2
    first, second = (lab.sh("mgmt1", f"cat {CA}/{name}.pem").stdout for name in ("ca", "ca-2"))
    for root, whose in ((first, "/tmp/before.pem"), (second, "/etc/page/page.pem")):
        lab.sh("store1", "cat > /tmp/root.pem", stdin=root)
        assert openssl(lab, "store1", f"verify -CAfile /tmp/root.pem {whose}").endswith(": OK"), "each was signed by its own root"
    assert lab.sh("mgmt1", f"sha256sum {CA}/ca.key {CA}/ca.pem").stdout == kept, "the first one is left as it was"
    assert not named(lab.play(contract.subject.playbook, variables={**SECOND, "authority_overlap_days": 0})), "once"


def named(run: Run) -> set[str]:
    """What changed; which inputs it came from is noted anew each time."""
    return {f"{kind} {key}" for _host, kind, key in run.changes() if kind != "deployed_marker"}


def test_a_lost_authority_is_not_replaced_unasked(contract: Contract, lab: Lab, said: t.Callable[..., str]) -> None:
    assert lab.play(contract.subject.playbook).rc == 0  # with the days of before, whatever was tried
    lab.sh("mgmt1", f"mv {CA}/ca.key /root/kept.key")
    assert f"the key of {CA}/ca.pem is expected in {CA}/ca.key, but is gone: restore {CA} from a backup" in said()
    lab.sh("mgmt1", f"mv /root/kept.key {CA}/ca.key; mv {CA} /root/kept")
    assert f"the authority that signed the certificates of page is expected there, but is not: restore {CA} from a backup" in said()
    entry = {"host": "mgmt1", "names": [CA], "by": "Li Wei", "reason": "its disk is gone", "until": "2099-12-31"}
    asked = lab.play(contract.subject.playbook, check=True, variables={"lab_confirm": [entry]})
    assert asked.rc == 0 and {f"certificate {CA}/ca.pem", "file /etc/page/trust.pem", "file /etc/page/page.pem"} <= named(asked)
    lab.sh("mgmt1", f"mv /root/kept {CA}")
    again = lab.play(contract.subject.playbook)
    assert again.rc == 0 and not named(again), "what comes back from a backup is the same authority"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"authority_overlap_days": 330}, "at least 60 days shorter than authority_renew_days, and these shorter than authority_days"),
        ({"authority_renew_days": 3650}, "these shorter than authority_days"),
        ({"authority_days": "long"}, "authority_days"),
    ],
)
def test_wrong_inputs(said: t.Callable[..., str], variables: dict[str, t.Any], sentence: str) -> None:
    assert sentence in said(**variables)


def test_a_lab_that_adds_logs_keeps_its_authority(contract: Contract, tmp_path: pathlib.Path) -> None:
    """Without a group it is the host that has the key, and not the first that could."""
    (tmp_path / "hosts.yml").write_text("elk: {hosts: {store1: }}\nharbor: {hosts: {mgmt1: }}\n", encoding="ascii")
    told = "- hosts: authority\n  gather_facts: false\n  tasks: [{ansible.builtin.debug: {msg: 'it is {{ groups.authority | join }}'}}]\n"
    (tmp_path / "find.yml").write_text(f"- import_playbook: {ROOT}/playbooks/authority.yml\n{told}", encoding="utf-8")
    run = Lab("gpulab-authority", tmp_path / "hosts.yml").play(tmp_path / "find.yml", check=True)
    assert run.rc == 0 and '"msg": "it is mgmt1"' in run.output, run.output
