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
from ansible_collections.gpulab.expansion.plugins.action.resources_info import ActionModule
from ansible_collections.gpulab.expansion.plugins.plugin_utils._ledger import Ledger


@pytest.mark.parametrize(("host", "check", "waits", "state"), [("gpu1", True, 0, "pending"), ("gpu1", False, 30, "present"), ("gpu2", True, 30, "present")])
def test_a_dry_run_waits_for_nothing_that_only_the_run_brings(
    host: str, check: bool, waits: int, state: str, tmp_path: pathlib.Path, monkeypatch: t.Any
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    Ledger(str(tmp_path)).add("gpu1", {("unit", "watch.timer")})
    asked: list[dict[str, t.Any]] = []
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(ActionModule, "_read", lambda _self, _module, args: asked.append(args) or {})
    action = object.__new__(ActionModule)
    action._task = types.SimpleNamespace(args={"units": ["watch.timer"], "wait_seconds": 30}, check_mode=check, delegate_to=None)
    assert action.run(None, {"inventory_hostname": host})["state"] == state
    assert asked == [{"units": ["watch.timer"], "wait_seconds": waits}]
