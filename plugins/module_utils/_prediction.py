# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record that a dry run and a real run both return, and values not known before the real run.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A prediction's C(after) is a tree. Its leaves are JSON values or an unknown: C({"__unknown__": reason}), after
Terraform's rule "a value or (known after apply)". The published schema is docs/prediction.schema.json.
"""

from __future__ import annotations

import re
import typing as t

Tree = t.Dict[str, t.Any]

RESULT_KEY = "gpulab_prediction"
UNKNOWN_KEY = "__unknown__"
REASONS = ("generated", "server_assigned", "time", "secret")

_MARKER = re.compile(r"@unknown\((%s): ([^)@]*)\)@" % "|".join(REASONS))


def unknown(reason: str) -> dict[str, str]:
    """A leaf that gets its value in the real run. C(reason) is one of REASONS; anything else is a ValueError."""
    if reason not in REASONS:
        raise ValueError(f"reason must be one of {', '.join(REASONS)}, got {reason!r}")
    return {UNKNOWN_KEY: reason}


def is_unknown(leaf: object) -> bool:
    return isinstance(leaf, dict) and set(leaf) == {UNKNOWN_KEY}


def unknown_text(reason: str, source: str) -> str:
    """An unknown as text, for values that travel through templates; C(source) says what will supply it."""
    return f"@unknown({unknown(reason)[UNKNOWN_KEY]}: {source})@"


def unknown_reason_in(text: str) -> str | None:
    """The reason of the first unknown that C(text) contains, or None: what derives from an unknown is unknown."""
    found = _MARKER.search(text)
    return found.group(1) if found else None


def readable(text: str) -> str:
    """C(text) with its unknowns as a person reads them."""
    return _MARKER.sub(lambda m: f"(known after apply: {m.group(2)})", text)


def prediction(kind: str, key: str, before: Tree | None, after: Tree, impact: t.Sequence[str] = ()) -> Tree:
    """One change of one thing: C(before) is None when the thing does not exist yet."""
    return {"kind": kind, "key": key, "before": before, "after": after, "impact": list(impact)}


def difference(desired: Tree, observed: Tree | None) -> Tree:
    """The leaves of C(desired) that C(observed) lacks or has with another value. Unknown leaves always differ."""
    seen = observed or {}
    out: Tree = {}
    for name, value in desired.items():
        if isinstance(value, dict) and not is_unknown(value):
            below = difference(value, seen.get(name) if isinstance(seen.get(name), dict) else None)
            if below or name not in seen:
                out[name] = below
        elif name not in seen or seen[name] != value:
            out[name] = value
    return out


def project(tree: Tree, shape: Tree) -> Tree:
    """The part of C(tree) that has the leaves of C(shape); a leaf C(tree) lacks becomes None."""
    out: Tree = {}
    for name, value in shape.items():
        found = tree.get(name)
        if isinstance(value, dict) and not is_unknown(value):
            out[name] = project(found if isinstance(found, dict) else {}, value)
        else:
            out[name] = found
    return out


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> t.Iterator[tuple[tuple[str, ...], t.Any]]:
    """Each leaf of C(tree) with its path."""
    for name, value in tree.items():
        if isinstance(value, dict) and not is_unknown(value):
            yield from leaves(value, path + (name,))
        else:
            yield path + (name,), value
