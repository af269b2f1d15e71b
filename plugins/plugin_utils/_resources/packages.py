# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of the distribution and where they come from.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._host import APT_AUTH, APT_CACHE
from ...module_utils._prediction import Tree
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World, ancestors, split_login
from .files import File

# Upgrading or removing these kills running jobs or needs a reboot, so it needs a named confirmation (design, rule 7).
PROTECTED_PACKAGES = ("nvidia-*", "libnvidia-*", "linux-image-*", "docker.io", "docker-ce*", "containerd*")


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
            "paths": [*self._brings("paths"), *ancestors(APT_CACHE), "/usr"],
            "units": self._brings("units"),
            "users": self._brings("users"),
        }

    def brings(self) -> set[Thing]:
        things = {(what[:-1], name) for what in ("units", "users", "paths") for name in self._brings(what)}
        return things | {("package", name) for name in self.args["names"]}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        done = after["packages"]
        seen["packages"].update({name: version for name, version in done.items() if name in seen["packages"]})
        seen["dpkg_interrupted"] = seen["dpkg_interrupted"] and "dpkg" not in after
        if seen["simulation"] and "error" not in seen["simulation"]:
            seen["simulation"] = {
                "install": [p for p in seen["simulation"]["install"] if done.get(p["name"]) != p["version"]],
                "remove": [name for name in seen["simulation"]["remove"] if name not in done],
                "sizes": {name: size for name, size in seen["simulation"].get("sizes", {}).items() if name not in done},
            }

    def missing(self, seen: Seen) -> list[str]:
        out = [f"package {n}" for n in self.args["names"] if not seen["packages"].get(n)]
        return out + [f"{what[:-1]} {name}" for what in ("units", "users", "paths") for name in self._brings(what) if seen[what].get(name) is None]

    def plan(self, world: World) -> Change | None:
        seen = world.seen
        wanted = [name for name in self.args["names"] if not seen["packages"][name]]
        simulation = seen["simulation"] or {"install": [], "remove": []}
        if simulation.get("held") and wanted:
            held = ", ".join(simulation["held"])
            raise self.error(f"it is expected to be free to be installed, but is held: run apt-mark unhold {held} there, or install it by hand first.")
        if "error" in simulation:
            raise self.error(f"APT is expected to be able to install it, but says: {simulation['error']} Mend the package sources or the mirror.")
        if not wanted and not seen["dpkg_interrupted"]:
            return None
        transaction = simulation["install"]
        sizes = simulation.get("sizes", {}).values()
        self.require_room(world, {place: sum(size[place] for size in sizes) for place in ("/usr", APT_CACHE)})
        upgraded = [p for p in transaction if p["old"]]
        refused, told = world.guard([p["name"] for p in upgraded] + simulation["remove"], PROTECTED_PACKAGES)
        if refused:
            names = ", ".join(refused)
            raise self.unconfirmed(
                refused, told, f"{names} {'is' if len(refused) == 1 else 'are'} expected to stay, because jobs run on it, but this would upgrade or remove it"
            )
        impact = [f"installs {len(transaction) - len(upgraded)} packages"] if len(transaction) > len(upgraded) else []
        impact += [f"upgrades {p['name']} {p['old']} to {p['version']}" for p in upgraded]
        impact += [f"removes package {name}" for name in simulation["remove"]]
        impact += told
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
        return {self.key: self.content, **{file.key: str(file.args["content"]) for file in self.beside()}}

    def beside(self) -> list[Resource]:
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
