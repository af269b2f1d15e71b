# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Segments of a repository and their copy in a bucket: names, what is remembered of them, and how rclone is called.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import tempfile
import typing as t

NAMED = ["--files-from-raw", "-"]  # the files whose names come on standard input
SEGMENTS = "gpulab-segments"  # object that lists the segments of the copy; others in the bucket wait for their removal
State = t.Dict[str, t.Any]


def segments(repository: str, up_to: int | None = None) -> list[str]:
    """Paths of the segments below C(data), by number; C(up_to) leaves out those of a transaction that still runs."""
    found = [
        f"{folder}/{name}"
        for folder in os.listdir(f"{repository}/data")
        if folder.isdigit()
        for name in os.listdir(f"{repository}/data/{folder}")
        if name.isdigit() and (up_to is None or int(name) <= up_to)
    ]
    return sorted(found, key=number)


def number(segment: str) -> int:
    return int(segment.rpartition("/")[2])


def lines(names: t.Iterable[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def read_state(path: str) -> State:
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_state(path: str, state: t.Mapping[str, t.Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".state-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(state, stream, sort_keys=True)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def rclone_argv(config: str, verb: str, options: t.Sequence[str], paths: t.Sequence[str]) -> list[str]:
    """rclone's command line: C(paths) are names of remotes, buckets and directories, and never options."""
    return ["rclone", "--config", config, "--stats", "0", verb, *options, "--", *paths]
