# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.plugin_utils._inputs import complaints, misspelled

RETENTION = {"type": "dict", "options": {"hourly": {"type": "int", "required": True}, "daily": {"type": "int"}}}
DUMPS = {"type": "list", "elements": "dict", "options": {"name": {"type": "str", "required": True}}}


@pytest.mark.parametrize(
    ("spec", "value", "said"),
    [
        ({"type": "int"}, 60, []),
        ({"type": "int"}, "60", ["x is expected to be a whole number, but is '60', a text (with -e, give JSON)"]),
        ({"type": "int"}, "often", ["x is expected to be a whole number, but is 'often'"]),
        ({"type": "int", "choices": [5, 10]}, 7, ["x is expected to be one of 5, 10, but is 7"]),
        ({"type": "list", "elements": "int"}, ["a"], ["x is expected to be a list, each of it a whole number, but is ['a']"]),
        ({"type": "list", "elements": "str", "choices": ["a", "b"]}, ["c"], ["x is expected to be a list, each of it one of a, b, but is ['c']"]),
        ({"type": "int", "no_log": True}, "hunter2", ["x is expected to be a whole number, but is something else"]),
        (RETENTION, {"hourly": 48}, []),
        (RETENTION, {"hourly": "often"}, ["x.hourly is expected to be a whole number, but is 'often'"]),
        (RETENTION, {"daily": 1}, ["x.hourly is expected, but is not given"]),
        (RETENTION, {"hourly": 1, "dayly": 1}, ["x is expected to have the keys hourly, daily, but has dayly (is daily meant?)"]),
        (RETENTION, "all", ["x is expected to be a dictionary, but is 'all'"]),
        (DUMPS, [{"name": "a"}], []),
        (DUMPS, [{"name": "a"}, {}], ["x[1].name is expected, but is not given"]),
    ],
)
def test_complaints(spec: dict[str, t.Any], value: t.Any, said: list[str]) -> None:
    assert complaints("x", spec, value) == said


def test_misspelled() -> None:
    found = misspelled("borg_", ["borg_interval_minuets", "borg_sources", "other"], {"borg_sources", "borg_interval_minutes"})
    assert found == ["borg_interval_minuets is expected to be a variable of the role, but is none (is borg_interval_minutes meant?)"]
