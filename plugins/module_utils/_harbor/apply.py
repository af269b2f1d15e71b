# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Look at what is wanted, observe all of it, then change what differs and read it back, for each kind of object of Harbor.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from .._plan.objects import leave, spec_of, unconfirmed, unnameable
from .._plan.prediction import Tree, is_unknown, prediction, unknown
from .._plan.sealed import SealedModule
from .client import ACCESS_SPEC, Client, HarborError, access_of
from .model import KINDS, Kind

ABSENT = {"state": "absent"}


def module_of(name: str, options: dict[str, t.Any]) -> None:
    """The module C(name), which keeps a list of objects with these C(options)."""
    module = SealedModule(argument_spec=spec_of(options, ACCESS_SPEC), supports_check_mode=True)
    kind = KINDS[name](Client(access_of(module.plain)))
    try:
        changes = _keep(kind, module.plain["list"], module.check_mode)
    except HarborError as exc:
        module.fail_json(msg=str(exc))
    leave(module, changes)


def planned(kind: Kind, objects: list[Tree]) -> list[Tree]:
    """What would be made in a Harbor that keeps nothing yet."""
    _look_at(kind, objects)
    return [change for wanted in objects for change in [_change(kind, wanted, None)] if change]


def _look_at(kind: Kind, objects: list[Tree]) -> None:
    for wanted in objects:
        problem = unnameable(kind.name, wanted) or kind.problem(wanted) or unconfirmed(kind.name, kind.key(wanted), wanted)
        if problem:
            raise HarborError(problem)


def _keep(kind: Kind, objects: list[Tree], check_mode: bool) -> list[Tree]:
    _look_at(kind, objects)
    # all are looked at before the first is changed
    seen = [(wanted, found, _change(kind, wanted, found)) for wanted in objects for found in [kind.found(wanted)]]
    for wanted, found, change in seen:
        problem = kind.refusal(wanted, found) if change and found else ""
        if problem:
            raise HarborError(problem)
    changes = [change for _wanted, _found, change in seen if change]
    for wanted, found, change in seen if not check_mode else []:
        if not change:
            continue
        if wanted["state"] == "absent":
            kind.delete(wanted, t.cast(Tree, found))
        elif found is None:
            kind.create(wanted)
        else:
            kind.update(wanted, found, set(change["after"]))
        _read_back(kind, wanted)
    return changes


def _change(kind: Kind, wanted: Tree, found: Tree | None) -> Tree | None:
    """The prediction, None when the object is as it shall be."""
    if wanted["state"] == "absent":
        return prediction(kind.name, kind.key(wanted), {"state": "present"}, dict(ABSENT)) if found else None
    desired = kind.desired(wanted, found)
    hide: Tree = {name: unknown("secret") for name in kind.hidden & set(desired)}
    if found is None:
        return prediction(kind.name, kind.key(wanted), None, {"state": "present", **desired, **hide})
    observed = kind.observed(wanted, found)
    differing = sorted(name for name in desired if desired[name] != observed.get(name))
    if not differing:
        return None
    before, after = ({name: {**tree, **hide}.get(name) for name in differing} for tree in (observed, desired))
    return prediction(kind.name, kind.key(wanted), before, after)


def _read_back(kind: Kind, wanted: Tree) -> None:
    """Harbor takes much without doing it, so what was written is read."""
    left = _change(kind, wanted, kind.found(wanted))
    if left and not all(name in kind.untold and is_unknown(value) for name, value in left["after"].items()):
        raise HarborError(
            f"{kind.name} {kind.key(wanted)} is expected to read back as it was written, but differs in {', '.join(sorted(left['after']))}: "
            f"it has {left['before']}, and was to have {left['after']}. See whether this Harbor knows that, and whether somebody else changes it."
        )
