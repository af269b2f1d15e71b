# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import time

from ansible_collections.gpulab.expansion.plugins.module_utils._host import unwritten
from ansible_collections.gpulab.expansion.plugins.module_utils._waiting import read_until


def test_reads_until_it_is_enough() -> None:
    asked = iter(range(9))
    assert read_until(lambda: next(asked), lambda found: found == 3, 10, 0.01) == 3


def test_what_never_comes_is_no_error() -> None:
    asked = iter(range(99))
    assert read_until(lambda: next(asked), lambda found: False, 0, 0.01) == 0
    assert read_until(lambda: next(asked), lambda found: False, 0.05, 0.01) > 1


def test_what_is_old_or_says_something_else_is_not_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metrics"
    path.write_text("begun\nready 1\n", encoding="ascii")
    os.utime(path, (time.time() - 100, time.time() - 100))
    wanted = {str(path): "^ready 1$"}
    assert unwritten(wanted, None) == [] and unwritten(wanted, 200) == []
    assert unwritten(wanted, 50) == [str(path)]
    assert unwritten({str(path): "^ready 2$", str(tmp_path / "absent"): ""}, None) == [str(path), str(tmp_path / "absent")]
