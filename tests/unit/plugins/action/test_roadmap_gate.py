# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.action.roadmap_gate import _known
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.files import read_roadmap
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.model import Reading, RoadmapError

ROADMAP = read_roadmap()


def test_what_is_declared_stands_beside_what_is_measured() -> None:
    known = _known(ROADMAP, {"log_cores": [{"source": "host", "time": 5, "value": 8}]}, {"log_cores": 4, "object_storage": True}, 9.0)
    assert known == {"log_cores": [Reading("host", 5, 8), Reading("declared", 9, 4)], "object_storage": [Reading("declared", 9, 1)]}


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"objectstorage": True}, "but found is objectstorage: correct it"),
        ({"object_storage": 1}, "object_storage in lab_preconditions is expected to be true or false, but is 1"),
        ({"object_storage": "yes"}, "true or false, but is 'yes'"),
        ({"log_cores": True}, "log_cores in lab_preconditions is expected to be a number of cores, but is True"),
    ],
)
def test_a_wrong_declaration_is_told(declared: dict[str, t.Any], said: str) -> None:
    with pytest.raises(RoadmapError, match=said):
        _known(ROADMAP, {}, declared, 9.0)
