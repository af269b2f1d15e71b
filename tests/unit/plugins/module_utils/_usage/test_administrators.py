# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is root beside root, by the accounts of this machine; molecule/monitoring does it on a host that has one."""

from __future__ import annotations

import grp
import pathlib
import pwd
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._usage import host
from ansible_collections.gpulab.expansion.plugins.modules.usage_info import sudoers


def test_members_of_groups_that_can_be_root_are_named_and_root_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = pwd.getpwnam("daemon")
    monkeypatch.setattr(host, "ROOT_GROUPS", (grp.getgrgid(daemon.pw_gid).gr_name, grp.getgrgid(0).gr_name, "no-such-group"))
    found = {account["user"]: account["by"] for account in host.administrators()}
    assert grp.getgrgid(daemon.pw_gid).gr_name in found["daemon"] and "root" not in found


def test_the_groups_are_those_that_start_or_write_what_is_roots() -> None:
    assert {"docker", "sudo", "wheel", "admin", "lxd", "disk", "libvirt"} <= set(host.ROOT_GROUPS)


class Host:
    """A module on a host that has C(programs), whose cvtsudoers answers C(answer)."""

    def __init__(self, programs: str, answer: tuple[int, str, str] = (0, "{}", "")) -> None:
        self.programs, self.answer = programs.split(), answer

    def get_bin_path(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run_command(self, argv: list[str], **_how: t.Any) -> tuple[int, str, str]:
        assert argv[0] == "cvtsudoers" and argv[-1] == "/etc/sudoers" and "--expand-aliases" in argv and not any(word.startswith("--output=") for word in argv)
        return self.answer


@pytest.mark.parametrize(
    ("programs", "answer", "sources", "rules", "unknown"),
    [
        ("", (2, "", "never asked"), "files", {}, ""),
        ("sudo", (2, "", "never asked"), "files", {}, "is expected beside sudo, but is not there."),
        ("sudo cvtsudoers", (0, '{"User_Specs": []}', ""), "files", {"User_Specs": []}, ""),
        (
            "sudo cvtsudoers",
            (0, '{"User_Specs": []}', ""),
            "files sss",
            {"User_Specs": []},
            "Rules of sudo that come from sss (/etc/nsswitch.conf) are not read.",
        ),
        ("sudo cvtsudoers", (1, "", "/etc/sudoers.d/x:1:16: syntax error\nalice ALL=(ALL\n"), "files", {}, "but cannot: /etc/sudoers.d/x:1:16: syntax error."),
        (
            "sudo cvtsudoers",
            (1, "", "cvtsudoers: unable to open /etc/sudoers: Permission denied"),
            "",
            {},
            "cannot: unable to open /etc/sudoers: Permission denied.",
        ),
        ("sudo cvtsudoers", (0, '{"User_List": [\n]\n"Host_List": []}', ""), "files", {}, "but cannot: it writes no JSON"),
    ],
)
def test_without_sudo_there_are_no_rules_and_rules_that_cannot_be_read_are_not_known(
    tmp_path: pathlib.Path, programs: str, answer: tuple[int, str, str], sources: str, rules: dict[str, t.Any], unknown: str
) -> None:
    nsswitch = tmp_path / "nsswitch.conf"
    nsswitch.write_text(f"sudoers: {sources}\n", encoding="utf-8")
    found, why = sudoers(Host(programs, answer), str(nsswitch))  # type: ignore[arg-type]
    assert found == rules and unknown in why and bool(unknown) == bool(why)
