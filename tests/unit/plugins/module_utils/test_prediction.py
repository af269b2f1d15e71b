# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import (
    difference,
    is_unknown,
    leaves,
    project,
    readable,
    unknown,
    unknown_reason_in,
    unknown_text,
)


def test_unknown_travels_through_text() -> None:
    text = f"key {unknown_text('generated', '/etc/id.pub')} end"
    assert unknown_reason_in(text) == "generated"
    assert readable(text) == "key (known after apply: /etc/id.pub) end"
    assert unknown_reason_in("an @unknown(guess: x)@ is no marker") is None


def test_unknown_wants_a_reason() -> None:
    with pytest.raises(ValueError, match="reason must be one of"):
        unknown("because")


def test_difference() -> None:
    desired = {"mode": "0600", "tree": {"a": 1, "b": 2}, "key": unknown("generated")}
    observed = {"mode": "0600", "tree": {"a": 1, "b": 3}, "key": "abc", "size": 4}
    assert difference(desired, observed) == {"tree": {"b": 2}, "key": unknown("generated")}
    assert difference(desired, None) == desired
    assert difference({"mode": "0600"}, observed) == {}


def test_project_and_leaves() -> None:
    shape = {"tree": {"b": 2}, "gone": 1, "key": unknown("time")}
    assert project({"tree": {"a": 1, "b": 3}, "key": 7}, shape) == {"tree": {"b": 3}, "gone": None, "key": 7}
    found = dict(leaves(shape))
    assert found[("tree", "b")] == 2 and is_unknown(found[("key",)])
