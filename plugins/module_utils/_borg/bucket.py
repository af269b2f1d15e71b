# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders of an object store through rclone, for modules.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from .client import Run
from .segments import NAMED, SEGMENTS, lines, number, rclone_argv


class BucketError(Exception):
    """A sentence for the admin."""


class Folder:
    """C(path) is a remote and a path, as C(offsite:bucket/borg/gpu1); C(config) is rclone's configuration file."""

    def __init__(self, run: Run, config: str, path: str) -> None:
        self._run = run
        self._config = config
        self.path = path

    def rclone(self, verb: str, *options: str, paths: t.Sequence[str], names: t.Iterable[str] | None = None) -> str:
        """rclone's output; C(names) are the only objects that it looks at."""
        chosen = NAMED if names is not None else []
        argv = rclone_argv(self._config, verb, ["--retries", "2", "--contimeout", "15s", *options, *chosen], paths)
        rc, out, err = self._run(argv, data=lines(names) if names is not None else None)
        if rc:
            said = [line for line in err.splitlines() if line.strip()]
            raise BucketError(
                f"{self.path} is expected to be usable, but rclone {verb} fails: {said[-1] if said else 'without a reason'}. "
                "See whether endpoint, bucket and key are right."
            )
        return out

    def sizes(self) -> dict[str, int]:
        """Bytes by path of each object; empty when there is no such folder."""
        rc, out, err = self._run(rclone_argv(self._config, "lsf", ["--contimeout", "15s", "-R", "--files-only", "--format", "ps"], [self.path]))
        if rc and "directory not found" in err:
            return {}
        if rc:
            raise BucketError(f"{self.path} is expected to be readable, but rclone says: {err.strip().splitlines()[-1] if err.strip() else 'nothing'}.")
        return {path: int(size) for path, _sep, size in (line.rpartition(";") for line in out.splitlines()) if path}

    def live(self, sizes: t.Mapping[str, int]) -> dict[str, int]:
        """Those of C(sizes) that belong to the repository: obsolete segments that wait for their removal do not.

        BucketError when one that belongs to it is not there.
        """
        if SEGMENTS not in sizes:
            return dict(sizes)
        listed = {f"data/{line}" for line in self.rclone("cat", paths=[f"{self.path}/{SEGMENTS}"]).split()}
        lost = sorted(listed - set(sizes))
        if lost:
            raise BucketError(
                f"{self.path} is expected to hold {len(listed)} segments, but {len(lost)} are lost: {', '.join(lost[:3])}. "
                "Recover what there is by hand with borg check --repair on a copy, or use the bucket's older versions."
            )
        return {path: size for path, size in sizes.items() if path in listed or not path.startswith("data/") and path != SEGMENTS}


def above(sizes: t.Mapping[str, int], segment: int) -> list[str]:
    """Paths of the segments with a higher number than C(segment)."""
    return sorted((path for path in sizes if path.startswith("data/") and number(path) > segment), key=number)
