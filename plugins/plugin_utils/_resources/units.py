# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units of systemd.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._prediction import Tree, difference, project, unknown
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World, become
from .programs import paths

PROTECTED_UNITS = ("docker.service", "containerd.service", "slurmd.service", "kubelet.service", "nvidia-*.service")


RUNNING = ("active", "activating", "reloading")
IDLE: Tree = {"active": "inactive", "enabled": "disabled", "need_daemon_reload": False}


class Unit(Resource):
    kind = "unit"
    spec = dict(
        name=dict(type="str", required=True),
        state=dict(type="str", choices=["started", "stopped"]),
        enabled=dict(type="bool"),
        restarted_by=dict(type="list", elements="path", default=[]),
        runs=dict(type="str", default=""),
        makes=dict(type="path", default=""),
    )

    @property
    def key(self) -> str:
        return str(self.args["name"])

    @property
    def _files(self) -> list[str]:
        """What it runs with, beside its unit file; the action puts into C(files) what C(runs) imports."""
        return [*self.args["restarted_by"], *paths(self.args.get("files", ()))]

    def query(self) -> dict[str, t.Any]:
        return {"units": [self.key], "paths": [*self._files, *filter(None, [self.args["makes"]]), self._masked_by_dpkg]}

    @property
    def _masked_by_dpkg(self) -> str:
        """A package that was removed and not purged may leave a mask, which it takes away when it comes again, see deb-systemd-helper(1p)."""
        return f"/var/lib/systemd/deb-systemd-helper-masked/{self.key}"

    def brings(self) -> set[Thing]:
        return {("unit", self.key)}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        become(seen["units"], key, {**after, "since": seen["now"]}, IDLE)

    def actual(self, seen: Seen) -> Tree | None:
        found = seen["units"].get(self.key)
        return found and {**found, "active": "active" if found["active"] in RUNNING else "inactive"}

    def _file(self) -> str:
        """Its unit file; an instance (name@instance.timer) has that of its template (name@.timer)."""
        stem, at, instance = self.key.partition("@")
        return f"/etc/systemd/system/{stem}{at}{'.' + instance.rpartition('.')[2] if at else ''}"

    def plan(self, world: World) -> Change | None:
        observed = world.seen["units"][self.key]
        if observed is None and not {("unit", self.key), ("path", self._file())} & world.pending:
            raise self.error("it is expected to exist or to be brought by a package or file earlier in this list, and is neither.")
        now = observed or {**IDLE, "since": None}
        comes_unmasked = ("unit", self.key) in world.pending and world.seen["paths"].get(self._masked_by_dpkg) is not None
        if str(now["enabled"]).startswith("masked") and (self.args["state"] == "started" or self.args["enabled"]) and not comes_unmasked:
            link = f"/{'run' if now['enabled'] == 'masked-runtime' else 'etc'}/systemd/system/{self.key}"
            raise self.error(f"it is expected to be startable, but is masked, by {link}: ask who did it, then run systemctl unmask {self.key} there.")
        desired: Tree = {}
        if self.args["state"]:
            desired["active"] = "active" if self.args["state"] == "started" else "inactive"
        if self.args["enabled"] is not None and now["enabled"] != "static":
            desired["enabled"] = "enabled" if self.args["enabled"] else "disabled"
        running = now["active"] in RUNNING
        steady = {**now, "active": "active" if running else "inactive"}
        after = difference(desired, steady if observed else None)
        stale = running and self.args["state"] == "started" and self._older_than_its_files(world, now["since"])
        if stale or after.get("active") == "active":
            after["since"] = unknown("time")
        if (now["need_daemon_reload"] or ("content", self._file()) in world.pending) and (after or observed):
            after["need_daemon_reload"] = False
        if not after:
            return None
        refused, told = world.guard([self.key] if observed and (stale or after.get("active") == "inactive") else [], PROTECTED_UNITS)
        if refused:
            raise self.unconfirmed(refused, told, "it is expected to keep running, because jobs run under it, but this would restart or stop it")
        # one that its package has started already, because somebody's policy-rc.d lets it, runs with what was there before
        state = "restarted" if stale or observed is None and self.args["state"] == "started" else self.args["state"]
        args = {"name": self.key, "daemon_reload": True, "enabled": self.args["enabled"], "state": state}
        impact = ((f"restarts {self.key}",) if stale else ()) + ((f"stops {self.key}",) if after.get("active") == "inactive" and observed else ()) + tuple(told)
        steps = (Step("ansible.builtin.systemd_service", {k: v for k, v in args.items() if v is not None}),)
        # an engine that has never run keeps nothing yet; of one that is stopped nobody can say what it keeps
        first = self.args["makes"] and after.get("active") == "active" and world.seen["paths"].get(self.args["makes"]) is None
        more = frozenset({("first_start", self.key)} if first else ())
        return Change(self, None if observed is None else project(steady, after), after, impact, steps, more=more)

    def _older_than_its_files(self, world: World, since: float | None) -> bool:
        """A unit that started before one of its files was written runs with the old one, also when the run that wrote it was killed."""
        files = [f for f in (world.seen["paths"].get(p) for p in self._files) if f is not None]
        written = [f["mtime"] for f in files if f["mtime"] <= world.seen["now"]]
        return any(("content", p) in world.pending for p in self._files) or (since is not None and any(m > since for m in written))
