# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout as the collection it is, without a second copy; and how property tests run."""

from __future__ import annotations

import os
import pathlib
import sys

from hypothesis import settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

# as make has it, for who runs pytest by itself: the programs beside this Python, and this checkout's configuration
os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

# the same examples each time, and none that fails because the machine is busy
settings.register_profile("lab", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("lab")
