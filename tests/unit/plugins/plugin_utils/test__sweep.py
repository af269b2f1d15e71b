# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

from ansible_collections.gpulab.expansion.plugins.plugin_utils._sweep import LEFT_AFTER, sweep


def test_only_what_dead_runs_left_long_ago_goes(tmp_path: pathlib.Path) -> None:
    own, dead, young, alive, other = (tmp_path / name for name in (
        "ansible-local-99999999abcdefgh", "ansible-local-99999998abcd_f12", "ansible-local-99999997abcdefgh", f"ansible-local-{os.getpid()}abcdefgh", "notes",
    ))  # fmt: skip
    for folder in (own, dead, young, alive, other):
        folder.mkdir()
        (folder / "tmpx").write_text("secret", encoding="utf-8")
        os.utime(folder, (1000, 1000))
    now = 1000.0 + LEFT_AFTER + 1
    os.utime(young, (now - 5, now - 5))
    assert sweep(str(own), now) == [str(dead)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (own, young, alive, other))
