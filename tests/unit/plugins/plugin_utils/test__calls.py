# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.plugin_utils._calls import lacks

GROUPS = {"all": ["localhost", "gpu1", "gpu2", "store1"], "borg_clients": ["gpu1", "gpu2"], "borg_server": ["store1"], "elk": []}
ARGS: dict[str, t.Any] = {
    "variables": {"paths": "/home/alice"},
    "hosts": {"restore_host": "all", "client": "borg_clients"},
    "groups": ["borg_server"],
    "in_run": ["borg_clients[0]", "borg_server", "localhost"],
    "because": "it has the archives",
}
GIVEN = {"paths": ["/etc"], "restore_host": "store1", "client": "gpu2"}


def test_a_call_that_names_all_is_well() -> None:
    assert lacks(ARGS, GIVEN, GROUPS, GROUPS["all"]) == "" and lacks({}, {}, GROUPS, []) == ""


@pytest.mark.parametrize(
    ("args", "given", "groups", "in_run", "sentence"),
    [
        ({}, {}, {"all": ["localhost"]}, [], "Hosts are expected in the inventory, but there are none: name it with -i."),
        ({"groups": ["elk"]}, {}, GROUPS, [], "A host is expected in the group elk, but there is none: name it in the inventory"),
        ({"groups": ["harbor"]}, {}, GROUPS, [], "A host is expected in the group harbor, but there is none"),
        (ARGS, {**GIVEN, "paths": ""}, GROUPS, GROUPS["all"], "paths is expected to be set, but is not: add -e paths=/home/alice."),
        (
            ARGS,
            {**GIVEN, "client": None},
            GROUPS,
            GROUPS["all"],
            "client is expected to be a host of the group borg_clients, but is not set: add -e client= and",
        ),
        (ARGS, {**GIVEN, "client": "store1"}, GROUPS, GROUPS["all"], "but is 'store1': add -e client= and one of gpu1, gpu2."),
        (ARGS, {**GIVEN, "restore_host": "gpu9"}, GROUPS, GROUPS["all"], "restore_host is expected to be a host of the inventory, but is 'gpu9'"),
        (
            ARGS,
            GIVEN,
            GROUPS,
            ["gpu1", "localhost"],
            "store1 is expected in this run, because it has the archives, but is left out: leave --limit out, or add store1",
        ),
        (ARGS, GIVEN, GROUPS, ["gpu2", "store1", "localhost"], "gpu1 is expected in this run"),
        (ARGS, GIVEN, GROUPS, ["gpu1", "store1"], "The control node is expected in this run"),
    ],
)
def test_what_it_leaves_out_is_said_in_one_sentence(args: t.Any, given: t.Any, groups: t.Any, in_run: t.Any, sentence: str) -> None:
    said = lacks(args, given, groups, in_run)
    assert sentence in said and said.endswith(".") and "\n" not in said, said
