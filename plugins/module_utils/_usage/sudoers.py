# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may run commands as root, by the rules of sudo as its own reader (C(cvtsudoers)) tells them. Pure.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import fnmatch
import json
import typing as t

from .._phrases import Phrase

# Why the rules are not known, or not all.
NO_READER = Phrase(
    "cvtsudoers, which reads the rules of sudo, is expected beside sudo, but is not there.",
    "sudo 已安装，但缺少读取其规则的 cvtsudoers。",
)
UNREADABLE = Phrase("cvtsudoers is expected to read the rules of sudo, but cannot: {why}.", "cvtsudoers 无法读取 sudo 规则：{why}。")
NO_JSON = Phrase(
    "it writes no JSON, as for an alias that is not defined (visudo -c tells)",
    "输出不是 JSON，例如使用未定义的别名时（可用 visudo -c 查明）",
)
ELSEWHERE = Phrase(
    "Rules of sudo that come from {others} (/etc/nsswitch.conf) are not read.",
    "未读取来自 {others} 的 sudo 规则（/etc/nsswitch.conf）。",
)
PHRASES = (NO_READER, UNREADABLE, NO_JSON, ELSEWHERE)

Entry = t.Mapping[str, t.Any]  # one word of a rule: what it is and its name, as {"usergroup": "ops"}, and C(negated)

ALL, SOME = "all commands", "some commands"
# What is no account of a host stands as sudo writes it.
_AS_WRITTEN = {"username": "", "netgroup": "+", "nonunixgroup": "%:", "nonunixgid": "%:#", "useralias": ""}


class Accounts(t.NamedTuple):
    """How a host knows its accounts; C(user) and C(group) are empty for a number that it does not know."""

    user: t.Callable[[int], str]
    group: t.Callable[[int], str]
    members: t.Callable[[str], t.Iterable[str]]


def parsed(text: str) -> dict[str, t.Any] | None:
    """What the reader wrote; None when that is no JSON."""
    try:
        # a name that is no UTF-8 is told with a mark
        document = json.loads(text.encode("utf-8", "replace").decode(), strict=False) if text.strip() else {}
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def other_sources(nsswitch: str) -> list[str]:
    """Where sudo looks for rules beside its files, by C(/etc/nsswitch.conf)."""
    lines = [line.partition("#")[0].split() for line in nsswitch.splitlines()]
    return [word for line in lines if line[:1] == ["sudoers:"] for word in line[1:] if word != "files" and not word.startswith("[")]


def rules(document: t.Mapping[str, t.Any], host: str, accounts: Accounts, rooted: t.Container[str], told: t.Container[str]) -> dict[str, list[str]]:
    """Why, by account, it may run commands as root on C(host); C(rooted) are accounts that are root, C(told) groups whose members are."""
    found: dict[str, dict[str, str]] = {}
    for rule in document.get("User_Specs", []):
        specs = [spec for spec in rule.get("Cmnd_Specs", []) if _as_root(spec, accounts, rooted, told)]
        commands = [word["command"] for spec in specs for word in spec.get("Commands", []) if not word.get("negated")]
        commands = [command for command in commands if command != "list"]  # lists what others may, and runs nothing
        if not commands or not _is_for(rule.get("Host_List", []), host):
            continue
        for user, origin in _users(rule.get("User_List", []), accounts, told).items():
            kinds = found.setdefault(user, {})
            kinds[origin] = ALL if "ALL" in commands or kinds.get(origin) == ALL else SOME
    return {user: [f"{origin}: {kind}" for origin, kind in kinds.items()] for user, kinds in found.items() if user != "root"}


def _users(entries: t.Iterable[Entry], accounts: Accounts, told: t.Container[str]) -> dict[str, str]:
    """Where each account stands: C(sudoers), or a group there. As for sudo, what comes later counts more."""
    found: dict[str, str] = {}
    for entry in entries:
        group = accounts.group(entry["usergid"]) if "usergid" in entry else entry.get("usergroup", "")
        if group:
            names, origin = [] if group in told else list(accounts.members(group)), f"sudoers %{group}"
        elif "userid" in entry:
            names, origin = [accounts.user(entry["userid"]) or f"#{entry['userid']}"], "sudoers"
        else:
            names, origin = [f"{sign}{entry[kind]}" for kind, sign in _AS_WRITTEN.items() if kind in entry], "sudoers"
        if entry.get("negated"):
            found = {} if "ALL" in names else {user: where for user, where in found.items() if user not in names}
        else:
            found = {**dict.fromkeys(names, origin), **found}
    return found


def _as_root(spec: t.Mapping[str, t.Any], accounts: Accounts, rooted: t.Container[str], told: t.Container[str]) -> bool:
    """Whether what it names is run as root, or as somebody who is root at will; without a name it is root."""
    users, groups = spec.get("runasusers"), spec.get("runasgroups")
    if users is None and groups is None:
        return True
    for entry in [*(users or []), *(groups or [])]:
        name = entry.get("username", "") or (accounts.user(entry["userid"]) if "userid" in entry else "")
        group = entry.get("usergroup", "") or (accounts.group(entry["usergid"]) if "usergid" in entry else "")
        number = entry.get("userid", entry.get("usergid"))
        if not entry.get("negated") and (number == 0 or "ALL" in (name, group) or name == "root" or name in rooted or group == "root" or group in told):
            return True
    return False


def _is_for(entries: t.Sequence[Entry], host: str) -> bool:
    """Whether a rule is for C(host). The last word that fits counts; networks and netgroups are taken to fit, so that no rule stays untold."""
    for entry in reversed(entries):
        name, negated = entry.get("hostname"), bool(entry.get("negated"))
        if name is None:
            if not negated:
                return True
        elif name == "ALL" or fnmatch.fnmatch(_short(host), _short(name)):
            return not negated
    return False


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
