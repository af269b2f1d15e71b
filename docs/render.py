# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring up to date what the pages show of a run: the output of commands and the pictures of the audit, from the box. `make docs` runs it after phase 1."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t

DOCS = pathlib.Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGES = (DOCS / "how-a-dry-run-looks.md", DOCS / "how-a-dry-run-looks.zh-CN.md")
PICTURES = {"en": DOCS / "pictures" / "audit.png", "zh": DOCS / "pictures" / "audit.zh-CN.png"}
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.S)
# What Ansible says of each play and task by itself; the pages leave it out.
ANSIBLE = re.compile(r"(PLAY|TASK|RUNNING HANDLER) |(ok|changed|included|skipping|fatal): |\S+ +: ok=\d+|Origin: |\d+ |  +\^ column ")


def commands(page: str) -> list[str]:
    """Each command of the page's console blocks, in order."""
    return [line[2:] for block in BLOCK.findall(page) for line in block.splitlines() if line.startswith("$ ")]


def run(command: str, env: t.Mapping[str, str] | None = None) -> str:
    """What C(command) prints in the checkout, without Ansible's own lines and without the checkout's path."""
    more = {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    argv = ["bash", "-c", command]
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **more, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"`{command}` is expected to succeed, but exits with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    kept = [line.rstrip() for line in done.stdout.replace(f"{ROOT}/", "").splitlines() if not ANSIBLE.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def filled(page: str, outputs: t.Iterable[str]) -> str:
    """C(page) with the output of each command, in order, below it."""
    left = iter(outputs)

    def block(found: re.Match[str]) -> str:
        return "\n".join(f"$ {command}\n{next(left)}".rstrip() + "\n" for command in commands(f"```console\n{found[0]}```"))

    return BLOCK.sub(block, page)


def stable(output: str) -> str:
    """C(output) without what differs from one run to the next: hashes, times and versions."""
    return re.sub(r"\d+(\.\d+)*", "0", re.sub(r"\b[0-9a-f]{12}…|\d{8}T\d{6}Z", "…", output))


def take_picture(page: pathlib.Path, picture: pathlib.Path) -> None:
    """The top of an HTML page, as a browser without a screen shows it."""
    picture.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1400", f"--user-data-dir={tmp}"]
        subprocess.run(["chromium", *options, f"--screenshot={picture}", page.as_uri()], capture_output=True, check=True, timeout=120)


def main() -> int:
    if not shutil.which("chromium"):
        print("chromium and a Chinese font are expected, but not there: apt-get install chromium fonts-wqy-microhei", file=sys.stderr)
        return 1
    texts = {path: path.read_text(encoding="utf-8") for path in PAGES}
    for language, picture in PICTURES.items():
        with tempfile.TemporaryDirectory() as tmp:
            run("ansible-playbook -i inventories/box playbooks/audit.yml --check", {"GPULAB_REPORTS": tmp, "GPULAB_LANGUAGE": language})
            (page,) = pathlib.Path(tmp).glob("audit-*.html")
            take_picture(page, picture)
    outputs = []
    for command in commands(texts[PAGES[0]]):
        print(f"docs: {command}", flush=True)
        outputs.append(run(command))
    for path, text in texts.items():
        path.write_text(filled(text, outputs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
