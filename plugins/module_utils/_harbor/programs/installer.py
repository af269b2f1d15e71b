# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and stops Harbor as its installer would, from the installer's archive. A unit runs it on the registry's host.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Source: https://goharbor.io/docs/2.14.0/install-config/ and .../administration/upgrade/.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import typing as t

from ..upgrade import upgrade_problem

Config = t.Mapping[str, t.Any]
DATABASE = "postgresql"  # name of its service
END = b"PostgreSQL database cluster dump complete"


class ServeError(Exception):
    """A sentence for the admin."""


class Harbor:
    """C(run) and C(wait) are for tests."""

    def __init__(self, config: Config, run: t.Callable[..., t.Any] = subprocess.run, wait: t.Callable[[float], None] = time.sleep) -> None:
        self._config, self._run, self._wait = config, run, wait
        self._state = pathlib.Path(config["state"])

    def version(self) -> str:
        """The one that ran last; empty when none did."""
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(self._state.read_text(encoding="utf-8"))["version"])
        return ""

    def home(self, version: str) -> pathlib.Path:
        return pathlib.Path(self._config["directory"]) / version

    def start(self) -> None:
        new, old = self._config["version"], self.version()
        problem = upgrade_problem(old, new)
        if problem:
            raise ServeError(problem)
        self._unpack(new)
        if old and old != new:
            self._compose(old, "up", "-d", "--wait", DATABASE)
            self.dump(self._config["dumps"] + f"/before-{new}.sql.gz", old)
            self._compose(old, "down")
        home = self.home(new)
        shutil.copyfile(self._config["config"], home / "harbor.yml")
        os.chmod(home / "harbor.yml", 0o600)
        images = home / f"harbor.v{new}.tar.gz"
        if images.exists() and self._run(["docker", "image", "inspect", f"goharbor/harbor-core:v{new}"], capture_output=True, check=False).returncode:
            self._run(["docker", "load", "-q", "-i", str(images)], check=True)
        self._run(["./prepare", *(["--with-trivy"] if self._config["scanner"] else [])], cwd=home, check=True)
        self._compose(new, "up", "-d", "--wait")
        self._remember(new)

    def stop(self) -> None:
        if self.version():
            self._compose(self.version(), "down")

    def dump(self, path: str, version: str = "") -> None:
        """All of its database into C(path), whole or not at all."""
        version = version or self.version()
        for _try in range(60):
            if self._compose(version, "exec", "-T", DATABASE, "pg_isready", "-q", check=False).returncode == 0:
                break
            self._wait(1)
        dumped = self._compose(version, "exec", "-T", DATABASE, "pg_dumpall", "-U", "postgres", "--clean", "--if-exists", capture_output=True).stdout
        if END not in dumped[-400:]:
            raise ServeError(f"a whole dump of Harbor's database is expected, but it ends early ({len(dumped)} bytes): see docker logs harbor-db.")
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        temporary = path + ".new"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as out:
            out.write(dumped)
        os.replace(temporary, path)

    def _compose(self, version: str, *argv: str, check: bool = True, **more: t.Any) -> t.Any:
        return self._run(["docker", "compose", "-f", str(self.home(version) / "docker-compose.yml"), *argv], check=check, **more)

    def _unpack(self, version: str) -> None:
        """Into a folder of its own, which has its name only when it is whole."""
        home = self.home(version)
        if (home / "prepare").exists():
            return
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".unpacking-") as work:
            try:
                with tarfile.open(self._config["installer"]) as archive:
                    archive.extractall(work, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(work)  # noqa: S202 - its digest is known
            except (OSError, tarfile.TarError) as exc:
                raise ServeError(
                    f"Harbor's installer is expected in {self._config['installer']}, but it cannot be unpacked ({exc}): correct harbor_installer."
                ) from exc
            if not (pathlib.Path(work) / "harbor" / "prepare").exists():
                raise ServeError(f"Harbor's installer is expected in {self._config['installer']}, but has no harbor/prepare: correct harbor_installer.")
            os.rename(pathlib.Path(work) / "harbor", home)

    def _remember(self, version: str) -> None:
        temporary = self._state.with_suffix(".new")
        temporary.write_text(json.dumps({"version": version}) + "\n", encoding="utf-8")
        os.replace(temporary, self._state)


def main() -> int:
    verb, path = sys.argv[1:3]
    with open(path, encoding="utf-8") as handle:
        harbor = Harbor(json.load(handle))
    try:
        if verb == "dump":
            harbor.dump(sys.argv[3])
        else:
            {"start": harbor.start, "stop": harbor.stop}[verb]()
    except (ServeError, OSError, subprocess.CalledProcessError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
