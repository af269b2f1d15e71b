# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plan = desired - observed, for everything a role wants on a host. Pure: no I/O, no Ansible.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

The dry run prints the plan and the real run executes it, so the two cannot disagree about what is to be done
(docs/adr/0001). Each kind of resource is one class with four answers: what it needs to be read, what it shall be,
which steps get it there, and what it brings for the resources after it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import posixpath
import typing as t
from urllib.parse import unquote, urlsplit

from ..module_utils._host import APT_AUTH, POLICY_RC_D, normalised
from ..module_utils._prediction import Tree, difference, is_unknown, prediction, project, readable, unknown, unknown_reason_in
from . import _x509
from ._ledger import Thing

Seen = t.Dict[str, t.Any]  # the result of resources_info

# Upgrading or removing these kills running jobs or needs a reboot, so it needs a named confirmation (design, rule 7).
PROTECTED_PACKAGES = ("nvidia-*", "libnvidia-*", "linux-image-*", "docker.io", "docker-ce*", "containerd*")

PROTECTED_UNITS = ("docker.service", "containerd.service", "slurmd.service", "kubelet.service", "nvidia-*.service")


def protected(name: str, patterns: t.Iterable[str], confirmed: t.AbstractSet[str]) -> bool:
    return name not in confirmed and any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


class PlanError(Exception):
    """The desired state cannot be planned; C(index) is the resource's place in the list."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to execute. C(module) 'write' steps that follow each other are executed together."""

    module: str
    args: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """One resource that differs: what was, what will be, how, and what that means for those who work on the host."""

    resource: Resource
    before: Tree | None
    after: Tree
    impact: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    text: tuple[str, str] | None = None  # before and after, for the diff

    more: frozenset[Thing] = frozenset()  # what only this very change brings

    def brings(self) -> set[Thing]:
        """What later resources and tasks may count on; new content of a file restarts those who read the old one, a new mode does not."""
        return self.resource.brings() | self.more | ({("content", self.resource.key)} if "sha256" in self.after else set())

    def as_prediction(self) -> Tree:
        return prediction(self.resource.kind, self.resource.key, self.before, self.after, self.impact)


@dataclasses.dataclass(frozen=True)
class World:
    """What a resource may look at while it is planned."""

    seen: Seen
    pending: frozenset[Thing]  # brought by earlier resources of the list or earlier tasks of this run
    confirmed: frozenset[str]

    def parent_exists(self, path: str) -> bool:
        parent = posixpath.dirname(path)
        return ("path", parent) in self.pending or self.seen["paths"].get(parent) is not None


class Resource:
    """Base of the kinds. C(args) has passed the kind's C(spec)."""

    kind: t.ClassVar[str]
    spec: t.ClassVar[dict[str, t.Any]]

    def __init__(self, args: t.Mapping[str, t.Any], index: int) -> None:
        self.args = args
        self.index = index

    @property
    def key(self) -> str:
        return str(self.args["path"])

    def query(self) -> dict[str, t.Any]:
        """What resources_info must read for this resource."""
        raise AssertionError("each kind answers")

    def plan(self, world: World) -> Change | None:
        raise AssertionError("each kind answers")

    def actual(self, seen: Seen) -> Tree | None:
        """The tree as it is, in the shape of the planned C(after)."""
        raise AssertionError("each kind answers")

    def brings(self) -> set[Thing]:
        """What later resources may count on once this one is there."""
        return set()

    def missing(self, seen: Seen) -> list[str]:
        """What this resource promised to bring and did not, checked after the real run."""
        return []

    def error(self, message: str) -> PlanError:
        return PlanError(f"{self.kind} {self.key}: {message}", self.index)

    def require_parent(self, world: World) -> None:
        parent = world.seen["paths"].get(posixpath.dirname(self.key))
        if parent is not None and parent.get("read_only"):
            raise self.error(
                f"{posixpath.dirname(self.key)} is expected to be writable, but is mounted read-only: mount it read-write, or choose another place."
            )
        if not world.parent_exists(self.key):
            raise self.error(
                f"its directory {posixpath.dirname(self.key)} is expected to exist or to come earlier in this list, and does neither: "
                "list the directory, or the package that brings it."
            )


class Packages(Resource):
    kind = "packages"
    spec = dict(
        names=dict(type="list", elements="str", required=True),
        brings=dict(
            type="dict",
            default={},
            options=dict(
                units=dict(type="list", elements="str", default=[]),
                users=dict(type="list", elements="str", default=[]),
                paths=dict(type="list", elements="str", default=[]),
            ),
        ),
    )

    @property
    def key(self) -> str:
        return ", ".join(self.args["names"])

    def _brings(self, what: str) -> list[str]:
        return list((self.args["brings"] or {}).get(what) or [])

    def query(self) -> dict[str, t.Any]:
        return {
            "simulate": {"install": list(self.args["names"])},
            "packages": list(self.args["names"]),
            "paths": self._brings("paths"),
            "units": self._brings("units"),
            "users": self._brings("users"),
        }

    def brings(self) -> set[Thing]:
        things = {(what[:-1], name) for what in ("units", "users", "paths") for name in self._brings(what)}
        return things | {("package", name) for name in self.args["names"]}

    def missing(self, seen: Seen) -> list[str]:
        out = [f"package {n}" for n in self.args["names"] if not seen["packages"].get(n)]
        return out + [f"{what[:-1]} {name}" for what in ("units", "users", "paths") for name in self._brings(what) if seen[what].get(name) is None]

    def plan(self, world: World) -> Change | None:
        seen = world.seen
        wanted = [name for name in self.args["names"] if not seen["packages"][name]]
        simulation = seen["simulation"] or {"install": [], "remove": []}
        if "error" in simulation:
            raise self.error(f"APT is expected to be able to install it, but says: {simulation['error']} Mend the package sources or the mirror.")
        if not wanted and not seen["dpkg_interrupted"]:
            return None
        transaction = simulation["install"]
        upgraded = [p for p in transaction if p["old"]]
        for name in [p["name"] for p in upgraded] + simulation["remove"]:
            if protected(name, PROTECTED_PACKAGES, world.confirmed):
                raise self.error(
                    f"the package {name} is expected to stay as it is, because jobs and containers run on it, but this would upgrade or remove it: "
                    f"name it in the role's *_confirm list to allow that, or pin its version."
                )
        impact = [f"installs {len(transaction) - len(upgraded)} packages"] if len(transaction) > len(upgraded) else []
        impact += [f"upgrades {p['name']} {p['old']} to {p['version']}" for p in upgraded]
        impact += [f"removes package {name}" for name in simulation["remove"]]
        if seen["dpkg_interrupted"]:
            impact.append("finishes the package transaction that an earlier run left half way")
        # what another role began is finished with it, and that one finds it done
        versions = {**seen.get("half_configured", {}), **{p["name"]: p["version"] for p in transaction}}
        before: Tree = {"packages": {**{p["name"]: p["old"] for p in upgraded}, **{n: seen["packages"].get(n) for n in simulation["remove"]}}}
        after: Tree = {"packages": {**versions, **dict.fromkeys(simulation["remove"])}}
        if seen["dpkg_interrupted"]:
            before["dpkg"], after["dpkg"] = "interrupted", "complete"
        steps = (Step("packages", {"names": wanted, "interrupted": seen["dpkg_interrupted"], "policy_rc_d": seen["policy_rc_d"]}),)
        text = ("", "".join(f"{p['name']} {p['version']}\n" for p in transaction))
        new = not before["packages"] and "dpkg" not in before
        return Change(self, None if new else before, after, tuple(impact), steps, text)

    def actual(self, seen: Seen) -> Tree | None:
        return {"packages": dict(seen["packages"]), "dpkg": "interrupted" if seen["dpkg_interrupted"] else "complete"}


def deb822(args: t.Mapping[str, t.Any]) -> str:
    """A deb822 source (sources.list(5)) with its key inline, so that a simulation needs no keyring."""
    lines = ["# Ansible managed", "Types: deb", f"URIs: {args['uri']}", f"Suites: {args['suite']}"]
    if args["components"]:
        lines.append(f"Components: {' '.join(args['components'])}")
    key = [line.rstrip() or "." for line in args["signed_by"].strip().splitlines()]
    return "\n".join([*lines, "Signed-By:", *(f" {line}" for line in key)]) + "\n"


class Path(Resource):
    """What directories and files have in common: owner, group, mode, and being written together."""

    ownership: t.ClassVar[dict[str, t.Any]] = dict(
        path=dict(type="path", required=True),
        owner=dict(type="str", default="root"),
        group=dict(type="str", default="root"),
        mode=dict(type="str", required=True),
    )

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key, posixpath.dirname(self.key)]}

    def brings(self) -> set[Thing]:
        return {("path", self.key)}

    def actual(self, seen: Seen) -> Tree | None:
        return seen["paths"].get(self.key)

    def _desired(self, kind: str) -> Tree:
        return {"type": kind, "mode": self.args["mode"], "owner": self.args["owner"], "group": self.args["group"]}

    def _write(self, **more: t.Any) -> Step:
        return Step("write", {"path": self.key, **{k: self.args[k] for k in ("owner", "group", "mode")}, **more})

    def _compare(self, world: World, desired: Tree, step: Step, text: tuple[str, str] | None = None) -> Change | None:
        observed = world.seen["paths"][self.key]
        if observed is None:
            self.require_parent(world)
        elif observed["type"] != desired["type"]:
            raise self.error(f"a {desired['type']} is expected there, but a {observed['type']} is found: move it away, nothing is deleted for you.")
        after = difference(desired, observed)
        if not after:
            return None
        impact: tuple[str, ...] = () if observed is None else ("changes what is there",)
        return Change(self, None if observed is None else project(observed, after), after, impact, (step,), text)


class Directory(Path):
    """Without a mode, one that is there stays as it is: it is somebody else's."""

    kind = "directory"
    spec = {**Path.ownership, "mode": dict(type="str", default="")}

    def plan(self, world: World) -> Change | None:
        observed = world.seen["paths"][self.key]
        if not self.args["mode"]:
            if observed is not None:
                return self._compare(world, {"type": "directory"}, self._write(type="directory"))
            if ("path", self.key) in world.pending:
                return None  # this run's package brings it
        self.args = {**self.args, "mode": self.args["mode"] or "0755"}
        return self._compare(world, self._desired("directory"), self._write(type="directory"))


class File(Path):
    kind = "file"
    spec = {
        **Path.ownership,
        "content": dict(type="str"),
        "template": dict(type="str"),
        "source": dict(type="str"),
        "secret": dict(type="bool", default=False),
    }

    @property
    def content(self) -> str:
        """The action renders templates and reads sources, and puts the result here."""
        return str(self.args["content"])

    def query(self) -> dict[str, t.Any]:
        return {**super().query(), "contents": [] if self.args["secret"] else [self.key]}

    def plan(self, world: World) -> Change | None:
        reason = unknown_reason_in(self.content)
        digest = hashlib.sha256(self.content.encode()).hexdigest()
        desired = {**self._desired("file"), "sha256": unknown(reason) if reason else digest}
        change = self._compare(world, desired, self._write(type="file", content=self.content), self._text(world))
        if change is None or not self.args["secret"]:
            return change
        # a digest of a passphrase lets it be guessed offline
        hide = {"sha256": unknown("secret")}
        return dataclasses.replace(
            change,
            before=change.before and {**change.before, **(hide if "sha256" in change.before else {})},
            after={**change.after, **(hide if "sha256" in change.after else {})},
        )

    def _text(self, world: World) -> tuple[str, str]:
        if self.args["secret"]:
            return ("", "(secret)\n")
        return (world.seen["contents"].get(self.key, ""), readable(self.content))


class Repository(File):
    """A package source. Changing it makes APT read it before packages are planned."""

    kind = "repository"
    spec = dict(
        name=dict(type="str", required=True),
        uri=dict(type="str", required=True),
        suite=dict(type="str", required=True),
        components=dict(type="list", elements="str", default=[]),
        signed_by=dict(type="str", required=True),
    )

    def __init__(self, args: t.Mapping[str, t.Any], index: int) -> None:
        path = f"/etc/apt/sources.list.d/{args['name']}.sources"
        uri, self._login = split_login(args["uri"])
        self._name, self._uri = args["name"], uri
        content = deb822({**args, "uri": uri})
        super().__init__({"path": path, "owner": "root", "group": "root", "mode": "0644", "secret": False, "content": content}, index)

    def sources(self) -> dict[str, str]:
        """What APT needs to read it, by path."""
        return {self.key: self.content, **{file.key: file.content for file in self.beside()}}

    def beside(self) -> list[File]:
        """Everybody may read a package source, so that its user and password go into a file of root, see apt_auth.conf(5)."""
        if not self._login:
            return []
        if any(c.isspace() for part in self._login for c in part):
            raise self.error("its user and password are expected without spaces and line breaks, because apt_auth.conf cannot hold them: choose another.")
        text = f"machine {self._uri} login {self._login[0]} password {self._login[1]}\n"
        args = {"path": f"{APT_AUTH}/gpulab-{self._name}.conf", "owner": "root", "group": "root", "mode": "0600", "secret": True, "content": text}
        return [File(args, self.index)]

    def query(self) -> dict[str, t.Any]:
        return {**super().query(), "simulate": {"sources": self.sources()}}

    def brings(self) -> set[Thing]:
        return super().brings() | {("repository", self.key)}


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """C(url) without its user and password, and these."""
    parts = urlsplit(url)
    if not parts.username or parts.password is None:
        return url, None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), (unquote(parts.username), unquote(parts.password))


class Download(Path):
    kind = "download"
    spec = {**Path.ownership, "url": dict(type="str", required=True), "sha256": dict(type="str", required=True)}

    def plan(self, world: World) -> Change | None:
        args = {"url": self.args["url"], "dest": self.key, "checksum": f"sha256:{self.args['sha256']}"}
        url, login = split_login(self.args["url"])
        if login:  # they have options of their own, which no log quotes
            args.update(url=url, url_username=login[0], url_password=login[1], force_basic_auth=True)
        step = Step("ansible.builtin.get_url", {**args, **{k: self.args[k] for k in ("owner", "group", "mode")}})
        return self._compare(world, {**self._desired("file"), "sha256": self.args["sha256"]}, step)

    def urls(self) -> list[str]:
        return [self.args["url"]]


class User(Resource):
    kind = "user"
    spec = dict(
        name=dict(type="str", required=True),
        home=dict(type="path", required=True),
        shell=dict(type="path", default="/usr/sbin/nologin"),
        comment=dict(type="str", default=""),
        create_home=dict(type="bool", default=False),
    )

    @property
    def key(self) -> str:
        return str(self.args["name"])

    def query(self) -> dict[str, t.Any]:
        return {"users": [self.key]}

    def brings(self) -> set[Thing]:
        return {("user", self.key)}

    def actual(self, seen: Seen) -> Tree | None:
        return seen["users"].get(self.key)

    def plan(self, world: World) -> Change | None:
        observed = world.seen["users"][self.key]
        # who is given no comment keeps his own
        asked = {name: self.args[name] for name in ("home", "shell", "comment") if self.args[name] or name != "comment"}
        desired = {**asked, "group": self.key}
        if observed is None:
            desired["uid"] = unknown("server_assigned")
        after = difference(desired, observed)
        if not after:
            return None
        args = {"name": self.key, "system": True, "create_home": self.args["create_home"], **asked}
        return Change(self, None if observed is None else project(observed, after), after, (), (Step("ansible.builtin.user", args),))


class PythonEnv(Resource):
    kind = "python_env"
    spec = dict(
        path=dict(type="path", required=True),
        requirements=dict(type="list", elements="str", required=True),
        index_url=dict(type="str", default=""),
        compile=dict(type="bool", default=True),
    )

    def __init__(self, args: t.Mapping[str, t.Any], index: int) -> None:
        super().__init__(args, index)
        self.pins: dict[str, str] = {}
        for requirement in args["requirements"]:
            name, sep, version = requirement.partition("==")
            if not sep:
                raise self.error(f"each requirement is expected as name==version, but got {requirement!r}: pin it.")
            self.pins[normalised(name.split("[")[0])] = version

    def query(self) -> dict[str, t.Any]:
        return {"python_envs": [self.key], "paths": [posixpath.dirname(self.key)]}

    def brings(self) -> set[Thing]:
        return {("path", self.key), ("path", posixpath.join(self.key, "bin", "python"))}

    def actual(self, seen: Seen) -> Tree | None:
        versions = seen["python_envs"].get(self.key)
        return None if versions is None else {"distributions": versions}

    def plan(self, world: World) -> Change | None:
        observed = self.actual(world.seen)
        after = difference({"distributions": self.pins}, observed)
        if not after:
            return None
        if observed is None:
            self.require_parent(world)
        extra = [] if self.args["compile"] else ["--no-compile"]
        index = ["--index-url", self.args["index_url"]] if self.args["index_url"] else []
        if self.args["index_url"].startswith("http://"):
            index += ["--trusted-host", str(urlsplit(self.args["index_url"]).hostname)]
        args: Tree = {"virtualenv": self.key, "virtualenv_command": "/usr/bin/python3 -m venv"}
        if split_login(self.args["index_url"])[1]:
            # everybody sees the arguments of a process, so that what has a password goes through a file
            index_lines = [" ".join(index[at : at + 2]) for at in range(0, len(index), 2)]
            args["requirements_text"] = "\n".join([*index_lines, *self.args["requirements"]]) + "\n"
        else:
            args["name"] = list(self.args["requirements"])
            extra += index
        step = Step("ansible.builtin.pip", {**args, "extra_args": " ".join(extra)})
        return Change(self, None if observed is None else project(observed, after), after, (), (step,))

    def urls(self) -> list[str]:
        base = self.args["index_url"].rstrip("/")
        return [f"{base}/{name}/" for name in self.pins] if base else []


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
        found = _x509.request(world.seen["contents"].get(self.key, ""))
        subject = ",".join([f"CN={self.args['common_name']}", *([f"O={self.args['organization']}"] if self.args["organization"] else [])])
        return (
            found is not None
            and sorted(found.subject.split(",")) == sorted(subject.split(","))
            and found.alt_names == tuple(sorted(self.args["alt_names"]))
            and found.authority == self.args["authority"]
        )


class Certificate(Path):
    """Signed by an authority whose key is on this host; without C(issuer_certificate) by its own key, which makes an authority."""

    kind = "certificate"
    spec = {
        **Path.ownership,
        "request": dict(type="str", required=True),
        "issuer_certificate": dict(type="path", default=""),
        "issuer_key": dict(type="path", required=True, no_log=False),
        "days": dict(type="int", default=825),
        "renew_days": dict(type="int", default=30),
    }

    @property
    def _issuer(self) -> str:
        return str(self.args["issuer_certificate"] or self.key)

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key, posixpath.dirname(self.key)], "contents": [self.key, self._issuer]}

    def plan(self, world: World) -> Change | None:
        desired = self._desired("file")
        why = self._why(world)
        if why:
            desired["sha256"] = unknown("generated")
        own = "ownca" if self.args["issuer_certificate"] else "selfsigned"
        args = {"path": self.key, "provider": own, "csr_content": self.args["request"], "force": True}
        args.update({f"{own}_not_before": "-1h", f"{own}_not_after": f"+{self.args['days']}d"})
        args.update(
            {"ownca_path": self._issuer, "ownca_privatekey_path": self.args["issuer_key"]} if own == "ownca" else {"privatekey_path": self.args["issuer_key"]}
        )
        args.update({k: self.args[k] for k in ("owner", "group", "mode")})
        change = self._compare(world, desired, Step("community.crypto.x509_certificate", args))
        return change and dataclasses.replace(change, impact=(f"issues it anew: {why}",) if change.before and why else change.impact)

    def _why(self, world: World) -> str:
        if unknown_reason_in(self.args["request"]):
            return "its request is new"
        wanted = _x509.request(self.args["request"])
        if wanted is None:
            raise self.error("a request for it is expected, but what was given is none: see certificate_request.")
        if ("content", self._issuer) in world.pending:
            return "its authority is new"
        contents = world.seen["contents"]
        if self.key not in contents:
            return "there is none"
        return _x509.wrong(contents[self.key], wanted, contents.get(self._issuer, ""), world.seen["now"], self.args["renew_days"])


class Read(Resource):
    """Changes nothing: the text of a file that something earlier may bring, for later tasks (C(values) of the result)."""

    kind = "read"
    spec = dict(path=dict(type="path", required=True), optional=dict(type="bool", default=False))

    def query(self) -> dict[str, t.Any]:
        return {"paths": [self.key], "contents": [self.key]}

    def plan(self, world: World) -> Change | None:
        if not self.args["optional"] and world.seen["paths"][self.key] is None and ("path", self.key) not in world.pending:
            raise self.error("it is expected to exist or to be brought by an earlier resource, and is neither.")
        return None

    def actual(self, seen: Seen) -> Tree | None:
        return seen["paths"].get(self.key)


class Unit(Resource):
    kind = "unit"
    spec = dict(
        name=dict(type="str", required=True),
        state=dict(type="str", choices=["started", "stopped"]),
        enabled=dict(type="bool"),
        restarted_by=dict(type="list", elements="path", default=[]),
        makes=dict(type="path", default=""),
    )

    @property
    def key(self) -> str:
        return str(self.args["name"])

    def query(self) -> dict[str, t.Any]:
        return {"units": [self.key], "paths": [*self.args["restarted_by"], *filter(None, [self.args["makes"]])]}

    def brings(self) -> set[Thing]:
        return {("unit", self.key)}

    def actual(self, seen: Seen) -> Tree | None:
        return seen["units"].get(self.key)

    def _file(self) -> str:
        """Its unit file; an instance (name@instance.timer) has that of its template (name@.timer)."""
        stem, at, instance = self.key.partition("@")
        return f"/etc/systemd/system/{stem}{at}{'.' + instance.rpartition('.')[2] if at else ''}"

    def plan(self, world: World) -> Change | None:
        observed = world.seen["units"][self.key]
        if observed is None and not {("unit", self.key), ("path", self._file())} & world.pending:
            raise self.error("it is expected to exist or to be brought by a package or file earlier in this list, and is neither.")
        now = observed or {"active": "inactive", "enabled": "disabled", "need_daemon_reload": False, "since": None}
        desired: Tree = {}
        if self.args["state"]:
            desired["active"] = "active" if self.args["state"] == "started" else "inactive"
        if self.args["enabled"] is not None and now["enabled"] != "static":
            desired["enabled"] = "enabled" if self.args["enabled"] else "disabled"
        running = now["active"] in ("active", "activating", "reloading")
        steady = {**now, "active": "active" if running else "inactive"}
        after = difference(desired, steady if observed else None)
        stale = running and self.args["state"] == "started" and self._older_than_its_files(world, now["since"])
        if stale or after.get("active") == "active":
            after["since"] = unknown("time")
        if (now["need_daemon_reload"] or ("content", self._file()) in world.pending) and (after or observed):
            after["need_daemon_reload"] = False
        if not after:
            return None
        if observed and (stale or after.get("active") == "inactive") and protected(self.key, PROTECTED_UNITS, world.confirmed):
            raise self.error(
                "it is expected to keep running, because jobs and containers run under it, but this would restart or stop it: drain the host, then "
                "name the unit in the role's *_confirm list."
            )
        state = "restarted" if stale else self.args["state"]
        args = {"name": self.key, "daemon_reload": True, "enabled": self.args["enabled"], "state": state}
        impact = ((f"restarts {self.key}",) if stale else ()) + ((f"stops {self.key}",) if after.get("active") == "inactive" and observed else ())
        steps = (Step("ansible.builtin.systemd_service", {k: v for k, v in args.items() if v is not None}),)
        # an engine that has never run keeps nothing yet; of one that is stopped nobody can say what it keeps
        first = self.args["makes"] and after.get("active") == "active" and world.seen["paths"].get(self.args["makes"]) is None
        more = frozenset({("first_start", self.key)} if first else ())
        return Change(self, None if observed is None else project(steady, after), after, impact, steps, more=more)

    def _older_than_its_files(self, world: World, since: float | None) -> bool:
        """A unit that started before one of its files was written runs with the old one, also when the run that wrote it was killed."""
        files = [f for f in (world.seen["paths"].get(p) for p in self.args["restarted_by"]) if f is not None]
        written = [f["mtime"] for f in files if f["mtime"] <= world.seen["now"]]
        return any(("content", p) in world.pending for p in self.args["restarted_by"]) or (since is not None and any(m > since for m in written))


class PolicyRcD(Resource):
    """Not in any list: a forbidding policy-rc.d of ours that a killed run left behind is removed by the next one."""

    kind = "leftover"
    spec: t.ClassVar[dict[str, t.Any]] = {}

    @property
    def key(self) -> str:
        return POLICY_RC_D

    def query(self) -> dict[str, t.Any]:
        return {}

    def actual(self, seen: Seen) -> Tree | None:
        return {"present": seen["policy_rc_d"] == "ours"}

    def plan(self, world: World) -> Change | None:
        if world.seen["policy_rc_d"] != "ours":
            return None
        step = Step("ansible.builtin.file", {"path": self.key, "state": "absent"})
        return Change(self, {"present": True}, {"present": False}, ("removes what an interrupted run left behind",), (step,))


class LeftModules(Resource):
    """Not in any list: what ansible-core put on the host for a run that was killed, with its arguments in it, see module_utils/_host.py."""

    kind = "leftover"
    spec: t.ClassVar[dict[str, t.Any]] = {}

    @property
    def key(self) -> str:
        return str(self.args["path"])

    def actual(self, seen: Seen) -> Tree | None:
        return {"present": self.key in seen["left_modules"]}

    def plan(self, world: World) -> Change | None:
        step = Step("ansible.builtin.file", {"path": self.key, "state": "absent"})
        return Change(self, {"present": True}, {"present": False}, ("removes what an interrupted run left behind",), (step,))


_FILES = ("directory", "file", "download", "repository", "private_key", "certificate_request", "certificate")
KINDS: dict[str, type[Resource]] = {
    k.kind: k for k in (Packages, Repository, Directory, File, Download, User, PythonEnv, SshKey, PrivateKey, CertificateRequest, Certificate, Read, Unit)
}


def query(resources: t.Sequence[Resource]) -> dict[str, t.Any]:
    """The arguments of one resources_info that reads all of C(resources)."""
    out: dict[str, t.Any] = {k: [] for k in ("packages", "paths", "contents", "users", "units", "python_envs")}
    simulate: dict[str, t.Any] = {"install": [], "sources": {}}
    for resource in resources:
        wanted = resource.query()
        for name, value in wanted.pop("simulate", {}).items():
            simulate[name] = {**simulate[name], **value} if name == "sources" else simulate[name] + value
        for name, value in wanted.items():
            out[name] = list(dict.fromkeys(out[name] + value))
    return {**out, "simulate": simulate}


def foresee(seen: Seen, predictions: t.Iterable[Tree]) -> Seen:
    """C(seen) as it would be after C(predictions) of this dry run: another role on the same host finds done what the first would do."""
    out = {**seen, **{name: dict(seen[name]) for name in ("packages", "paths", "users", "units", "python_envs")}}
    places = {**dict.fromkeys(_FILES, "paths"), "user": "users", "unit": "units"}
    idle = {"paths": {"mtime": seen["now"]}, "users": {}, "units": {"active": "inactive", "enabled": "disabled", "need_daemon_reload": False}}
    for one in predictions:
        kind, key, after = one["kind"], one["key"], one["after"]
        place = places.get(kind)
        if place and key in out[place]:
            out[place][key] = {**idle[place], **(out[place][key] or {}), **after, **({"since": seen["now"]} if kind == "unit" else {})}
        elif kind == "ssh_key":
            for path, leaves in ((key, {"mode": "0600"}), (key + ".pub", {"sha256": unknown("generated")})):
                if path in out["paths"]:
                    out["paths"][path] = {"type": "file", "mtime": seen["now"], **(out["paths"][path] or {}), **leaves}
        elif kind == "python_env" and key in out["python_envs"]:
            out["python_envs"][key] = {**(out["python_envs"][key] or {}), **after["distributions"]}
        elif kind == "packages":
            done = after["packages"]
            out["packages"].update({name: version for name, version in done.items() if name in out["packages"]})
            out["dpkg_interrupted"] = out["dpkg_interrupted"] and "dpkg" not in after
            if out["simulation"] and "error" not in out["simulation"]:
                transaction = out["simulation"]
                out["simulation"] = {
                    "install": [p for p in transaction["install"] if done.get(p["name"]) != p["version"]],
                    "remove": [name for name in transaction["remove"] if name not in done],
                }
        elif kind == PolicyRcD.kind and key == POLICY_RC_D:
            out["policy_rc_d"] = "absent"
        elif kind == LeftModules.kind:
            out["left_modules"] = [path for path in out["left_modules"] if path != key]
    return out


def compute(resources: t.Sequence[Resource], seen: Seen, pending: t.AbstractSet[Thing], confirmed: t.Iterable[str] = ()) -> list[Change]:
    """The changes in the order of C(resources). PlanError when one of them cannot be planned."""
    if sum(isinstance(r, Packages) for r in resources) > 1:
        raise PlanError("one packages resource is expected in a list, but there are more: one role, one package transaction.", resources[-1].index)
    changes: list[Change] = []
    brought = set(pending)
    for resource in (PolicyRcD({}, 0), *(LeftModules({"path": path}, 0) for path in seen["left_modules"]), *resources):
        world = World(seen, frozenset(brought), frozenset(confirmed))
        change = resource.plan(world)
        if change is not None:
            changes.append(change)
            brought |= change.brings()
    return changes


def real_after(change: Change, seen: Seen) -> Tree:
    """What C(change) came to, read back: the planned leaves with their real values, secrets still hidden."""

    def hide(actual: Tree, planned: Tree) -> Tree:
        out: Tree = {}
        for name, value in planned.items():
            if is_unknown(value):
                out[name] = value if value == unknown("secret") else actual.get(name)
            else:
                out[name] = hide(actual.get(name) or {}, value) if isinstance(value, dict) else actual.get(name)
        return out

    actual = change.resource.actual(seen) or {}
    if isinstance(change.resource, Unit) and "active" in actual:
        actual = {**actual, "active": "active" if actual["active"] in ("active", "activating", "reloading") else "inactive"}
    return hide(actual, change.after)
