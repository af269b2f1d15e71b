# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client, a backup server and an admin host in one directory, with Borg itself and the sessions that the role sets up. Without Borg, tests are skipped."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.programs import admin

ROOT = pathlib.Path(__file__).resolve().parents[5]
MODULES = ROOT / "plugins" / "module_utils" / "_borg"
HOSTILE = ROOT / "molecule" / "borg" / "tests" / "hostile.py"
BORG = shutil.which("borg")
DAY = 86400.0

needs_borg = pytest.mark.skipif(BORG is None, reason="borg is expected to be installed, but is not: apt-get install borgbackup")


def python_with_borg() -> str:
    """The Python that runs the program borg, which has its package."""
    with open(str(BORG), encoding="utf-8", errors="replace") as handle:
        return shlex.split(handle.readline()[2:])[0]


# What ssh, a forced command and the role's two scripts do together
ADMIN = """#!/bin/sh
shift
case "$1" in
  borg) exec borg serve --restrict-to-path {root}/srv/repos ;;
  *) exec {python} -B {heads} --directory {root}/srv -- "$1" "${{2:-}}" "${{3:--1}}" ;;
esac
"""
CLIENT = """#!/bin/sh
exec flock --shared {root}/srv/holds/gpu1 {root}/session
"""
SESSION = """#!/bin/sh
case "$(tail -n 1 {root}/srv/holds/.gpu1 2>/dev/null)" in hold*) {python} -B {heads} --directory {root}/srv -- opened gpu1 || exit 1 ;; esac
exec borg serve --append-only --restrict-to-repository {root}/srv/repos/gpu1
"""


class Hosts:
    """The client gpu1, the server and the admin host. The client's files are in home."""

    def __init__(self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.repository = root / "srv" / "repos" / "gpu1"
        self.home = root / "home"
        folders = ("srv/repos", "srv/holds", "srv/aside", "admin/passphrases", "admin/state", "admin/metrics", "client", "home", "lib")
        for folder in folders:
            (root / folder).mkdir(parents=True)
        (root / "lib" / "gpulab").symlink_to(MODULES.parent)
        (root / "admin" / "passphrases" / "gpu1").write_text("secret\n", encoding="ascii")
        for name, text in (("ssh-admin", ADMIN), ("ssh-client", CLIENT), ("session", SESSION)):
            (root / name).write_text(text.format(root=root, python=sys.executable, heads=MODULES / "heads.py"), encoding="utf-8")
            (root / name).chmod(0o755)
        monkeypatch.setattr(admin, "CONFIG", str(root / "admin"))
        monkeypatch.setattr(admin, "STATE", str(root / "admin" / "state"))
        monkeypatch.setattr(admin, "PYTHON", python_with_borg())
        monkeypatch.setenv("PYTHONPATH", str(root / "lib"))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        self.url = f"ssh://store1{self.repository}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            "BORG_REPO": self.url,
            "BORG_RSH": str(root / "ssh-client"),
            "BORG_PASSPHRASE": "secret",
            "BORG_BASE_DIR": str(root / "client"),
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    # -- the client

    def borg(self, *argv: str, check: bool = True, **more: t.Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["borg", *argv], env=self.environment, cwd=self.root, capture_output=True, encoding="utf-8", errors="replace", check=False, **more
        )
        assert not check or done.returncode <= 1, done.stderr
        return done

    def write(self, name: str, size: int, seed: int = 1) -> None:
        (self.home / name).write_bytes(random.Random(f"{name} {seed}").randbytes(size))

    def backup(self, name: str, *options: str, check: bool = True) -> bool:
        return self.borg("create", *options, f"::{name}", "home", check=check).returncode <= 1

    def hostile(self, *words: str) -> str:
        """What the client's attacker did, by its own account."""
        argv = [admin.PYTHON, "-B", str(HOSTILE), *words]
        done = subprocess.run(argv, env=self.environment, capture_output=True, encoding="utf-8", errors="replace", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    # -- the admin host

    def watcher(self) -> admin.Watcher:
        client = admin.Client("gpu1", self.url, "store1", 60, 60, {"daily": 1})
        return admin.Watcher(client, str(self.root / "ssh-admin"), str(self.root / "admin" / "metrics"))

    def watch(self) -> str:
        """What the watch has to say; empty when all is well."""
        return admin.look_after(self.watcher(), "watch") or ""

    def retain(self) -> str:
        return admin.look_after(self.watcher(), "retain") or ""

    def metric(self, name: str) -> float:
        text = (self.root / "admin" / "metrics" / "gpulab_borg_admin_gpu1.prom").read_text(encoding="utf-8")
        (found,) = re.findall(rf"(?m)^gpulab_borg_admin_{name}{{.*}} (\S+)$", text)
        return float(found)

    def days_later(self, days: int = 3) -> None:
        """What the admin host remembers of archives happened so much earlier."""
        path = self.root / "admin" / "state" / "gpu1.json"
        memory = json.loads(path.read_text(encoding="utf-8"))
        for known in memory["archives"].values():
            for key in ("not_before", "first_seen"):
                known[key] -= days * DAY
        path.write_text(json.dumps(memory), encoding="utf-8")

    def archives(self) -> dict[str, str]:
        """Name by id."""
        environment = {**self.environment, "BORG_RSH": str(self.root / "ssh-admin"), "BORG_BASE_DIR": str(self.root / "admin" / "other")}
        done = subprocess.run(["borg", "list", "--bypass-lock", "--json", "::"], env=environment, capture_output=True, text=True, check=True)
        return {a["id"]: a["barchive"] for a in json.loads(done.stdout)["archives"]}

    def extracts(self, name: str) -> bool:
        """Whether the archive comes back whole, read by the admin host, which knows nothing from before."""
        environment = {**self.environment, "BORG_RSH": str(self.root / "ssh-admin"), "BORG_BASE_DIR": str(self.root / "admin" / "other")}
        argv = ["borg", "extract", "--bypass-lock", "--dry-run", f"::{name}"]
        return subprocess.run(argv, env=environment, capture_output=True, check=False).returncode == 0

    # -- the server

    def roll_back(self, transaction: int) -> None:
        """As borg_rollback does: segments after C(transaction) and the index are moved aside."""
        shutil.rmtree(self.root / "srv" / "aside")
        (self.root / "srv" / "aside").mkdir()
        for path in (self.repository / "data").glob("*/*"):
            if int(path.name) > transaction:
                path.rename(self.root / "srv" / "aside" / path.name)
        for path in self.repository.iterdir():
            if path.name.split(".")[0] in ("index", "hints", "integrity"):
                path.rename(self.root / "srv" / "aside" / path.name)


@dataclasses.dataclass
class Kept:
    """The hosts as they are at a moment, to come back to."""

    hosts: Hosts
    path: pathlib.Path

    @classmethod
    def of(cls, hosts: Hosts) -> Kept:
        kept = cls(hosts, hosts.root.with_name(f"{hosts.root.name}.kept"))
        shutil.copytree(hosts.root, kept.path, symlinks=True)
        return kept

    def back(self) -> None:
        shutil.rmtree(self.hosts.root)
        shutil.copytree(self.path, self.hosts.root, symlinks=True)
