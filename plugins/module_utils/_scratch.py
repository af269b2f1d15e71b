# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private directory for as long as a module runs.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Not C(AnsibleModule.tmpdir): with pipelining and sudo ansible-core makes C(/root/.ansible/tmp) for it, which stays after a dry run; and without pipelining
it is the connecting user's, who cannot remove what root has written into it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile

PREFIX = "ansible-moduletmp-"  # as ansible-core calls it: what a killed run has left goes with the next one, see _host.left_modules


def scratch(place: str | None = None) -> str:
    """Below C(place), or else where temporary files go; what is large goes to C(/var/tmp), because C(/tmp) may be a small file system in memory."""
    path = tempfile.mkdtemp(prefix=PREFIX, dir=place)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
