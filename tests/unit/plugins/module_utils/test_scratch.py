# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import subprocess
import sys

PROGRAM = """
import os, sys
from ansible_collections.gpulab.expansion.plugins.module_utils._scratch import scratch
path = scratch()
open(os.path.join(path, "secret"), "w").write("x")
print(path, oct(os.stat(path).st_mode & 0o777))
sys.exit(int(sys.argv[1]))
"""


def test_it_is_private_and_goes_however_the_module_ends(tmp_path: pathlib.Path) -> None:
    for status in (0, 1):
        env = {"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", PROGRAM, str(status)], env=env, capture_output=True, text=True, check=False)
        path, mode = done.stdout.split()
        assert (done.returncode, mode) == (status, "0o700") and path.startswith(f"{tmp_path}/ansible-moduletmp-"), done
        assert not list(tmp_path.iterdir())
