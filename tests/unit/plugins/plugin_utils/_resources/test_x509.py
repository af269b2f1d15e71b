# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, requests and certificates as resources, and when a certificate is made anew."""

from __future__ import annotations

import datetime
import ipaddress
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown, unknown_text
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources import x509 as ours
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.base import PlanError
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.plan import KINDS, compute, query
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("authority", "other authority", "node", "other node")}


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def alternatives(*names: str) -> x509.SubjectAlternativeName:
    kinds: dict[str, t.Callable[[str], x509.GeneralName]] = {"DNS": x509.DNSName, "IP": lambda text: x509.IPAddress(ipaddress.ip_address(text))}
    return x509.SubjectAlternativeName([kinds[each.split(":")[0]](each.split(":")[1]) for each in names])


def request(common: str = "node", key: str = "node", names: tuple[str, ...] = ("DNS:node", "IP:127.0.0.1"), authority: bool = False) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=authority)
    if names:
        builder = builder.add_extension(alternatives(*names), critical=False)
    return builder.sign(KEYS[key], hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def certificate(of: str, issuer: str = "authority", days: int = 100) -> str:
    asked = x509.load_pem_x509_csr(of.encode())
    builder = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(name(issuer)).public_key(asked.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW - 400 * DAY).not_valid_after(NOW + days * DAY)
    for extension in asked.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(KEYS[issuer], hashes.SHA256()).public_bytes(Encoding.PEM).decode()


AUTHORITY = certificate(request("authority", "authority", (), True))


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (certificate(request()), ""),
        (certificate(request(), days=10), "it expires in 10 days"),
        (certificate(request(), days=-3), "it expired 3 days ago"),
        (certificate(request(names=("DNS:old",))), "it was made for another name or another key"),
        (certificate(request(key="other node")), "it was made for another name or another key"),
        (certificate(request(), issuer="other authority"), "it was signed by another authority"),
        ("nothing of that kind", "what is there is no certificate"),
    ],
)
def test_why_a_certificate_is_made_anew(pem: str, said: str) -> None:
    wanted = ours.request(request())
    assert wanted is not None
    assert ours.wrong(pem, wanted, AUTHORITY, NOW.timestamp(), 30) == said


def test_an_authority_signs_itself() -> None:
    wanted = ours.request(request("authority", "authority", (), True))
    assert wanted is not None and wanted.authority
    assert ours.wrong(AUTHORITY, wanted, AUTHORITY, NOW.timestamp(), 30) == ""


# -- as resources

FILE = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "mtime": 10.0, "sha256": "0"}
FOLDER = {"type": "directory", "mode": "0755", "owner": "root", "group": "root", "read_only": False}
OWN = {"owner": "root", "group": "root", "mode": "0644"}
KEY = {"path": "/c/node.key", **OWN, "mode": "0600"}
REQUEST = {"path": "/c/node.csr", **OWN, "private_key": "/c/node.key", "common_name": "node", "organization": "", "authority": False}
REQUEST["alt_names"] = ["IP:127.0.0.1", "DNS:node"]
SIGNED = {"path": "/c/node.pem", **OWN, "issuer_certificate": "/c/ca.pem", "issuer_key": "/c/ca.key", "days": 825, "renew_days": 30, "request_path": ""}


def plan(kind: str, args: dict[str, t.Any], files: dict[str, str | None], pending: t.Iterable[tuple[str, str]] = (), **mtimes: float) -> t.Any:
    resource = KINDS[kind](args, 0)
    wanted = query([resource])
    paths = {path: FOLDER if path == "/c" else {**FILE, "mode": args["mode"] if path == args["path"] else "0600"} for path in wanted["paths"]}
    paths.update({path: None for path, text in files.items() if text is None})
    for path, when in mtimes.items():
        paths[f"/c/node.{path}"]["mtime"] = when
    contents = {path: text for path, text in files.items() if text is not None and path in wanted["contents"]}
    base: dict[str, t.Any] = {"packages": {}, "users": {}, "units": {}, "python_envs": {}, "simulation": None, "dpkg_interrupted": False}
    found = {**base, "policy_rc_d": "absent", "left_modules": [], "now": NOW.timestamp(), "paths": paths, "contents": contents}
    changes = compute([resource], found, set(pending))
    return changes[0] if changes else None


def test_a_key_is_made_once() -> None:
    made = plan("private_key", KEY, {"/c/node.key": None})
    assert made.after["sha256"] == unknown("generated")
    assert made.steps[0].module == "community.crypto.openssl_privatekey" and made.steps[0].args["format"] == "pkcs8"
    assert plan("private_key", KEY, {}) is None


def test_a_request_follows_its_key_and_its_names() -> None:
    there = {"/c/node.csr": request()}
    assert plan("certificate_request", REQUEST, there) is None
    assert plan("certificate_request", REQUEST, {"/c/node.csr": None}).after["sha256"] == unknown("generated")
    assert plan("certificate_request", {**REQUEST, "alt_names": ["DNS:node"]}, there).after == {"sha256": unknown("generated")}
    assert plan("certificate_request", {**REQUEST, "common_name": "other"}, there) is not None
    assert plan("certificate_request", REQUEST, there, [("content", "/c/node.key")]) is not None
    assert plan("certificate_request", REQUEST, there, key=20.0) is not None, "the key was replaced after the request was made"
    (step,) = plan("certificate_request", REQUEST, {"/c/node.csr": None}).steps
    assert step.args["subject_alt_name"] == ["IP:127.0.0.1", "DNS:node"] and step.args["basic_constraints"] == ["CA:FALSE"]


def test_a_certificate_is_issued_when_it_is_not_what_was_asked_for() -> None:
    files: dict[str, str | None] = {"/c/node.pem": certificate(request()), "/c/ca.pem": AUTHORITY}
    assert plan("certificate", {**SIGNED, "request": request()}, files) is None
    soon = plan("certificate", {**SIGNED, "request": request(), "renew_days": 200}, files)
    assert soon.after == {"sha256": unknown("generated")} and soon.impact == ("issues it anew: it expires in 100 days",)
    assert plan("certificate", {**SIGNED, "request": request()}, files, [("content", "/c/ca.pem")]) is not None
    assert plan("certificate", {**SIGNED, "request": unknown_text("generated", "/c/node.csr")}, files) is not None
    assert plan("certificate", {**SIGNED, "request": request()}, {**files, "/c/node.pem": None}).steps[0].args["provider"] == "ownca"
    with pytest.raises(PlanError, match="a request for it is expected, but what was given is none"):
        plan("certificate", {**SIGNED, "request": "nonsense"}, files)
