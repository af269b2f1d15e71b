# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a role's variables against its argument specification. Pure: no I/O, no Ansible run.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

ansible-core's own validation names types of Python and no way out, and lets a misspelled variable pass.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._sealed import has_credentials

Spec = t.Mapping[str, t.Any]
_LEAF = ("type", "elements", "choices", "no_log")
_TYPES = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
    "path": "a path",
    "raw": "a value",
}


def complaints(name: str, spec: Spec, value: t.Any) -> list[str]:
    """What is wrong with C(value), each as "NAME is expected to be ..., but ...". Values of secret options are not told."""
    options = spec.get("options")
    if options and isinstance(value, dict):
        found = [f"{name} is expected to have the keys {', '.join(options)}, but has {key}{_near(key, options)}" for key in value if key not in options]
        for key, below in options.items():
            if key in value:
                found += complaints(f"{name}.{key}", {**below, "no_log": spec.get("no_log") or below.get("no_log")}, value[key])
            elif below.get("required"):
                found.append(f"{name}.{key} is expected, but is not given")
        return found
    if options and isinstance(value, list) and spec.get("type") == "list":
        return [text for number, item in enumerate(value) for text in complaints(f"{name}[{number}]", {**spec, "type": "dict", "elements": None}, item)]
    leaf = {key: spec[key] for key in _LEAF if spec.get(key) is not None}
    # what `-e name=60` gives would count as text in a sum
    number_as_text = isinstance(value, str) and spec.get("type") in ("int", "float", "bool")
    valid = not ArgumentSpecValidator({"value": leaf}).validate({"value": value}).error_messages
    if valid and spec.get("type") == "path" and "%" in str(value):
        return [f"{name} is expected to be a path without %, which a unit of systemd takes for a sign of its own, but is {value!r}"]
    if valid and not number_as_text:
        return []
    wanted = f"one of {', '.join(str(c) for c in spec['choices'])}" if spec.get("choices") else _TYPES[spec.get("type", "str")]
    if spec.get("elements"):
        wanted = f"a list, each of it {wanted if spec.get('choices') else _TYPES[spec['elements']]}"
    shown = "something else" if spec.get("no_log") or has_credentials(str(value)) else repr(value)
    return [f"{name} is expected to be {wanted}, but is {shown}{', a text (with -e, give JSON)' if valid else ''}"]


def misspelled(prefix: str, names: t.Iterable[str], known: t.Collection[str], near: bool = False) -> list[str]:
    """Variables that begin like the role's and are none of them; with C(near) those alone that are almost one."""
    return [
        f"{name} is expected to be a variable of the role, but is none{_near(name, known)}"
        for name in sorted(names)
        if name.startswith(prefix) and name not in known and (not near or _close(name[len(prefix) :], [each[len(prefix) :] for each in known]))
    ]


def _close(word: str, known: t.Iterable[str]) -> bool:
    """Whether it is a word of C(known) with a letter too many, too few, or in another place."""
    return bool(difflib.get_close_matches(word, list(known), n=1, cutoff=0.85))


def _near(name: str, known: t.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (is {close[0]} meant?)" if close else ""
