# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gpulab.expansion.plugins.filter.restore_comparison import restore_comparison


def entry(content: str, changed: float = 1.0, mode: str = "0644") -> dict[str, object]:
    return {"content": content, "mode": mode, "changed": changed}


def test_every_kind_of_difference() -> None:
    original = {
        "/a": entry("x"),
        "/flipped": entry("x"),
        "/lost": entry("x"),
        "/mode": entry("x", mode="0600"),
        "/later": entry("y", changed=10.0),
        "/left/out": entry("x"),
    }
    tree = {"/a": entry("x"), "/flipped": entry("z"), "/mode": entry("x"), "/later": entry("x"), "/extra": entry("e")}
    found = restore_comparison(tree, original, since=5.0, without=["/left"])
    assert found == {"equal": 1, "changed_since": 1, "different": ["/flipped", "/mode"], "missing": ["/lost"]}
