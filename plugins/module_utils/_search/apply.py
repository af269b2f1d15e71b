# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe, plan, apply, read back, for each kind of object that the engine keeps.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._plan.objects import leave, spec_of, unconfirmed, unnameable
from .._plan.prediction import Tree, is_unknown, prediction, unknown
from .._plan.sealed import SealedModule
from .client import ACCESS_SPEC, Client, SearchError, access_of
from .model import KINDS, Kind, SnapshotRepository, User, differing

_SECRET = re.compile(r"passw|passphrase|secret|token|credential|access_key|account_key", re.IGNORECASE)


def predicted(kind: Kind, wanted: Tree, observed: Tree | None, password_right: bool = False) -> Tree | None:
    """The prediction for one object, None when it is as it shall be."""
    absent = wanted["state"] == "absent"
    if absent and observed is None:
        return None
    before, after = ({"state": "present"}, {"state": "absent"}) if absent else differing(kind.desired(wanted), observed)
    if isinstance(kind, SnapshotRepository):
        before, after = before and _hidden(before), _hidden(after)
    if isinstance(kind, User) and not absent and not password_right:
        after = {**after, "password": unknown("secret")}
        before = before and {**before, "password": unknown("secret")}
    return prediction(kind.name, wanted["name"], before, after) if after else None


def _hidden(tree: Tree) -> Tree:
    """C(tree) without values whose names say that they are secret."""
    out: Tree = {}
    for name, value in tree.items():
        secret = _SECRET.search(name) and isinstance(value, (str, int, float))
        out[name] = unknown("secret") if secret else _hidden(value) if isinstance(value, dict) and not is_unknown(value) else value
    return out


def module_of(name: str, options: dict[str, t.Any]) -> None:
    """The module C(name), which keeps a list of objects with these C(options)."""
    module = SealedModule(argument_spec=spec_of(options, ACCESS_SPEC), supports_check_mode=True)
    kind = KINDS[name](module.plain["engine"])
    client = Client(module.run_command, access_of(module.plain))
    try:
        _look_at(kind, module.plain["list"])
        client.wait(module.plain["wait_seconds"])
        changes = _keep(kind, client, module.plain["list"], module.check_mode)
    except SearchError as exc:
        module.fail_json(msg=str(exc))
    leave(module, changes, state="present")


def planned(kind: Kind, objects: list[Tree]) -> list[Tree]:
    """What would be made in an engine that keeps nothing yet."""
    _look_at(kind, objects)
    return [change for wanted in objects for change in [predicted(kind, wanted, None)] if change]


def _look_at(kind: Kind, objects: list[Tree]) -> None:
    for wanted in objects:
        problem = unnameable(kind.name, wanted) or kind.unusable(wanted["name"]) or kind.problem(wanted) or unconfirmed(kind.name, wanted["name"], wanted)
        if problem:
            raise SearchError(problem)


def _keep(kind: Kind, client: Client, objects: list[Tree], check_mode: bool) -> list[Tree]:
    # all are looked at before the first is changed
    seen = [(wanted, _change(kind, client, wanted)) for wanted in objects]
    for wanted, change in seen if not check_mode else []:
        if not change:
            continue
        if wanted["state"] == "absent":
            client.delete(kind.path(wanted["name"]))
        else:
            client.put(kind.path(wanted["name"]), kind.body(wanted))
        left = _change(kind, client, wanted)
        if left is not None:
            raise SearchError(
                f"{kind.name} {wanted['name']} is expected to read back as it was written, but differs in {', '.join(left['after'])}: "
                f"it has {left['before']}, and was to have {left['after']}. See the engine's own log, and whether somebody else changes it."
            )
    return [change for _wanted, change in seen if change]


def _change(kind: Kind, client: Client, wanted: Tree) -> Tree | None:
    observed = kind.observed(wanted["name"], client.get(kind.path(wanted["name"])))
    right = False
    if isinstance(kind, User) and wanted["state"] == "present" and observed is not None:
        right = client.logs_in(kind.login, wanted["name"], wanted["password"])
    return predicted(kind, wanted, observed, right)
