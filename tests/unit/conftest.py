# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout as the collection it is, without a second copy; and how property tests run."""

from __future__ import annotations

import pathlib
import sys

from hypothesis import settings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / ".collections"))

# the same examples each time, and none that fails because the machine is busy
settings.register_profile("lab", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("lab")
