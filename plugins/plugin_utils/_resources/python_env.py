# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments of Python.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import typing as t
from urllib.parse import urlsplit

from ...module_utils._host import normalised
from ...module_utils._prediction import Tree, difference, project
from .._ledger import Thing
from .base import Change, Resource, Seen, Step, World, ancestors, become, split_login

ROOM = 64_000_000  # bytes: a new environment of a role has 20 to 50 MB, and pip unpacks into /tmp


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
        return {"python_envs": [self.key], "paths": ancestors(posixpath.dirname(self.key))}

    def brings(self) -> set[Thing]:
        return {("path", self.key), ("path", posixpath.join(self.key, "bin", "python"))}

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        become(seen["python_envs"], key, after["distributions"], {})

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
            self.require_room(world, {self.key: ROOM})
        self.require_writable(world)
        extra = [] if self.args["compile"] else ["--no-compile"]
        index = ["--index-url", self.args["index_url"]] if self.args["index_url"] else []
        if self.args["index_url"].startswith("http://"):
            index += ["--trusted-host", str(urlsplit(self.args["index_url"]).hostname)]
        # services run it as accounts of their own, also where sudo has umask 077
        args: Tree = {"virtualenv": self.key, "virtualenv_command": "/usr/bin/python3 -m venv", "umask": "0022"}
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
