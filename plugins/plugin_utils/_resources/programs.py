# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the collection that timers and services run on hosts, with what they import.

They lie on a host as they lie in C(plugins/module_utils), below a package C(gpulab), so that a module and a program read the same code:
C(PYTHONPATH=/usr/local/lib/gpulab python3 -m gpulab._gpu.programs.metrics).

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ast
import typing as t

from .absent import Absent
from .base import Change, PlanError, Resource, Seen, World
from .files import Directory, File

LIBRARY = "/usr/local/lib/gpulab"
PACKAGE = f"{LIBRARY}/gpulab"
# Before 0.1.0 each domain had a package beside this one.
BEFORE = {
    "_borg": ("gpulab_borg", ("__init__", "admin", "client", "content", "drill", "heads", "metrics", "offsite", "proof", "retention", "textfile")),
    "_gpu": ("gpulab_gpu", ("__init__", "metrics", "model", "session", "tasks")),
    "_harbor": ("gpulab_harbor", ("__init__", "serve")),
    "_images": ("gpulab_images", ("__init__", "keep", "registry", "warm")),
    "_logs": ("gpulab_elk", ("__init__", "alert", "beats", "keep", "retention", "ship")),
}
Source = t.Callable[[str], t.Optional[str]]  # text of a module of module_utils by its dotted name; None where there is none


def imported(names: t.Iterable[str], source: Source) -> dict[str, str]:
    """The text of each of C(names) and of all that they import from the collection, by path below the package, in the order of the paths."""
    found: dict[str, str] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        text = source(name)
        if text is None:
            raise PlanError(f"a program is expected to be a module of plugins/module_utils, as _gpu.programs.metrics, but {name!r} is none: correct it.")
        found[name] = text
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            package = name.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            if source(".".join(package)) is not None:
                todo.append(".".join(package))
            else:
                todo += [".".join([*package, alias.name]) for alias in node.names]
    return {f"{name.replace('.', '/')}.py": found[name] for name in sorted(found)}


def paths(files: t.Iterable[str]) -> list[str]:
    return [f"{PACKAGE}/{path}" for path in files]


class Programs(Resource):
    """Directories and files; the action puts into C(files) what C(imported) found. What lay there before is removed."""

    kind = "programs"
    spec: t.ClassVar[dict[str, t.Any]] = dict(names=dict(type="list", elements="str", required=True))

    @property
    def key(self) -> str:
        return ", ".join(self.args["names"])

    def query(self) -> dict[str, t.Any]:
        return {}

    def plan(self, world: World) -> Change | None:
        return None

    def actual(self, seen: Seen) -> None:
        return None

    def beside(self) -> list[Resource]:
        files: dict[str, str] = self.args["files"]
        folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
        return [
            *(Directory(_owned(path, mode="0755"), 0) for path in [LIBRARY, PACKAGE, *paths(sorted(folders))]),
            *(File(_owned(path, mode="0644", content=text, secret=False), 0) for path, text in zip(paths(files), files.values())),
            *(
                Absent({"path": f"{LIBRARY}/{package}/{name}.py", "holds": "" if name == "__init__" else "the gpulab.expansion authors"}, 0)
                for package, names in (BEFORE[domain] for domain in sorted({name.split(".")[0] for name in self.args["names"]} & set(BEFORE)))
                for name in names
            ),
        ]


def _owned(path: str, **more: t.Any) -> dict[str, t.Any]:
    return {"path": path, "owner": "root", "group": "root", **more}
