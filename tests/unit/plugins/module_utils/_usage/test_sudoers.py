# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may run commands as root by rules of sudo. Each C(told.json) is what cvtsudoers 1.9.13 of Debian 12 wrote of the C(sudoers) beside it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._usage import host
from ansible_collections.gpulab.expansion.plugins.module_utils._usage.sudoers import Accounts, other_sources, parsed, rules

RECORDED = pathlib.Path(__file__).with_name("sudoers")
GROUPS = {"ops": ["alice", "bob", "carl"], "sudo": ["admin1"], "docker": ["dave"], "domain users": ["erik", "root"], "gid2000": ["fay"]}
HOST = "gpu1"


def recorded(name: str) -> dict[str, t.Any]:
    told = parsed((RECORDED / name / "told.json").read_text(encoding="utf-8"))
    assert told is not None
    return told


def who(document: t.Mapping[str, t.Any], name: str = HOST) -> dict[str, list[str]]:
    groups = {0: "root", 2000: "gid2000", 27: "sudo"}
    accounts = Accounts({0: "root", 1001: "gus"}.get, groups.get, lambda group: GROUPS.get(group, []))  # type: ignore[arg-type]
    return rules(document, name, accounts, {"toor", "dave", "admin1"}, ("sudo", "docker"))


def rule(users: list[dict[str, t.Any]], runas: dict[str, t.Any] | None = None, command: str = "ALL") -> dict[str, t.Any]:
    spec = {**(runas or {}), "Commands": [{"command": command}]}
    return {"User_Specs": [{"User_List": users, "Host_List": [{"hostname": "ALL"}], "Cmnd_Specs": [spec]}]}


def test_what_debian_ships_names_nobody() -> None:
    assert who(recorded("debian")) == {}


def test_aliases_and_what_is_included_are_followed_and_what_is_negated_is_not_counted() -> None:
    assert who(recorded("aliases")) == {
        "alice": ["sudoers: some commands"],  # by her own name and by her group: told once
        "carl": ["sudoers %ops: some commands"],
        "#1007": ["sudoers: some commands"],
        "erik": ["sudoers: all commands"],
        "gina": ["sudoers: some commands"],
    }


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("ivan", ["sudoers: some commands"]),  # NOPASSWD: /usr/bin/apt
        ("+admins", ["sudoers: all commands"]),
        ("+ops@lab", ["sudoers: some commands"]),
        ("gus", ["sudoers: all commands"]),  # 1001
        ("fay", ["sudoers %gid2000: some commands"]),
        ("%:domain admins", ["sudoers: all commands"]),
        ("erik", ["sudoers %domain users: some commands"]),
        ("jo hn", ["sudoers: all commands"]),
        ("ALL", ["sudoers: some commands"]),
        ("lena", ["sudoers: all commands"]),  # with the group docker
        ("mona", ["sudoers: all commands"]),
        ("pete", ["sudoers: all commands"]),  # as everybody but root, and so as those who are root at will
        ("quin", ["sudoers: some commands"]),
        ("sven", ["sudoers: some commands"]),  # all as lab, one as root
        ("tina", ["sudoers: some commands"]),
        ("vera", ["sudoers: all commands"]),
        ("xeno", ["sudoers: all commands"]),
        ("yves", ["sudoers: all commands"]),
        ("zoe", ["sudoers: some commands"]),
    ],
)
def test_each_kind_of_rule_names_whom_it_lets_be_root(user: str, why: list[str]) -> None:
    assert who(recorded("kinds"))[user] == why


def test_nobody_else_is_named() -> None:
    """Neither who is negated, nor who runs as somebody else, lists, or is on another host; nor root."""
    assert not {"kate", "nina", "rosa", "uwe", "will", "root"} & set(who(recorded("kinds")))


def test_a_rule_counts_on_its_hosts() -> None:
    assert who(recorded("kinds"), "GPU2.lab.example")["uwe"] == ["sudoers: all commands"]
    assert "dora" in who(recorded("aliases"), "web1") and "dora" not in who(recorded("aliases"))


def test_all_commands_outweigh_some_whatever_comes_first() -> None:
    some, every = rule([{"username": "li"}], command="/bin/ls"), rule([{"username": "li"}])
    for first, second in ((some, every), (every, some)):
        assert who({"User_Specs": first["User_Specs"] + second["User_Specs"]}) == {"li": ["sudoers: all commands"]}


def test_a_group_by_its_number_is_told_no_second_time() -> None:
    assert who(rule([{"usergid": 27}])) == {} and who(rule([{"usergid": 4711}])) == {}


@pytest.mark.parametrize(
    ("runas", "counts"),
    [
        ({"runasusers": [{"username": "toor"}]}, True),
        ({"runasusers": [{"username": "dave"}]}, True),  # is in docker
        ({"runasusers": [{"userid": 0}]}, True),
        ({"runasgroups": [{"usergid": 0}]}, True),
        ({"runasusers": [{"username": "postgres"}]}, False),
        ({"runasusers": [{"username": ""}]}, False),  # as oneself
        ({"runasusers": [{"username": "root", "negated": True}]}, False),
        ({"runasgroups": [{"usergroup": "video"}]}, False),
    ],
)
def test_as_whom_decides(runas: dict[str, t.Any], counts: bool) -> None:
    assert bool(who(rule([{"username": "li"}], runas))) is counts


def test_the_last_word_counts() -> None:
    ops, not_bob, nobody = {"usergroup": "ops"}, {"username": "bob", "negated": True}, {"username": "ALL", "negated": True}
    assert set(who(rule([ops, not_bob]))) == {"alice", "carl"}
    assert set(who(rule([not_bob, ops]))) == {"alice", "bob", "carl"}
    assert who(rule([ops, nobody])) == {}


def test_what_the_reader_writes_is_parsed_or_is_not_known() -> None:
    # two lines of what it writes of an alias that is not defined
    assert parsed('{"User_Specs": [{"User_List": [\n]\n"Host_List": [{ "hostname": "ALL" }]}]}') is None
    assert parsed("") == {} and parsed("[]") is None
    told = parsed('{"User_Specs": [{"User_List": [{ "username": "a\udcffb" }]}]}')
    assert told is not None and told["User_Specs"][0]["User_List"] == [{"username": "a?b"}]


def test_rules_from_elsewhere_are_not_passed_over_in_silence() -> None:
    assert other_sources("passwd: files sss\nsudoers: files sss # both\n") == ["sss"]
    assert other_sources("sudoers: files [SUCCESS=return] ldap\n") == ["ldap"]
    assert other_sources("#sudoers: ldap\nsudoers: files\n") == [] and other_sources("") == []


def test_an_account_of_this_host_has_all_its_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "ROOT_GROUPS", ("daemon",))
    told = rule([{"username": "daemon"}, {"userid": 0}, {"usergid": 1}, {"userid": 2**40}, {"username": "no-such-account"}])
    found = {account["user"]: account["by"] for account in host.administrators(told)}
    assert found["daemon"] == ["daemon", "sudoers: all commands"] and "root" not in found
    assert found["no-such-account"] == found[f"#{2**40}"] == ["sudoers: all commands"]
