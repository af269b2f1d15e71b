# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("check", [True, False])
def test_a_dry_run_lets_no_host_keep_bytecode(check: bool) -> None:
    """What Ansible imports on a host may be of a package that is only half there, and not compiled yet."""
    python = f"ansible_python_interpreter={sys.executable}"
    argv = ["ansible", "-i", "localhost,", "-c", "local", "-e", python, "localhost", "-m", "gpulab.expansion.resources_info", "-a", "paths=/etc/hostname"]
    run = subprocess.run([*argv, "-vvv", *(["--check"] if check else [])], capture_output=True, text=True, check=True)
    begun = [line for line in run.stdout.splitlines() if "EXEC" in line and sys.executable in line]
    assert begun and all(("PYTHONDONTWRITEBYTECODE=1 " in line) == check for line in begun), run.stdout
