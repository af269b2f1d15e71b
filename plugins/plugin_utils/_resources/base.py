# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every kind of resource answers. Pure: no I/O, no Ansible.

A kind is one class: what it needs to be read, what it shall be, which steps get it there, what it brings for the resources after it, and what a
later task of the same dry run finds of it.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import posixpath
import typing as t
from urllib.parse import unquote, urlsplit

from ...module_utils._prediction import Tree, prediction
from .._ledger import Thing
from .._signed import signed

Seen = t.Dict[str, t.Any]  # the result of resources_info


class PlanError(Exception):
    """The desired state cannot be planned; C(index) is the resource's place in the list."""

    def __init__(self, message: str, index: int = 0) -> None:
        super().__init__(message)
        self.index = index


@dataclasses.dataclass(frozen=True)
class Confirmation:
    """Somebody allows on C(host) what ends running jobs: that packages of these names are upgraded or removed, or units restarted or stopped."""

    host: str
    names: list[str]
    by: str
    reason: str
    until: str

    @classmethod
    def from_dict(cls, data: t.Any) -> Confirmation:
        one = signed(cls, "A confirmation in lab_confirm", data, PlanError)
        if not isinstance(one.names, list):
            raise PlanError(f"A confirmation in lab_confirm of {one.host} is expected to have names as a list, but it is {one.names!r}: write [{one.names}].")
        return one


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
    confirmed: tuple[Confirmation, ...] = ()  # of this host
    today: str = ""  # as 2026-12-31

    def guard(self, names: t.Iterable[str], patterns: t.Iterable[str]) -> tuple[list[str], list[str]]:
        """Which of C(names) that jobs depend on nobody has confirmed, and what is to be told: who confirmed, or whose confirmation ended."""
        refused, told = [], []
        for name in names:
            if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                continue
            found = [each for each in self.confirmed if name in each.names]
            valid = next((each for each in found if each.until >= self.today), None)
            refused += [] if valid else [name]
            if valid:
                told.append(f"confirmed by {valid.by} until {valid.until}: {valid.reason}")
            else:
                told += [f"The confirmation by {each.by} ended on {each.until}." for each in found]
        return refused, list(dict.fromkeys(told))

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

    def beside(self) -> list[Resource]:
        """Resources that come with this one, before it."""
        return []

    def expand(self, seen: Seen) -> list[Resource]:
        """Resources that it comes to on a host where this was read, planned after it."""
        return []

    def values(self, seen: Seen, text: t.Callable[[str], str | None]) -> dict[str, str]:
        """What later tasks get from it; C(text) is of a file, an unknown when this dry run would write it, None when it is not there."""
        return {}

    def sources(self) -> dict[str, str]:
        """Package sources that it adds, by path: a dry run simulates packages with them."""
        return {}

    def urls(self) -> list[str]:
        """Addresses that must answer before anything is changed."""
        return []

    @classmethod
    def foresee(cls, seen: Seen, key: str, after: Tree) -> None:
        """Make of C(seen) what it would be after this prediction of this dry run: another role on the same host finds done what the first would do."""

    def missing(self, seen: Seen) -> list[str]:
        """What this resource promised to bring and did not, checked after the real run."""
        return []

    def unconfirmed(self, names: list[str], told: list[str], expected: str) -> PlanError:
        entry = f"{{host: …, names: [{', '.join(names)}], by: …, reason: …, until: …}}"
        return self.error(f"{expected}: drain the host, then add {entry} to lab_confirm. {' '.join(told)}".strip())

    def error(self, message: str) -> PlanError:
        return PlanError(f"{self.kind} {self.key}: {message}", self.index)

    def require_writable(self, world: World) -> None:
        """That what is there can be replaced, and something new be made."""
        for path in (posixpath.dirname(self.key), self.key):
            found = world.seen["paths"].get(path) or {}
            if found.get("read_only"):
                raise self.error(f"{path} is expected to be writable, but is mounted read-only: mount it read-write, or choose another place.")
            if found.get("immutable"):
                raise self.error(f"{path} is expected to be writable, but somebody has made it immutable: see lsattr, and run chattr -i -a {path} there.")

    def require_room(self, world: World, places: t.Mapping[str, int]) -> None:
        """C(places) are bytes by path; what is not there yet lies in the nearest directory above, and what lies on one file system is added up."""
        needed: dict[t.Any, int] = {}
        for path, size in places.items():
            place = path
            while world.seen["paths"].get(place) is None and place != "/":
                place = posixpath.dirname(place)
            found = world.seen["paths"].get(place) or {}
            device = found.get("device", place)
            needed[device] = needed.get(device, 0) + size
            free = found.get("free")
            if free is not None and free < needed[device]:
                said = f"{math.ceil(needed[device] / 1e6)} MB are expected to be free on the file system of {place}, but {free // 1_000_000} MB are"
                raise self.error(f"{said}: make room there.")

    def require_parent(self, world: World) -> None:
        self.require_writable(world)
        if not world.parent_exists(self.key):
            raise self.error(
                f"its directory {posixpath.dirname(self.key)} is expected to exist or to come earlier in this list, and does neither: "
                "list the directory, or the package that brings it."
            )


def ancestors(path: str) -> list[str]:
    """C(path) and the directories above it."""
    return [path] if path == "/" else [path, *ancestors(posixpath.dirname(path))]


def become(rows: dict[str, Tree | None], key: str, after: Tree, new: Tree) -> None:
    """The row of C(key), if it was read, with what C(after) says of it; one that was not there begins as C(new)."""
    if key in rows:
        rows[key] = {**new, **(rows[key] or {}), **after}


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """C(url) without its user and password, and these."""
    parts = urlsplit(url)
    if not parts.username or parts.password is None:
        return url, None
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), (unquote(parts.username), unquote(parts.password))
