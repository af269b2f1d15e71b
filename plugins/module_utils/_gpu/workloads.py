# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks on the GPUs of a host, where no scheduler counts them.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A task is a container with processes on a GPU, or a session with such processes outside any: eight ranks of one torchrun are one task.
"""

from __future__ import annotations

import os
import re
import typing as t

# docker, containerd, CRI-O, podman and Kubernetes name the container by 64 hex digits in the control group
_CONTAINER = re.compile(r"(?:docker|containerd|crio|libpod|kubepods)\S*?([0-9a-f]{64})")


def tasks(pids: t.Iterable[int], proc: str = "/proc") -> list[dict[str, t.Any]]:
    """C(name) (of the container or session) and C(containerised) of each task; a process that has ended is left out."""
    found: dict[str, bool] = {}
    host = _root(proc, 1)
    for pid in pids:
        home = os.path.join(proc, str(pid))
        try:
            with open(os.path.join(home, "cgroup"), encoding="utf-8", errors="replace") as handle:
                container = _CONTAINER.search(handle.read())
            with open(os.path.join(home, "stat"), encoding="utf-8", errors="replace") as handle:
                session = handle.read().rpartition(")")[2].split()[3]
            # Apptainer, enroot and bubblewrap make no control group, but a root of their own
            boxed = bool(container) or _root(proc, pid) != host
        except OSError:
            continue
        found[f"container {container.group(1)[:12]}" if container else f"session {session}"] = boxed
    return [{"name": name, "containerised": boxed} for name, boxed in sorted(found.items())]


def _root(proc: str, pid: int) -> tuple[str, str] | None:
    """Device and directory of what is mounted at / for a process, as the kernel lists it: a root is a user's own, and is not looked into.

    Format: proc_pid_mountinfo(5).
    """
    mounted = None
    with open(os.path.join(proc, str(pid), "mountinfo"), encoding="utf-8", errors="surrogateescape") as handle:
        for line in handle:
            fields = line.split()
            if fields[4] == "/":
                mounted = (fields[2], fields[3])
    return mounted
