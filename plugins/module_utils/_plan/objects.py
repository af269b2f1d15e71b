# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules have in common that keep a list of objects behind an API.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .prediction import Tree

LONGEST = 255  # bytes of a name


def spec_of(options: dict[str, t.Any], access: dict[str, t.Any]) -> dict[str, t.Any]:
    """The arguments of a module whose objects have these C(options), and which says with C(access) where they are kept."""
    common = dict(state=dict(type="str", choices=["present", "absent"], default="present"), confirm=dict(type="str", default=""))
    return dict(list=dict(type="list", elements="dict", required=True, options={**options, **common}), **access)


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


def leave(module: AnsibleModule, changes: list[Tree], **told: t.Any) -> None:
    text = ["".join(f"{change['key']}: {change[side]}\n" for change in changes if change[side] is not None) for side in ("before", "after")]
    module.exit_json(changed=bool(changes), gpulab_prediction=changes, diff=dict(before=text[0], after=text[1]), **told)
