# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import types
import typing as t

import pytest
from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.gpulab.expansion.plugins.action.phase_outcome import ActionModule


@pytest.mark.parametrize(
    ("run", "skip", "told"),
    [
        (["all"], [], "elk: not brought to its end on mgmt1"),
        (["monitoring", "gpu_node", "borg"], [], "elk: left out: --tags borg,gpu_node,monitoring"),
        (["gpu_node", "elk"], [], "elk: not brought to its end on mgmt1"),
        (["all"], ["harbor", "elk", "borg"], "elk: left out: --skip-tags borg,elk,harbor"),
        (["elk"], ["elk"], "elk: left out: --skip-tags elk"),
        (["all"], ["borg"], "elk: not brought to its end on mgmt1"),
    ],
)
def test_what_the_tags_leave_out_is_told_in_one_order(run: list[str], skip: list[str], told: str, tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    """Ansible keeps them as sets, whose order is another in each run."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    action = object.__new__(ActionModule)
    action._task = types.SimpleNamespace(args={"modules": [{"module": "elk", "group": "elk_clients", "hosts": ["mgmt1"]}]}, check_mode=True)
    assert action.run(None, {"ansible_run_tags": run, "ansible_skip_tags": skip})["msg"] == [told]
