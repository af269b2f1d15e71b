# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Harbor as its installer would start it, with a docker that only notes what it is told. A real Harbor does not run here."""

from __future__ import annotations

import gzip
import io
import pathlib
import subprocess
import tarfile
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._harbor.programs.installer import END, Harbor, ServeError, upgrade_problem


class Docker:
    """Notes each command without paths; C(dumped) is what the database gives."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.dumped = b"CREATE ROLE harbor;\n-- " + END + b"\n"
        self.images = False
        self.fails = ""

    def __call__(self, argv: list[str], check: bool = True, **more: t.Any) -> t.Any:
        words = [pathlib.Path(word).parent.name if word.endswith("docker-compose.yml") else pathlib.Path(word).name for word in argv]
        said = " ".join(words)
        self.said.append(said)
        code = int(bool(self.fails) and self.fails in said or "image inspect" in said and not self.images)
        if code and check:
            raise subprocess.CalledProcessError(code, argv)
        return subprocess.CompletedProcess(argv, code, self.dumped if "pg_dumpall" in said else b"")


def installer(path: pathlib.Path, version: str, offline: bool = True, whole: bool = True) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for name in ["harbor/prepare"] * whole + ["harbor/common.sh"] + [f"harbor/harbor.v{version}.tar.gz"] * offline:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(b""))
    return str(path)


def harbor(tmp_path: pathlib.Path, version: str, docker: Docker, **more: t.Any) -> Harbor:
    (tmp_path / "harbor.yml").write_text("hostname: x\n", encoding="ascii")
    (tmp_path / "state").mkdir(exist_ok=True)
    config = {
        "version": version,
        "installer": installer(tmp_path / f"{version}.tgz", version, **more),
        "directory": str(tmp_path / "opt"),
        "config": str(tmp_path / "harbor.yml"),
        "scanner": False,
        "dumps": str(tmp_path / "dumps"),
        "state": str(tmp_path / "state" / "state.json"),
    }
    return Harbor(config, docker, lambda _seconds: None)


def test_a_new_one(tmp_path: pathlib.Path) -> None:
    docker = Docker()
    new = harbor(tmp_path, "2.14.0", docker)
    assert new.version() == ""
    new.start()
    assert docker.said == [
        "docker image inspect harbor-core:v2.14.0",
        "docker load -q -i harbor.v2.14.0.tar.gz",
        "prepare",
        "docker compose -f 2.14.0 up -d --wait",
    ]
    assert new.version() == "2.14.0" and (tmp_path / "opt/2.14.0/harbor.yml").read_text(encoding="ascii") == "hostname: x\n"
    docker.said.clear()
    docker.images = True
    new.start()
    assert docker.said[1:] == ["prepare", "docker compose -f 2.14.0 up -d --wait"], "nothing is loaded twice"
    docker.said.clear()
    new.stop()
    assert docker.said == ["docker compose -f 2.14.0 down"], "and no volume goes"


def test_a_newer_one_keeps_the_database_of_the_old_first(tmp_path: pathlib.Path) -> None:
    docker = Docker()
    harbor(tmp_path, "2.14.0", docker).start()
    docker.said.clear()
    newer = harbor(tmp_path, "2.16.0", docker, offline=False)
    newer.start()
    assert docker.said == [
        "docker compose -f 2.14.0 up -d --wait postgresql",
        "docker compose -f 2.14.0 exec -T postgresql pg_isready -q",
        "docker compose -f 2.14.0 exec -T postgresql pg_dumpall -U postgres --clean --if-exists",
        "docker compose -f 2.14.0 down",
        "prepare",
        "docker compose -f 2.16.0 up -d --wait",
    ]
    kept = tmp_path / "dumps" / "before-2.16.0.sql.gz"
    assert END in gzip.decompress(kept.read_bytes()) and kept.stat().st_mode & 0o777 == 0o600 and newer.version() == "2.16.0"


@pytest.mark.parametrize("fault", ["pg_dumpall", "truncated"])
def test_without_a_whole_dump_the_old_one_is_left_as_it_is(tmp_path: pathlib.Path, fault: str) -> None:
    docker = Docker()
    harbor(tmp_path, "2.14.0", docker).start()
    docker.fails, docker.dumped = ("pg_dumpall", docker.dumped) if fault == "pg_dumpall" else ("", b"CREATE ROLE")
    newer = harbor(tmp_path, "2.16.0", docker)
    with pytest.raises((ServeError, subprocess.CalledProcessError)):
        newer.start()
    assert newer.version() == "2.14.0" and not any("2.16.0 up" in said for said in docker.said) and not list((tmp_path / "dumps").glob("*.gz"))


def test_an_installer_that_is_none_leaves_nothing_behind(tmp_path: pathlib.Path) -> None:
    docker = Docker()
    broken = harbor(tmp_path, "2.14.0", docker, whole=False)
    with pytest.raises(ServeError, match=r"is expected in .*2.14.0.tgz, but has no harbor/prepare: correct harbor_installer"):
        broken.start()
    assert list((tmp_path / "opt").iterdir()) == [] and not docker.said
    (tmp_path / "2.14.0.tgz").write_bytes(b"<html>")
    with pytest.raises(ServeError, match="but it cannot be unpacked"):
        broken.start()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "2.16.0", ""),
        ("2.16.0", "2.16.0", ""),
        ("2.14.3", "2.16.0", ""),
        ("2.13.0", "2.16.0", "at most 2 minor versions ahead at once, but harbor_version is 2.16.0: go to 2.15.x first."),
        ("2.16.1", "2.16.0", "its database knows no way back"),
        ("2.16.0", "3.0.0", "at most 2 minor versions"),
        ("2.16.0", "latest", "a version of Harbor as 2.14.0 is expected, but harbor_version is 'latest'"),
    ],
)
def test_versions_are_not_skipped(old: str, new: str, said: str) -> None:
    assert said in upgrade_problem(old, new) and bool(said) == bool(upgrade_problem(old, new))
