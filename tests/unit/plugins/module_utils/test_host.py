# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import struct
import subprocess

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils import _host as host

SIMULATED = """NOTE: This is only a simulation!
Inst python3-packaging (23.0-1 box:box [all])
Inst openssh-server [1:9.2p1-2] (1:9.2p1-3 Debian:12 [amd64])
Remv chrony [4.3-2]
Conf python3-packaging (23.0-1 box:box [all])
"""


def test_simulation_is_read() -> None:
    assert host.parse_simulation(SIMULATED) == {
        "install": [
            {"name": "python3-packaging", "old": None, "version": "23.0-1"},
            {"name": "openssh-server", "old": "1:9.2p1-2", "version": "1:9.2p1-3"},
        ],
        "remove": ["chrony"],
    }


def test_apt_writes_nothing_outside_a_folder_that_goes_away(tmp_path: pathlib.Path) -> None:
    ran = []

    def run(argv: list[str], environ_update: dict[str, str], **_more: str) -> tuple[int, str, str]:
        assert pathlib.Path(argv[argv.index("-c") + 1]).read_text(encoding="ascii") == host.no_hooks()
        places = [option.partition("=")[2] for option in argv if option.startswith("Dir::")] + [environ_update["TMPDIR"]]
        ran.append((argv[-1], [pathlib.Path(place).is_relative_to(tmp_path) for place in places]))
        (pathlib.Path(environ_update["TMPDIR"]) / "apt-key.978pev.asc").touch()
        return 0, SIMULATED, ""

    reader = host.HostReader(run, str(tmp_path))
    assert reader.simulation({"install": ["python3-packaging"]}, {"python3-packaging": None}, False)
    assert ran == [("update", [True] * 6), ("python3-packaging", [True] * 6), ("openssh-server=1:9.2p1-3", [True] * 6)]
    ran.clear()
    assert reader.simulation({"install": ["borgbackup", "python3-packaging"]}, {"borgbackup": None, "python3-packaging": "23"}, False)
    assert ran[1][0] == "borgbackup", "what is there is not upgraded"
    assert reader.simulation({"install": ["python3-packaging"]}, {"python3-packaging": "23.0-1"}, True), "what an earlier run left half way is looked at, too"
    assert not list(tmp_path.iterdir())


def test_apt_itself_runs_no_hook_in_a_simulation(tmp_path: pathlib.Path) -> None:
    """Of a real apt-get: each of these makes a file where nothing clears it."""
    names = [name for name in host.APT_HOOKS if not name.startswith("DPkg")]
    hooks = tmp_path / "hooks"
    hooks.write_text("".join(f'{name}{"::Install" if "AptCli" in name else ""} {{"touch {tmp_path}/ran{n}";}};\n' for n, name in enumerate(names)))
    (tmp_path / "etc" / "apt").mkdir(parents=True)
    (tmp_path / "etc" / "apt" / "sources.list").touch()
    status = tmp_path / "status"
    status.touch()

    def simulate(*options: str) -> list[str]:
        folder = ["-o", f"Dir={tmp_path}", "-o", f"Dir::State={tmp_path}", "-o", f"Dir::State::status={status}", "-o", "Debug::NoLocking=1"]
        for verb in (["update"], ["-s", "-y", "install"]):
            argv = ["apt-get", *options, *folder, "-qq", *verb]
            subprocess.run(argv, env={**os.environ, "APT_CONFIG": str(hooks)}, check=True, capture_output=True)
        found = sorted(path.name for path in tmp_path.glob("ran*"))
        for name in found:
            (tmp_path / name).unlink()
        return found

    assert len(simulate()) >= 5
    clear = tmp_path / "clear"
    clear.write_text(host.no_hooks(), encoding="ascii")
    assert simulate("-c", str(clear)) == []


HELD = """The following NEW packages will be installed:
  cowsay libtext-charwidth-perl
The following held packages will be changed:
  cowsay
  sl toilet
0 upgraded, 2 newly installed, 0 to remove and 123 not upgraded.
"""


def test_what_is_held_and_what_needs_room_is_read() -> None:
    assert host.held(HELD) == ["cowsay", "sl", "toilet"] and host.held(HELD.replace("held", "new")) == []
    shown = "Package: a\nInstalled-Size: 92\nSize: 21372\nDescription: x\n\nPackage: b\nInstalled-Size: 8\nSize: 100\n"
    assert host.sizes(shown) == {"a": {"/usr": 92 * 1024, host.APT_CACHE: 21372}, "b": {"/usr": 8 * 1024, host.APT_CACHE: 100}}


def test_a_held_package_is_installed_and_a_removed_one_is_not() -> None:
    said = "a ii  1.0\nb hi  2.0\nc rc  3.0\nd hn  \ne iU  4.0\nf ri  5.0\ng iiR 6.0\n"
    found = host.HostReader(lambda argv, **_more: (0, said, ""), "/tmp").packages(list("abcdefg"))
    assert found == {"a": "1.0", "b": "2.0", "c": None, "d": None, "e": None, "f": "5.0", "g": None}


def test_first_error_of_apt() -> None:
    assert host.first_error("Reading lists...\nE: Unable to locate package x\nE: more\n") == "Unable to locate package x"
    assert host.first_error("") == "no reason given"


def test_paths(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a"
    file.write_text("x", encoding="ascii")
    file.chmod(0o640)
    found = host.read_path(str(file))
    assert found is not None
    assert (found["type"], found["mode"], found["size"]) == ("file", "0640", 1)
    assert found["sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert host.read_path(str(tmp_path / "none")) is None
    assert host.read_path(str(file / "below a file")) is None
    (tmp_path / "link").symlink_to("nowhere")
    assert host.read_path(str(tmp_path / "link"))["type"] == "link"  # type: ignore[index]
    assert host.read_path(str(tmp_path))["read_only"] is False  # type: ignore[index]
    (tmp_path / "to").symlink_to(tmp_path)
    assert host.read_path(str(tmp_path / "to"))["free"] > 0  # type: ignore[index]


def test_what_is_immutable_is_seen(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a host with a file system that has flags can show more; the contract has one."""
    assert "immutable" not in (host.read_path(str(tmp_path)) or {})
    monkeypatch.setattr(host.fcntl, "ioctl", lambda *_args: struct.pack("i", host.FS_IMMUTABLE_FL))
    assert host.read_path(str(tmp_path))["immutable"] is True  # type: ignore[index]


def test_a_policy_of_somebody_else_is_one_whatever_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(host, "POLICY_RC_D", str(policy))
    assert host.policy_rc_d() == "absent"
    policy.symlink_to("/nowhere")
    assert host.policy_rc_d() == "foreign"
    policy.unlink()
    policy.write_text(f"#!/bin/sh\n# {host.POLICY_RC_D_MARK}\nexit 101\n", encoding="ascii")
    assert host.policy_rc_d() == "ours"


def test_units_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.os.path, "isdir", lambda p: True)
    blocks = (
        "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\nActiveEnterTimestampMonotonic=5000000\n\n"
        "LoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\nActiveEnterTimestampMonotonic=0\n"
    )
    reader = host.HostReader(lambda argv, **_more: (0, blocks, ""), "/tmp")
    found = reader.units(["a.service", "b.service"])
    assert found["b.service"] is None
    assert found["a.service"]["active"] == "active" and found["a.service"]["need_daemon_reload"] is False  # type: ignore[index]


def test_host_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.os.path, "isdir", lambda p: False)
    with pytest.raises(host.UnreadableHost, match="systemd is expected to run this host"):
        host.HostReader(lambda argv: (0, "", ""), "/tmp").units(["a.service"])


def test_python_env(tmp_path: pathlib.Path) -> None:
    assert host.read_python_env(str(tmp_path)) is None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "lib/python3.11/site-packages/nvidia_ml_py-13.615.71.dist-info").mkdir(parents=True)
    assert host.read_python_env(str(tmp_path)) == {"nvidia-ml-py": "13.615.71"}


def test_modules_of_runs_that_were_killed_are_seen(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    now = 100_000.0
    for name, age in (("tmp-left", 700), ("tmp-running", 700), ("tmp-young", 10), ("moduletmp-young", 700), ("moduletmp-left", 90_000)):
        folder = tmp_path / f"ansible-{name}"
        folder.mkdir()
        os.utime(folder, (now - age, now - age))
    own = tmp_path / "own"
    monkeypatch.setattr(host, "SCRATCH", (str(own),))
    for name in ("ansible-moduletmp-left", "ansible-tmp-anybodys"):
        (own / name).mkdir(parents=True)
        os.utime(own / name, (now - 90_000, now - 90_000))
    (own / "ansible-moduletmp-link").symlink_to(tmp_path)
    os.utime(own / "ansible-moduletmp-link", (now - 90_000, now - 90_000), follow_symlinks=False)
    monkeypatch.setattr(host, "_command_lines", lambda: "python3 /tmp/x/ansible-tmp-running/AnsiballZ_file_set.py")
    assert host.left_modules(str(tmp_path), now) == [
        str(tmp_path / f"{name}") for name in ("ansible-moduletmp-left", "ansible-tmp-left", "own/ansible-moduletmp-left")
    ]
    assert host.left_modules("", now) == []


def test_a_python_env_in_a_place_of_any_name_with_folders_of_any_name(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "[a-b]*"
    packages = place / "lib" / "python3.11" / "site-packages"
    for name in ("noversion", "-", "ok-1.0", "a-b\nc-2"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin" / "python").touch()
    assert host.read_python_env(str(place)) == {"ok": "1.0", "a-b\nc": "2", "": ""}
