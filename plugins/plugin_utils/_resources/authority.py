# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate authority that renews itself: before its root ends there is a second one, both are trusted for a time, then the new one signs.

Roots are numbered: C(ca.pem) is the first, C(ca-2.pem) the second. None is ever moved, changed or removed, so a run that is interrupted can go on.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from ...module_utils._prediction import unknown_text
from . import x509
from .base import Change, Resource, Seen, World
from .files import Directory, File
from .keys import Certificate, CertificateRequest, PrivateKey

NUMBERS = range(1, 10)  # a root lasts ten years


@dataclasses.dataclass(frozen=True)
class Root:
    """Times in seconds since the epoch."""

    number: int
    begins: float
    ends: float

    @property
    def name(self) -> str:
        return "ca" if self.number == 1 else f"ca-{self.number}"


@dataclasses.dataclass(frozen=True)
class Roots:
    """All that are there, and C(due), the one that has to be made now."""

    known: tuple[Root, ...]
    due: Root | None
    now: float
    overlap_days: float

    @property
    def trusted(self) -> list[Root]:
        return [root for root in (*self.known, *([self.due] if self.due else [])) if root.ends > self.now]

    @property
    def signer(self) -> Root:
        """The newest that has been trusted for long enough, or else the oldest that has not ended."""
        ripe = [root for root in self.trusted if root.begins + self.overlap_days * x509.DAY <= self.now]
        return ripe[-1] if ripe else self.trusted[0]


def roots(known: t.Sequence[Root], now: float, days: float, renew_days: float, overlap_days: float) -> Roots:
    """C(known) in the order of their numbers; the next is due C(renew_days) before the last one ends."""
    due = None
    if not known or known[-1].ends - now < renew_days * x509.DAY:
        due = Root(known[-1].number + 1 if known else 1, now, now + days * x509.DAY)
    return Roots(tuple(known), due, now, overlap_days)


class Authority(Resource):
    """Its roots, and what they sign; the keys never leave the host. What it comes to are keys, requests and certificates."""

    kind = "authority"
    spec: t.ClassVar[dict[str, t.Any]] = dict(
        path=dict(type="path", required=True),
        common_name=dict(type="str", required=True),
        days=dict(type="int", required=True),
        renew_days=dict(type="int", required=True),
        overlap_days=dict(type="int", required=True),
        sign=dict(type="dict", default={}),
    )

    def __init__(self, args: t.Mapping[str, t.Any], index: int) -> None:
        super().__init__(args, index)
        for name, one in args["sign"].items():
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name == "trust":
                raise self.error(f"a name of letters, digits, dots and dashes is expected for what is to be signed, but one is {name!r}: choose another.")
            if not isinstance(one, dict) or set(one) != {"request", "certificate", "days", "renew_days"}:
                raise self.error(f"request, certificate, days and renew_days are expected of {name}, and nothing else: correct what is to be signed.")

    def _path(self, name: str) -> str:
        return f"{self.key}/{name}"

    def _issued(self, name: str) -> str:
        return self._path(f"issued/{name}.pem")

    def query(self) -> dict[str, t.Any]:
        every = [self._path(f"{Root(number, 0, 0).name}.{end}") for number in NUMBERS for end in ("key", "csr", "pem")]
        issued = [self._issued(name) for name in self.args["sign"]]
        return {
            "paths": [posixpath.dirname(self.key), self.key, self._path("issued"), *every, *issued],
            "contents": [*(path for path in every if not path.endswith(".key")), *issued],
        }

    def _roots(self, seen: Seen) -> Roots:
        now, days = seen["now"], self.args["days"]
        known = []
        for number in NUMBERS:
            path = self._path(f"{Root(number, 0, 0).name}.pem")
            if seen["paths"].get(path) is None:
                continue
            valid = x509.validity(seen["contents"].get(path, ""))
            # one that an earlier task of this dry run would make is there, but has no text yet
            known.append(Root(number, *(valid or (now, now + days * x509.DAY))))
        return roots(known, now, days, self.args["renew_days"], self.args["overlap_days"])

    def plan(self, world: World) -> Change | None:
        """Changes nothing by itself, and refuses to make an authority anew where one is lost."""
        found = self._roots(world.seen)
        signer = self._path(found.signer.name)
        if found.due != found.signer and world.seen["paths"][signer + ".key"] is None:
            raise self.error(
                f"the key of {signer}.pem is expected in {signer}.key, but is gone: "
                f"restore {self.key} from a backup with restore.yml, or, if there is none, move {self.key} away and name it in lab_confirm."
            )
        if found.known:
            return None
        users = sorted(name for name, one in self.args["sign"].items() if x509.issuer(one["certificate"]) == f"CN={self.args['common_name']}")
        refused, told = world.guard([self.key] if users else [], [self.key])
        if refused:
            expected = (
                f"the authority that signed the certificates of {', '.join(users)} is expected there, but is not: "
                f"restore {self.key} from a backup with restore.yml; if there is none, all certificates have to be issued anew"
            )
            raise self.unconfirmed(refused, told, expected)
        return None

    def actual(self, seen: Seen) -> None:
        return None

    def expand(self, seen: Seen) -> list[Resource]:
        found = self._roots(seen)
        out: list[Resource] = [self._part(Directory, path, "0755") for path in (self.key, self._path("issued"))]
        for root in found.trusted:
            path = self._path(root.name)
            out += [
                self._part(PrivateKey, f"{path}.key", "0600"),
                self._part(
                    CertificateRequest,
                    f"{path}.csr",
                    "0644",
                    private_key=f"{path}.key",
                    common_name=self.args["common_name"],
                    organization="",
                    alt_names=[],
                    authority=True,
                ),
                self._certificate(f"{path}.pem", "", f"{path}.csr", issuer_certificate="", issuer_key=f"{path}.key", days=self.args["days"], renew_days=0),
            ]
        signer = self._path(found.signer.name)
        for name, one in sorted(self.args["sign"].items()):
            path = self._issued(name)
            if seen["paths"].get(path) is None and self._right(one, seen["contents"].get(f"{signer}.pem", ""), seen["now"]):
                out.append(self._part(File, path, "0644", content=one["certificate"], secret=False))
                continue
            valid = {name: int(one[name]) for name in ("days", "renew_days")}
            out.append(self._certificate(path, one["request"], "", issuer_certificate=f"{signer}.pem", issuer_key=f"{signer}.key", **valid))
        return out

    @staticmethod
    def _right(one: dict[str, t.Any], signer: str, now: float) -> bool:
        """Whether who asks has a certificate already that is as it would be: from before it asked here."""
        wanted = x509.request(one["request"])
        return wanted is not None and not x509.wrong(one["certificate"], wanted, signer, now, int(one["renew_days"]))

    def _part(self, kind: type[Resource], path: str, mode: str, **more: t.Any) -> Resource:
        return kind({"path": path, "owner": "root", "group": "root", "mode": mode, **more}, self.index)

    def _certificate(self, path: str, request: str, request_path: str, **more: t.Any) -> Resource:
        return self._part(Certificate, path, "0644", request=request, request_path=request_path, **more)

    def values(self, seen: Seen, text: t.Callable[[str], str | None]) -> dict[str, str]:
        """C(trust), all roots that are trusted, and what was signed, by its name."""

        def known(path: str) -> str:
            found = text(path)
            return unknown_text("generated", path) if found is None else found

        trust = "".join(known(self._path(f"{root.name}.pem")) for root in self._roots(seen).trusted)
        return {"trust": trust, **{name: known(self._issued(name)) for name in self.args["sign"]}}
