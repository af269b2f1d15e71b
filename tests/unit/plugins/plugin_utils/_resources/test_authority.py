# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an authority gets its next root, who signs, who is trusted, and that a lost one is not replaced unasked."""

from __future__ import annotations

import datetime
import re
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown_reason_in, unknown_text
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.authority import Authority, Root, roots
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.base import Change, Confirmation, PlanError
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.plan import compute, query
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

DAY = 86400.0
YEAR = 365 * DAY
NOW = 1.8e9
LASTS = {"days": 3650, "renew_days": 365, "overlap_days": 180}


@pytest.mark.parametrize(
    ("years", "due", "signer", "trusted"),
    [
        ([], 1, 1, [1]),
        ([0], None, 1, [1]),
        ([8.9], None, 1, [1]),
        ([9.1], 2, 1, [1, 2]),
        ([9.3, 0.2], None, 1, [1, 2]),
        ([9.6, 0.5], None, 2, [1, 2]),
        ([10.1, 1], None, 2, [2]),
        ([10.1], 2, 2, [2]),  # nobody has run anything for a year: nothing is left to overlap with
        ([10.1, 0.1], None, 2, [2]),
        ([20, 9.9, 0.8], None, 3, [2, 3]),
    ],
)
def test_the_next_root_comes_early_is_trusted_for_half_a_year_and_then_signs(years: list[float], due: int | None, signer: int, trusted: list[int]) -> None:
    known = [Root(number, NOW - age * YEAR, NOW - age * YEAR + 10 * YEAR) for number, age in enumerate(years, 1)]
    found = roots(known, NOW, **LASTS)
    assert (found.due and found.due.number) == due
    assert found.signer.number == signer and [root.number for root in found.trusted] == trusted
    assert Root(1, 0, 0).name == "ca" and Root(2, 0, 0).name == "ca-2"


KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("ca", "ca-2", "node")}


def named(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def csr(common: str, key: str, authority: bool) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(named(common))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=authority)
    return builder.sign(KEYS[key], hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def certificate(request: str, issuer: str, begins: float, ends: float) -> str:
    asked = x509.load_pem_x509_csr(request.encode())
    builder = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(named("gpulab CA")).public_key(asked.public_key()).serial_number(7)
    for when, put in ((begins, "not_valid_before"), (ends, "not_valid_after")):
        builder = getattr(builder, put)(datetime.datetime.fromtimestamp(NOW + when * YEAR, datetime.timezone.utc))
    for extension in asked.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(KEYS[issuer], hashes.SHA256()).public_bytes(Encoding.PEM).decode()


NODE = csr("node", "node", False)
OLD = certificate(NODE, "ca", -1, 1)
CA = "/etc/gpulab/ca"
ASKED = {"node": {"request": NODE, "certificate": "", "days": 825, "renew_days": 30}}
PRESENT = {"type": "file", "owner": "root", "group": "root", "mtime": 1.0}


def lab(first: float, **more: str) -> dict[str, str]:
    """An authority whose first root began C(first) years ago, and what else is in its directory."""
    request = csr("gpulab CA", "ca", True)
    return {"ca.key": "", "ca.csr": request, "ca.pem": certificate(request, "ca", -first, 10 - first), "issued/node.pem": OLD, **more}


def plan(files: dict[str, str], confirmed: t.Sequence[Confirmation] = (), **options: t.Any) -> tuple[list[Change], dict[str, str]]:
    authority = Authority({"path": CA, "common_name": "gpulab CA", "sign": ASKED, **LASTS, **options}, 0)
    wanted = query([authority])
    folder = {"type": "directory", "mode": "0755", "owner": "root", "group": "root", "read_only": False}
    paths: dict[str, t.Any] = dict.fromkeys(wanted["paths"])
    paths.update({"/etc/gpulab": folder, **({CA: folder, f"{CA}/issued": folder} if files else {})})
    paths.update({f"{CA}/{name}": {**PRESENT, "mode": "0600" if name.endswith(".key") else "0644"} for name in files})
    base = {"left_modules": [], "policy_rc_d": "absent"}
    seen = {**base, "now": NOW, "paths": paths, "contents": {f"{CA}/{name}": text for name, text in files.items() if not name.endswith(".key")}}
    changes = compute([authority], seen, set(), confirmed, "2027-01-15")
    new = {change.resource.key for change in changes}
    values = authority.values(seen, lambda path: unknown_text("generated", path) if path in new else seen["contents"].get(path))
    return changes, values


def keys(changes: t.Sequence[Change]) -> list[str]:
    return [change.resource.key.removeprefix(f"{CA}/") for change in changes]


def test_the_first_root_and_what_it_signs() -> None:
    changes, values = plan({})
    assert keys(changes) == [CA, "issued", "ca.key", "ca.csr", "ca.pem", "issued/node.pem"]
    steps = {step.args["path"]: step.args for change in changes for step in change.steps}
    assert steps[f"{CA}/ca.pem"]["csr_path"] == f"{CA}/ca.csr" and steps[f"{CA}/ca.pem"]["privatekey_path"] == f"{CA}/ca.key"
    assert steps[f"{CA}/issued/node.pem"]["ownca_path"] == f"{CA}/ca.pem"
    assert set(values) == {"trust", "node"} and all(unknown_reason_in(text) for text in values.values())


def test_nothing_is_issued_anew_while_all_is_well() -> None:
    files = lab(3)
    assert plan(files) == ([], {"trust": files["ca.pem"], "node": OLD})


def test_a_certificate_that_is_in_use_is_kept_though_the_authority_has_forgotten_it() -> None:
    files = lab(3)
    del files["issued/node.pem"]
    asked = {"node": {**ASKED["node"], "certificate": OLD}}
    changes, values = plan(files, sign=asked)
    assert [(change.resource.kind, change.resource.args["content"]) for change in changes] == [("file", OLD)]
    other = certificate(csr("other", "node", False), "ca", -1, 1)
    changes, values = plan(files, sign={"node": {**ASKED["node"], "certificate": other}})
    assert [change.resource.kind for change in changes] == ["certificate"], "it is for another name"


def test_a_second_root_is_trusted_first_and_signs_later() -> None:
    files = lab(9.2)
    changes, values = plan(files)
    assert keys(changes) == ["ca-2.key", "ca-2.csr", "ca-2.pem"]
    assert values["trust"].startswith(files["ca.pem"]) and unknown_reason_in(values["trust"]) and values["node"] == OLD

    request = csr("gpulab CA", "ca-2", True)
    second = {"ca-2.key": "", "ca-2.csr": request}
    assert keys(plan({**files, **second})[0]) == ["ca-2.pem"], "a run was interrupted"
    second["ca-2.pem"] = certificate(request, "ca-2", -0.1, 9.9)
    assert plan({**files, **second}) == ([], {"trust": files["ca.pem"] + second["ca-2.pem"], "node": OLD})

    second["ca-2.pem"] = certificate(request, "ca-2", -0.6, 9.4)
    (change,), values = plan({**files, **second})
    assert change.impact == ("issues it anew: it was signed by another authority",)
    assert change.steps[0].args["ownca_path"] == f"{CA}/ca-2.pem" and change.steps[0].args["ownca_privatekey_path"] == f"{CA}/ca-2.key"
    assert values["trust"] == files["ca.pem"] + second["ca-2.pem"] and unknown_reason_in(values["node"])

    at_once = plan(files, overlap_days=0)[0]
    assert keys(at_once) == ["ca-2.key", "ca-2.csr", "ca-2.pem", "issued/node.pem"] and at_once[-1].impact == ("issues it anew: its authority is new",)


def test_a_lost_authority_is_not_replaced_unasked() -> None:
    in_use = {"node": {**ASKED["node"], "certificate": OLD}}
    said = r"the authority that signed the certificates of node is expected there, but is not: restore /etc/gpulab/ca .*names: \[/etc/gpulab/ca\]"
    with pytest.raises(PlanError, match=said):
        plan({}, sign=in_use)
    confirmed = [Confirmation("mgmt1", [CA], "Li Wei", "its disk is gone", "2027-02-01")]
    assert "ca.pem" in keys(plan({}, confirmed, sign=in_use)[0])
    with pytest.raises(PlanError, match="ended on 2027-01-01"):
        plan({}, [Confirmation("mgmt1", [CA], "Li Wei", "its disk is gone", "2027-01-01")], sign=in_use)
    files = lab(3)
    del files["ca.key"]
    with pytest.raises(
        PlanError, match=r"the key of /etc/gpulab/ca/ca.pem is expected in /etc/gpulab/ca/ca.key, but is gone: restore /etc/gpulab/ca from a backup"
    ):
        plan(files)


@pytest.mark.parametrize(
    ("sign", "sentence"),
    [
        ({"../../shadow": ASKED["node"]}, "a name of letters, digits, dots and dashes is expected for what is to be signed, but one is '../../shadow'"),
        ({"trust": ASKED["node"]}, "but one is 'trust'"),
        ({"node": {"request": NODE}}, "request, certificate, days and renew_days are expected of node"),
    ],
)
def test_what_cannot_be_signed(sign: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(PlanError, match=re.escape(sentence)):
        plan({}, sign=sign)
