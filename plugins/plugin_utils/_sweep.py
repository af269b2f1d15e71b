# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-core leaves on the control node when it is killed.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil

LEFT_AFTER = 3600  # seconds; another container may share the home directory, where a process of this one is not seen


def sweep(local_tmp: str, now: float) -> list[str]:
    """Remove the temporary directories of runs that are dead, beside C(local_tmp) of this one; without pipelining they hold arguments of modules."""
    parent = os.path.dirname(local_tmp)
    gone = []
    for name in sorted(os.listdir(parent)):
        found = re.fullmatch(r"ansible-local-(\d+).{8}", name)  # the process, and eight letters that make it unique
        path = os.path.join(parent, name)
        if not found or path == local_tmp or os.path.exists(f"/proc/{found.group(1)}"):
            continue
        with contextlib.suppress(OSError):  # another run removes it, too
            if os.lstat(path).st_uid == os.getuid() and now - os.lstat(path).st_mtime > LEFT_AFTER:
                shutil.rmtree(path)
                gone.append(path)
    return gone
