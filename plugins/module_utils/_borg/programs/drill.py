# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores from the newest archive and compares with the host's files. Timers of the client run it.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

    sample   some files are restored into a temporary directory and compared
    full     every file is fetched, decrypted and hashed, which needs no room on the disk, and compared
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import stat
import sys
import tempfile
import time
import typing as t

from ..._textfile import Textfile
from ..client import Access, Archive, Borg, BorgError, add_access, newest, real_paths, run_program, shown

SAMPLE = 100


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def compare(digests: t.Mapping[str, str], since: float, root: str = "/") -> tuple[int, int, list[str]]:
    """C(digests) by path without a leading slash. Returns how many are equal, how many prove nothing because the file was touched
    or removed since, and the paths that differ."""
    equal, touched = 0, 0
    different: list[str] = []
    for path, digest in digests.items():
        told = [same(real, digest, since) for real in real_paths(root, path)]
        if True in told:
            equal += 1
        elif None in told or not told:
            touched += 1
        else:
            different.append("/" + path)
    return equal, touched, different


def same(path: str, digest: str, since: float) -> bool | None:
    """None when it proves nothing, because it was touched since or is no file any more."""
    try:
        info = os.lstat(path)
        return sha256_of(path) == digest if stat.S_ISREG(info.st_mode) and info.st_ctime < since else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def restored_digests(borg: Borg, archive: Archive) -> dict[str, str]:
    """Digests of at most SAMPLE files after restoring them."""
    files = borg.list_files(archive.name)
    chosen = random.sample(files, min(SAMPLE, len(files)))
    with tempfile.TemporaryDirectory(prefix="gpulab-drill-") as tmp:
        borg.extract_files(archive.name, chosen, tmp)
        back = {path: real_paths(tmp, path) for path in chosen}
        lost = [path for path, reals in back.items() if not reals]
        if lost:
            raise BorgError(f"archive {shown(archive.name)}: /{shown(lost[0])} is expected to be restored, but is not: see journalctl -u gpulab-borg.")
        return {path: sha256_of(reals[0]) for path, reals in back.items()}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["sample", "full"])
    add_access(parser)
    parser.add_argument("--textfile", required=True)
    args = parser.parse_args()
    borg = Borg(run_program, Access.of(args))
    started = time.time()
    out, said, equal, touched = Textfile("gpulab_borg"), "", 0, 0
    try:
        archive = newest(borg.read().archives, started)
        if archive is None:
            raise BorgError(f"repository {args.repository}: an archive is expected to restore from, but there is none: see journalctl -u gpulab-borg.")
        digests = restored_digests(borg, archive) if args.kind == "sample" else borg.digests(archive.name)
        equal, touched, different = compare(digests, archive.start)
        if different or not equal:
            said = f"archive {shown(archive.name)}: files that were not touched since are expected to be equal, but {len(different)} differ and "
            said += f"{equal} are equal: {', '.join(map(shown, different[:5]))}"
    except BorgError as exc:
        said = str(exc)
    labels = {"kind": args.kind}
    out.gauge("drill_succeeded", "Whether the last restore drill found every file as it was", not said, **labels)
    out.gauge("drill_timestamp_seconds", "When the last restore drill ended", time.time(), **labels)
    out.gauge("drill_seconds", "How long it took", time.time() - started, **labels)
    out.gauge("drill_equal_files", "Files that came back as they are", equal, **labels)
    out.gauge("drill_touched_files", "Files that were touched since, which proves nothing", touched, **labels)
    out.write(args.textfile)
    sys.stderr.write(f"{said or f'{equal} files equal, {touched} touched since'}\n")
    return 1 if said else 0


if __name__ == "__main__":
    raise SystemExit(main())
