# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a playbook was called: what it leaves out, in one sentence. Pure: no I/O, no Ansible.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

Groups = t.Mapping[str, t.Sequence[str]]


def lacks(args: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any], groups: Groups, in_run: t.Collection[str]) -> str:
    """The sentence about the first thing that the call leaves out; empty when it leaves out nothing.

    C(given) are the variables, C(in_run) the hosts of this run; C(args) as documented of call_needs.
    """
    if not set(groups.get("all", ())) - {"localhost"}:
        return "Hosts are expected in the inventory, but there are none: name it with -i."
    for group in args.get("groups") or []:
        if not groups.get(group):
            return f"A host is expected in the group {group}, but there is none: name it in the inventory, or give another inventory with -i."
    for name, example in (args.get("variables") or {}).items():
        if given.get(name) in (None, "", []):
            return f"{name} is expected to be set, but is not: add -e {name}={example}."
    for name, group in (args.get("hosts") or {}).items():
        value, known = given.get(name) or "", sorted(set(groups.get(group, ())) - {"localhost"})
        if value not in known:
            where = "the inventory" if group == "all" else f"the group {group}"
            found = repr(value) if value else "not set"
            return f"{name} is expected to be a host of {where}, but is {found}: add -e {name}= and one of {', '.join(known[:8]) or 'its hosts'}."
    needed = [host for pattern in args.get("in_run") or [] for host in _matching(pattern, groups)]
    absent = sorted(set(needed) - set(in_run))
    if absent:
        named = "The control node" if absent == ["localhost"] else ", ".join(absent)
        why = args.get("because") or "the play needs what it tells"
        return f"{named} is expected in this run, because {why}, but is left out: leave --limit out, or add {', '.join(absent)} to it."
    return ""


def _matching(pattern: str, groups: Groups) -> list[str]:
    if pattern == "localhost":
        return [pattern]
    if pattern.endswith("[0]"):
        return list(groups.get(pattern[:-3], ()))[:1]
    return list(groups.get(pattern, ()))
