# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects behind an API: all of them are looked at before the first is changed, and each is read back.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A module keeps a list of objects of one L(Kind). The module of a whole family, as C(harbor_objects), keeps lists of several kinds, one after
the other, in one look at the server.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ._json_api import ApiError
from ._prediction import Tree, is_unknown, prediction, unknown
from ._sealed import SealedModule

LONGEST = 255  # bytes of a name
_COMMON = dict(state=dict(type="str", choices=["present", "absent"], default="present"), confirm=dict(type="str", default=""))


class Coming(Exception):
    """What an object belongs to is not there yet, because the same list brings it."""


Keys = t.AbstractSet[t.Tuple[str, str]]


class Kind:
    """One kind of object. What is called C(found) below is what the server says of one, as found() has returned it."""

    name: t.ClassVar[str]  # of the module
    options: t.ClassVar[dict[str, t.Any]]  # of one object, beside state and confirm
    access: t.ClassVar[dict[str, t.Any]]  # options by which the server is reached
    untold: t.ClassVar[frozenset[str]] = frozenset()  # what the server never tells, so that nobody can read it back
    hidden: t.ClassVar[frozenset[str]] = frozenset()  # what is compared, but not told
    asks: t.ClassVar[bool] = False  # whether a server that keeps nothing yet must be asked, too, because it has a value of its own
    whole: t.ClassVar[bool] = False  # whether what is there and was not asked for is a difference
    see: t.ClassVar[str]  # where to look when it does not read back as it was written

    def __init__(self, params: Tree, client: t.Any = None, coming: Keys = frozenset(), going: Keys = frozenset()) -> None:
        """Without a client, of a server that this run would first start: then only desired() of what is not there is asked.

        C(coming) are objects, as (name of the kind, key), that the same list makes first, C(going) those that it removes.
        """
        self._params = params
        self._client = client
        self.coming = coming
        self.going = going

    @classmethod
    def connect(cls, module: SealedModule) -> t.Any:
        """The client by which the objects are read and written."""
        raise AssertionError("each family answers")

    def key(self, wanted: Tree) -> str:
        return str(wanted["name"])

    def problem(self, wanted: Tree) -> str:
        """What is wrong with what is wanted, as a sentence, or nothing."""
        return ""

    def refusal(self, wanted: Tree, found: Tree) -> str:
        """Why what is there may not be changed like that, as a sentence, or nothing."""
        return ""

    def found(self, wanted: Tree) -> Tree | None:
        """The object as the server tells it, None when it is not there."""
        raise AssertionError("each kind answers")

    def first(self, wanted: Tree) -> Tree | None:
        """What the server itself makes of it where what it belongs to is new."""
        return None

    def desired(self, wanted: Tree, found: Tree | None = None) -> Tree:
        """The object as it shall be, in the form that is compared."""
        raise AssertionError("each kind answers")

    def observed(self, wanted: Tree, found: Tree) -> Tree:
        """The object as it is, in the same form."""
        raise AssertionError("each kind answers")

    def told(self, tree: Tree) -> Tree:
        """C(tree) as a prediction may quote it."""
        return {name: unknown("secret") if name in self.hidden else value for name, value in tree.items()}

    def create(self, wanted: Tree) -> t.Any:
        raise AssertionError("each kind answers")

    def update(self, wanted: Tree, found: Tree, differing: t.AbstractSet[str]) -> None:
        raise AssertionError("each kind answers")

    def delete(self, wanted: Tree, found: Tree) -> None:
        raise AssertionError("each kind answers")


Stage = t.Tuple[t.Type[Kind], t.List[Tree]]


def spec_of(kind: type[Kind]) -> dict[str, t.Any]:
    """The arguments of the module that keeps objects of C(kind)."""
    return dict(list=dict(type="list", elements="dict", required=True, options={**kind.options, **_COMMON}), **kind.access)


def stages_of(kinds: t.Mapping[str, type[Kind]], listed: t.Any) -> list[Stage]:
    """What the module of a family is given: one kind an entry, with its objects. ApiError says what is wrong with it."""
    stages: list[Stage] = []
    for entry in listed if isinstance(listed, list) else [listed]:
        name = next(iter(entry), "") if isinstance(entry, dict) and len(entry) == 1 else ""
        if name not in kinds:
            given = ", ".join(map(str, entry)) if isinstance(entry, dict) else type(entry).__name__
            raise ApiError(f"list: one of {', '.join(kinds)} with its objects is expected in each entry, but one has {given or 'nothing'}: correct it.")
        checked = ArgumentSpecValidator({"list": spec_of(kinds[name])["list"]}).validate({"list": entry[name]})
        if checked.error_messages:
            raise ApiError(f"{name}: {' '.join(checked.error_messages)}")
        stages.append((kinds[name], checked.validated_parameters["list"]))
    return stages


def keep(kind: type[Kind]) -> None:
    """The module that keeps objects of one kind."""
    module = SealedModule(argument_spec=spec_of(kind), supports_check_mode=True)
    _keep(module, lambda: [(kind, module.plain["list"])])


def keep_all(kinds: t.Mapping[str, type[Kind]]) -> None:
    """The module that keeps objects of a family of kinds."""
    access = next(iter(kinds.values())).access
    module = SealedModule(argument_spec=dict(list=dict(type="list", elements="dict", required=True), **access), supports_check_mode=True)
    _keep(module, lambda: stages_of(kinds, module.plain["list"]))


def planned(stages: t.Iterable[Stage], params: Tree) -> list[Tree]:
    """What would be made on a server that keeps nothing yet."""
    changes = []
    for kind, objects in stages:
        one = kind(params)
        _look_at(one, objects)
        if one.asks and objects:
            raise ApiError(
                f"{one.name} {one.key(objects[0])} is expected to be compared with what the server has, but this run has yet to start it: leave it out of the "
                "first run."
            )
        changes += [change for wanted in objects for change in [_change(one, wanted, one.first(wanted))] if change]
    return changes


def _keep(module: SealedModule, stages_: t.Callable[[], list[Stage]]) -> None:
    try:
        stages = [stage for stage in stages_() if stage[1]]
        for kind, objects in stages:
            _look_at(kind(module.plain), objects)
        changes = _kept(module.plain, stages[0][0].connect(module), stages, module.check_mode) if stages else []
    except ApiError as exc:
        module.fail_json(msg=str(exc))
    exit_with(module, changes, state="present")


def _look_at(kind: Kind, objects: list[Tree]) -> None:
    for wanted in objects:
        problem = unnameable(kind.name, wanted) or kind.problem(wanted) or unconfirmed(kind.name, kind.key(wanted), wanted)
        if problem:
            raise ApiError(problem)


def _kept(params: Tree, client: t.Any, stages: list[Stage], check_mode: bool) -> list[Tree]:
    """The changes. The first look says everything that is refused, before anything is changed."""
    foreseen: list[Tree] = []
    coming: set[tuple[str, str]] = set()
    going: set[tuple[str, str]] = set()
    for kind, objects in stages:
        one = kind(params, client, coming, going)
        seen = _seen(one, objects)
        foreseen += [change for _wanted, _found, change in seen if change]
        coming |= {(one.name, one.key(wanted)) for wanted, found, change in seen if change and found is None}
        going |= {(one.name, one.key(wanted)) for wanted, _found_, change in seen if change and wanted["state"] == "absent"}
    if check_mode or not foreseen:
        return foreseen
    changes = []
    for kind, objects in stages:
        one = kind(params, client)
        for wanted, found, change in _seen(one, objects):
            if not change:
                continue
            if wanted["state"] == "absent":
                one.delete(wanted, t.cast(Tree, found))
            elif found is None:
                one.create(wanted)
            else:
                one.update(wanted, found, set(change["after"]))
            _read_back(one, wanted)
            changes.append(change)
    return changes


def _seen(kind: Kind, objects: list[Tree]) -> list[tuple[Tree, Tree | None, Tree | None]]:
    """Each object, what is there of it, and its prediction."""
    seen = [(wanted, found, _change(kind, wanted, found)) for wanted in objects for found in [_found(kind, wanted)]]
    for wanted, found, change in seen:
        problem = kind.refusal(wanted, found) if change and found is not None else ""
        if problem:
            raise ApiError(problem)
    return seen


def _found(kind: Kind, wanted: Tree) -> Tree | None:
    try:
        return kind.found(wanted)
    except Coming:
        return kind.first(wanted)


def _change(kind: Kind, wanted: Tree, found: Tree | None) -> Tree | None:
    """The prediction, None when the object is as it shall be."""
    if wanted["state"] == "absent":
        return prediction(kind.name, kind.key(wanted), {"state": "present"}, {"state": "absent"}) if found is not None else None
    desired = kind.desired(wanted, found)
    if found is None:
        return prediction(kind.name, kind.key(wanted), None, kind.told({"state": "present", **desired}))
    observed = kind.observed(wanted, found)
    differing = sorted(name for name in {*desired, *(observed if kind.whole else ())} if desired.get(name) != observed.get(name))
    if not differing:
        return None
    before, after = (kind.told({name: tree.get(name) for name in differing}) for tree in (observed, desired))
    return prediction(kind.name, kind.key(wanted), before, after)


def _read_back(kind: Kind, wanted: Tree) -> None:
    """A server takes much without doing it, so what was written is read."""
    left = _change(kind, wanted, kind.found(wanted))
    if left and not all(name in kind.untold and is_unknown(value) for name, value in left["after"].items()):
        raise ApiError(
            f"{kind.name} {kind.key(wanted)} is expected to read back as it was written, but differs in {', '.join(sorted(left['after']))}: "
            f"it has {left['before']}, and was to have {left['after']}. {kind.see}, and whether somebody else changes it."
        )


def exit_with(module: SealedModule, changes: list[Tree], **more: t.Any) -> None:
    """The result of a module that changed, or would change, this."""
    text = ["".join(f"{change['key']}: {change[side]}\n" for change in changes if change[side] is not None) for side in ("before", "after")]
    module.exit_json(changed=bool(changes), gpulab_prediction=changes, diff=dict(before=text[0], after=text[1]), **more)


def unnameable(kind: str, wanted: Tree) -> str:
    """The sentence for a name that cannot be told in a line or is too long for anybody to keep; empty for any other."""
    for field in ("name", "username", "project", "endpoint", "source", "destination"):
        told = wanted.get(field)
        if isinstance(told, str) and not (told.isprintable() and len(told.encode()) <= LONGEST):
            return f"{kind}: {field} is expected to have printable signs alone and at most {LONGEST} bytes, but is {told[:LONGEST]!a}: choose another."
    return ""


def unconfirmed(kind: str, key: str, wanted: Tree) -> str:
    """Why an object is not removed: nobody repeated its name. Empty when it may be."""
    if wanted["state"] == "present" or wanted["confirm"] == key:
        return ""
    return (
        f"{kind} {key} is to be removed, and confirm is expected to be {key!r} for that, but is {wanted['confirm']!r}: repeat the name if it shall really go."
    )
