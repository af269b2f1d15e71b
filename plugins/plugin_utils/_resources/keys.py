# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, requests and certificates.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import posixpath
import typing as t

from ...module_utils._prediction import Tree, difference, project, unknown, unknown_reason_in
from .._ledger import Thing
from . import x509
from .base import Change, Seen, Step, World, become
from .files import Path


class SshKey(Path):
    kind = "ssh_key"
    spec = dict(
        path=dict(type="path", required=True),
        comment=dict(type="str", default=""),
    )

    @property
    def _public(self) -> str:
        return self.key + ".pub"

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key, self._public, posixpath.dirname(self.key)]}

    def brings(self) -> set[Thing]:
        return {("path", self.key), ("path", self._public)}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        for path, leaves in ((key, {"mode": "0600"}), (key + ".pub", {"sha256": unknown("generated")})):
            become(seen["paths"], path, leaves, {"type": "file", "mtime": seen["now"]})

    def actual(self, seen: Seen) -> Tree | None:
        private, public = seen["paths"].get(self.key), seen["paths"].get(self._public)
        if private is None and public is None:
            return None
        return {"mode": private and private["mode"], "public_key": public and public["sha256"]}

    def plan(self, world: World) -> Change | None:
        observed = self.actual(world.seen)
        wanted: Tree = {"mode": "0600"}
        if observed is None or observed["mode"] is None:
            wanted["public_key"] = unknown("generated")
        elif observed["public_key"] is None:
            raise self.error(f"its public key is expected in {self._public}, but is gone: run ssh-keygen -y -f {self.key} > {self._public}.")
        after = difference(wanted, observed)
        if not after:
            return None
        if observed is None:
            self.require_parent(world)
        args = {"path": self.key, "type": "ed25519", "mode": "0600", "comment": self.args["comment"]}
        return Change(self, None if observed is None else project(observed, after), after, (), (Step("community.crypto.openssh_keypair", args),))


class PrivateKey(Path):
    """The key of a certificate; what it is never leaves the host."""

    kind = "private_key"
    spec = Path.ownership

    def plan(self, world: World) -> Change | None:
        desired = self._desired("file")
        if world.seen["paths"][self.key] is None:
            desired["sha256"] = unknown("generated")
        args = {"path": self.key, "type": "ECC", "curve": "secp256r1", "format": "pkcs8", **{k: self.args[k] for k in ("owner", "group", "mode")}}
        return self._compare(world, desired, Step("community.crypto.openssl_privatekey", args))


class CertificateRequest(Path):
    """What an authority is asked to sign. A key that is newer than the request is another one."""

    kind = "certificate_request"
    spec = {
        **Path.ownership,
        "private_key": dict(type="path", required=True, no_log=False),
        "common_name": dict(type="str", required=True),
        "organization": dict(type="str", default=""),
        "alt_names": dict(type="list", elements="str", default=[]),
        "authority": dict(type="bool", default=False),
    }

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key, posixpath.dirname(self.key), self.args["private_key"]], "contents": [self.key]}

    def plan(self, world: World) -> Change | None:
        desired = self._desired("file")
        if not self._asks(world):
            desired["sha256"] = unknown("generated")
        names = {"common_name": self.args["common_name"], "organization_name": self.args["organization"] or None}
        usage: Tree = {"key_usage": ["digitalSignature"], "extended_key_usage": ["serverAuth", "clientAuth"], "basic_constraints": ["CA:FALSE"]}
        if self.args["authority"]:
            usage = {"key_usage": ["keyCertSign", "cRLSign"], "key_usage_critical": True, "basic_constraints": ["CA:TRUE"], "basic_constraints_critical": True}
        args = {"path": self.key, "privatekey_path": self.args["private_key"], "force": True, "use_common_name_for_san": False, **names, **usage}
        if self.args["alt_names"]:
            args["subject_alt_name"] = list(self.args["alt_names"])
        args.update({k: self.args[k] for k in ("owner", "group", "mode")})
        return self._compare(world, desired, Step("community.crypto.openssl_csr", {k: v for k, v in args.items() if v is not None}))

    def _asks(self, world: World) -> bool:
        """Whether the request that is there asks for this."""
        key, own = world.seen["paths"].get(self.args["private_key"]), world.seen["paths"].get(self.key)
        if key is None or own is None or key["mtime"] > own["mtime"] or ("content", self.args["private_key"]) in world.pending:
            return False
        found = x509.request(world.seen["contents"].get(self.key, ""))
        subject = ",".join([f"CN={self.args['common_name']}", *([f"O={self.args['organization']}"] if self.args["organization"] else [])])
        return (
            found is not None
            and sorted(found.subject.split(",")) == sorted(subject.split(","))
            and found.alt_names == tuple(sorted(self.args["alt_names"]))
            and found.authority == self.args["authority"]
        )


class Certificate(Path):
    """What C(request), or the request in C(request_path), asks for, signed by an authority whose key is on this host; without
    C(issuer_certificate) by its own key, which makes an authority."""

    kind = "certificate"
    spec = {
        **Path.ownership,
        "request": dict(type="str", default=""),
        "request_path": dict(type="path", default=""),
        "issuer_certificate": dict(type="path", default=""),
        "issuer_key": dict(type="path", required=True, no_log=False),
        "days": dict(type="int", default=825),
        "renew_days": dict(type="int", default=30),
    }

    @property
    def _issuer(self) -> str:
        return str(self.args["issuer_certificate"] or self.key)

    def query(self) -> dict[str, t.Any]:
        asked = [self.args["request_path"]] if self.args["request_path"] else []
        return {"paths": [self.key, posixpath.dirname(self.key)], "contents": [self.key, self._issuer, *asked]}

    def plan(self, world: World) -> Change | None:
        desired = self._desired("file")
        why = self._why(world)
        if why:
            desired["sha256"] = unknown("generated")
        own = "ownca" if self.args["issuer_certificate"] else "selfsigned"
        asked = {"csr_path": self.args["request_path"]} if self.args["request_path"] else {"csr_content": self.args["request"]}
        args = {"path": self.key, "provider": own, **asked, "force": True}
        args.update({f"{own}_not_before": "-1h", f"{own}_not_after": f"+{self.args['days']}d"})
        args.update(
            {"ownca_path": self._issuer, "ownca_privatekey_path": self.args["issuer_key"]} if own == "ownca" else {"privatekey_path": self.args["issuer_key"]}
        )
        args.update({k: self.args[k] for k in ("owner", "group", "mode")})
        change = self._compare(world, desired, Step("community.crypto.x509_certificate", args))
        return change and dataclasses.replace(change, impact=(f"issues it anew: {why}",) if change.before and why else change.impact)

    def _why(self, world: World) -> str:
        path, contents = self.args["request_path"], world.seen["contents"]
        if unknown_reason_in(self.args["request"]) or path and (("content", path) in world.pending or path not in contents):
            return "its request is new"
        wanted = x509.request(contents[path] if path else self.args["request"])
        if wanted is None:
            raise self.error("a request for it is expected, but what was given is none: see certificate_request.")
        if ("content", self._issuer) in world.pending:
            return "its authority is new"
        if self.key not in contents:
            return "there is none"
        return x509.wrong(contents[self.key], wanted, contents.get(self._issuer, ""), world.seen["now"], self.args["renew_days"])
