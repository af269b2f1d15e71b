# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and requests for them, read from their PEM text (RFC 5280, RFC 2986). Pure: no I/O.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import typing as t

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:  # ansible-core brings it to a controller, not to a test that imports each file by itself
    x509 = None  # type: ignore[assignment]

DAY = 86400.0


@dataclasses.dataclass(frozen=True)
class Named:
    """What a request asks for and a certificate grants: the subject, its other names as C(DNS:a) or C(IP:b), and its public key in DER."""

    subject: str
    alt_names: tuple[str, ...]
    authority: bool
    key: bytes


def request(pem: str) -> Named | None:
    """None when C(pem) is no request."""
    try:
        return _named(x509.load_pem_x509_csr(pem.encode()))
    except ValueError:
        return None


def validity(pem: str) -> tuple[float, float] | None:
    """When the certificate C(pem) begins and ends, in seconds since the epoch; None when it is none."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def issuer(pem: str) -> str:
    """Who signed the certificate C(pem), as CN=name; empty when it is none."""
    try:
        return str(x509.load_pem_x509_certificate(pem.encode()).issuer.rfc4514_string())
    except ValueError:
        return ""


def wrong(pem: str, wanted: Named, issuer_pem: str, now: float, renew_days: int) -> str:
    """Why the certificate C(pem) is to be made anew, as a phrase; empty when it is right.

    It shall grant what C(wanted) asks for, be signed by the certificate C(issuer_pem) (itself for an authority), and be valid at C(now),
    seconds since the epoch, and for C(renew_days) more.
    """
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        signer = x509.load_pem_x509_certificate(issuer_pem.encode())
    except ValueError:
        return "what is there is no certificate"
    if _named(found) != wanted:
        return "it was made for another name or another key"
    try:
        found.verify_directly_issued_by(signer)
    except (InvalidSignature, TypeError, ValueError):
        return "it was signed by another authority"
    left = (found.not_valid_after_utc.timestamp() - now) / DAY
    if left <= 0:
        return f"it expired {-left:.0f} days ago"
    return f"it expires in {left:.0f} days" if left < renew_days else ""


def _named(found: t.Union[x509.Certificate, x509.CertificateSigningRequest]) -> Named:
    return Named(
        subject=found.subject.rfc4514_string(),
        alt_names=tuple(sorted(_alt_names(found))),
        authority=_authority(found),
        key=found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


def _alt_names(found: t.Union[x509.Certificate, x509.CertificateSigningRequest]) -> list[str]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [f"DNS:{name}" for name in names.get_values_for_type(x509.DNSName)] + [f"IP:{name}" for name in names.get_values_for_type(x509.IPAddress)]


def _authority(found: t.Union[x509.Certificate, x509.CertificateSigningRequest]) -> bool:
    try:
        return bool(found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False
