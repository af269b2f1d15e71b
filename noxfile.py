# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# /// script
# dependencies = ["nox>=2026.4", "antsibull-nox>=1.10"]
# ///

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import sys

import antsibull_nox
import nox

ROOT = pathlib.Path(__file__).resolve().parent

antsibull_nox.load_antsibull_nox_toml()


@nox.session(name="sanity", default=False)
def sanity(session: nox.Session) -> None:
    """ansible-test sanity, in a copy, because ansible-test wants a real ansible_collections directory."""
    session.install("-r", "requirements.txt")
    copy = pathlib.Path(session.create_tmp()) / "ansible_collections" / "gpulab" / "expansion"
    shutil.rmtree(copy, ignore_errors=True)
    listed = session.run("git", "ls-files", "--cached", "--others", "--exclude-standard", external=True, silent=True)
    for name in str(listed).split():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    session.chdir(copy)
    session.run("git", "init", "-q", external=True)
    session.run("git", "add", "-A", external=True)
    argv = ["ansible-test", "sanity", "--local", "--requirements", "--python", f"{sys.version_info[0]}.{sys.version_info[1]}", "--color", "no"]
    cache = pathlib.Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    # its environments are made once for all checkouts, and not safely by two at a time
    with open(cache / "gpulab.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # ansible-test fetches pip's installer from the net; the one that Python brings does as well
        for version in ("get_pip_24_2.py", "get_pip_25_2.py", "get_pip_25_3.py"):
            if not (cache / version).exists():
                (cache / version).write_text("import ensurepip\n\nensurepip.bootstrap(upgrade=True, default_pip=True)\n", encoding="ascii")
        session.run(*argv, *session.posargs, env={"PYTHONDONTWRITEBYTECODE": "1", **{k: v for k, v in os.environ.items() if k == "HOME"}})


@nox.session(name="types", default=False)
def types(session: nox.Session) -> None:
    """mypy, strict, on the collection under its full name."""
    session.install("-r", "requirements.txt", "mypy", "types-PyYAML")
    session.chdir(ROOT / ".collections")
    session.run("mypy", "--config-file", str(ROOT / "mypy.ini"), "-p", "ansible_collections.gpulab.expansion.plugins")


@nox.session(name="docs", default=False)
def docs(session: nox.Session) -> None:
    """The documentation of each plugin and role as a page, and the build context of an image for AWX and ansible-navigator."""
    session.install("-r", "requirements.txt", "antsibull-docs", "ansible-builder", "antsibull-changelog")
    session.run("antsibull-changelog", "lint")
    made = pathlib.Path(session.create_tmp())
    shutil.rmtree(made, ignore_errors=True)
    pages, image = made / "pages", made / "image"
    pages.mkdir(parents=True)
    pages.chmod(0o700)  # it refuses a directory that others may write
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    session.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", str(ROOT), env=collections)
    session.run("antsibull-docs", "collection", "--use-current", "--fail-on-error", "--dest-dir", str(pages), "gpulab.expansion", env=collections)
    shutil.copytree(ROOT / "docs" / "execution-environment", image)
    (image / "gpulab-expansion.tar.gz").touch()
    session.run("ansible-builder", "create", "-f", str(image / "execution-environment.yml"), "-c", str(image / "context"))


if __name__ == "__main__":
    nox.main()
