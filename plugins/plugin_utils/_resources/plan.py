# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plan = desired - observed, for everything a role wants on a host. Pure: no I/O, no Ansible.

The dry run prints the plan and the real run executes it, so the two cannot disagree about what is to be done (docs/adr/0001).

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ...module_utils._prediction import Tree, is_unknown, unknown
from .._ledger import Thing
from .absent import Absent
from .accounts import User
from .authority import Authority
from .base import Change, Confirmation, PlanError, Resource, Seen, World
from .files import Directory, Download, File, Read
from .keys import Certificate, CertificateRequest, PrivateKey, SshKey
from .leftovers import Leftover, leftovers
from .needs import Needs
from .packages import Packages, Repository
from .programs import Programs
from .python_env import PythonEnv
from .units import Unit

KINDS: dict[str, type[Resource]] = {
    k.kind: k
    for k in (
        Packages,
        Repository,
        Directory,
        File,
        Download,
        User,
        PythonEnv,
        SshKey,
        PrivateKey,
        CertificateRequest,
        Certificate,
        Authority,
        Read,
        Programs,
        Unit,
        Absent,
        Needs,
    )
}


def query(resources: t.Sequence[Resource]) -> dict[str, t.Any]:
    """The arguments of one resources_info that reads all of C(resources)."""
    out: dict[str, t.Any] = {k: [] for k in ("packages", "paths", "contents", "users", "groups", "units", "python_envs", "addresses")}
    simulate: dict[str, t.Any] = {"install": [], "sources": {}}
    for resource in resources:
        wanted = resource.query()
        for name, value in wanted.pop("simulate", {}).items():
            simulate[name] = {**simulate[name], **value} if name == "sources" else simulate[name] + value
        for name, value in wanted.items():
            out[name] = list(dict.fromkeys(out[name] + value))
    return {**out, "simulate": simulate}


def foresee(seen: Seen, predictions: t.Iterable[Tree]) -> Seen:
    """C(seen) as it would be after C(predictions) of this dry run."""
    out = {**seen, **{name: dict(seen[name]) for name in ("packages", "paths", "users", "units", "python_envs")}}
    kinds: dict[str, type[Resource]] = {**KINDS, Leftover.kind: Leftover}
    for one in predictions:
        kinds[one["kind"]].foresee(out, one["key"], one["after"])
    return out


def compute(
    resources: t.Sequence[Resource], seen: Seen, pending: t.AbstractSet[Thing], confirmed: t.Iterable[Confirmation] = (), today: str = ""
) -> list[Change]:
    """The changes in the order of C(resources). PlanError when one of them cannot be planned."""
    if sum(isinstance(r, Packages) for r in resources) > 1:
        raise PlanError("one packages resource is expected in a list, but there are more: one role, one package transaction.", resources[-1].index)
    changes: list[Change] = []
    brought = set(pending)
    come_to = (each for resource in resources for each in (resource, *resource.expand(seen)))
    for resource in (*(Leftover({"path": path}, 0) for path in leftovers(seen)), *come_to):
        world = World(seen, frozenset(brought), tuple(confirmed), today)
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
    return hide(actual, change.after)
