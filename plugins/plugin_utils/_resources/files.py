# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories, files, downloads, and texts that are read.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import posixpath
import typing as t

from ...module_utils._prediction import Tree, difference, project, readable, unknown, unknown_reason_in, unknown_text
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World, become, split_login


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

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        become(seen["paths"], key, after, {"mtime": seen["now"]})

    def _desired(self, kind: str) -> Tree:
        return {"type": kind, "mode": self.args["mode"], "owner": self.args["owner"], "group": self.args["group"]}

    def _write(self, **more: t.Any) -> Step:
        return Step("write", {"path": self.key, **{k: self.args[k] for k in ("owner", "group", "mode")}, **more})

    def _compare(self, world: World, desired: Tree, step: Step, text: tuple[str, str] | None = None) -> Change | None:
        observed = world.seen["paths"][self.key]
        if observed is None:
            self.require_parent(world)
        elif observed.get("target") == "/dev/null" and posixpath.dirname(self.key).endswith("/systemd/system"):
            name = posixpath.basename(self.key)
            raise self.error(
                f"a file is expected there, but a link to /dev/null is found, which masks the unit: ask who did it, then run systemctl unmask {name} there."
            )
        elif observed["type"] != desired["type"]:
            raise self.error(f"a {desired['type']} is expected there, but a {observed['type']} is found: move it away, nothing is deleted for you.")
        after = difference(desired, observed)
        if not after:
            return None
        self.require_writable(world)
        impact: tuple[str, ...] = () if observed is None else ("changes what is there",)
        return Change(self, None if observed is None else project(observed, after), after, impact, (step,), text if "sha256" in after else None)


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

    def values(self, seen: Seen, text: t.Callable[[str], str | None]) -> dict[str, str]:
        found = text(self.key)
        return {self.key: found if found is not None else "" if self.args["optional"] else unknown_text("generated", self.key)}
