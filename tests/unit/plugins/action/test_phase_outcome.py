# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import types
import typing as t

import pytest
from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.gpulab.expansion.plugins.action.phase_outcome import ActionModule
from ansible_collections.gpulab.expansion.plugins.plugin_utils._ledger import Ledger
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.files import read_roadmap


@pytest.mark.parametrize(
    ("run", "skip", "told"),
    [
        (["all"], [], "elk: not brought to its end on mgmt1, gpu1"),
        (["monitoring", "gpu_node", "borg"], [], "elk: left out: --tags borg,gpu_node,monitoring"),
        (["gpu_node", "elk"], [], "elk: not brought to its end on mgmt1, gpu1"),
        (["all"], ["harbor", "elk", "borg"], "elk: left out: --skip-tags borg,elk,harbor"),
        (["elk"], ["elk"], "elk: left out: --skip-tags elk"),
        (["all"], ["borg"], "elk: not brought to its end on mgmt1, gpu1"),
    ],
)
def test_what_the_tags_leave_out_is_told_in_one_order(run: list[str], skip: list[str], told: str, tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    """Ansible keeps them as sets, whose order is another in each run."""
    assert told in outcome(tmp_path, monkeypatch, {"ansible_run_tags": run, "ansible_skip_tags": skip})["msg"]


def test_what_another_module_brought_along_is_not_left_out(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    """As elk does with the authority that signs for it."""
    variables = {"ansible_run_tags": ["elk"], "groups": {"elk": ["mgmt1"], "authority": ["mgmt1"]}}
    assert "authority: left out: --tags elk" in outcome(tmp_path, monkeypatch, variables)["msg"]
    Ledger(str(tmp_path)).finish("mgmt1", "authority")
    assert "authority: checked on mgmt1" in outcome(tmp_path, monkeypatch, variables)["msg"]


def outcome(tmp_path: pathlib.Path, monkeypatch: t.Any, variables: dict[str, t.Any], check: bool = True, **args: t.Any) -> dict[str, t.Any]:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(ActionBase, "run", lambda *_args: {})
    action = object.__new__(ActionModule)
    action._task = types.SimpleNamespace(args={"phase": 1, **args}, check_mode=check)
    return action.run(None, {"groups": {"elk": ["mgmt1"], "elk_clients": ["gpu1", "mgmt1"]}, **variables})


def test_a_module_without_hosts_is_skipped_and_one_behind_its_gate_fails(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    ledger = Ledger(str(tmp_path))
    for host in ("gpu1", "mgmt1"):
        ledger.finish(host, "elk")
    ledger.note_gate("borg", {"passes": False, "reason": "borg expects a bucket."})
    told = outcome(tmp_path, monkeypatch, {"groups": {"elk": ["mgmt1"], "elk_clients": ["gpu1"], "borg_clients": ["gpu1"]}})
    assert told["failed"] and told["msg"] == "borg: borg expects a bucket."
    expected = {
        "gpu_node": "skipped: the group gpu_nodes is empty",
        "monitoring": "skipped: the group monitoring is empty",
        "elk": "checked on mgmt1, gpu1",
        "borg": "stopped by its gate: borg expects a bucket.",
        "harbor": "skipped: the group harbor is empty",
    }
    outcomes = {each["module"]: each["outcome"] for each in told["gpulab_outcomes"]}
    roadmap = read_roadmap()
    assert set(outcomes) == {key for key, module in {**roadmap.modules, **roadmap.supports}.items() if module.phase == 1}
    assert outcomes.items() >= expected.items()


def test_an_engine_without_clients_is_deployed_all_the_same(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    Ledger(str(tmp_path)).note_gate("elk", {"passes": False, "reason": "elk expects cores."})
    told = outcome(tmp_path, monkeypatch, {"groups": {"elk": ["mgmt1"]}})
    assert told["failed"] and told["msg"] == "elk: elk expects cores."


def test_a_labs_own_roadmap_leaves_nobody_out(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    """It says when and why; how a module is deployed is said in the collection."""
    (tmp_path / "own.yml").write_text("{evidence: {}, phases: {1: {}}, modules: {elk: {phase: 1}, notebooks: {phase: 1}}}", encoding="utf-8")
    Ledger(str(tmp_path)).note_gate("elk", {"passes": False, "reason": "elk expects cores."})
    told = outcome(tmp_path, monkeypatch, {"groups": {"elk": ["mgmt1"]}}, phase="1", roadmap=str(tmp_path / "own.yml"))
    assert told["failed"] and [each["module"] for each in told["gpulab_outcomes"]] == ["gpu_node", "authority", "monitoring", "elk"]


ROADMAP = """
evidence: {}
phases: {1: {}}
modules:
  notebooks: {phase: 1, playbook: notebooks, groups: [notebooks]}
"""
REQUEST = """
title: Notebooks
who: Li Wei
need: for teaching
impact: team
module: notebooks
review: {by: Chen Jing, date: 2026-11-20}
approval: {by: Zhao Min, date: 2026-11-21}
"""


def test_a_module_of_the_labs_own_roadmap_is_accepted(tmp_path: pathlib.Path, monkeypatch: t.Any) -> None:
    (tmp_path / "roadmap.yml").write_text(ROADMAP, encoding="utf-8")
    requests = tmp_path / "requests"
    requests.mkdir()
    (requests / "notebooks.yml").write_text(REQUEST, encoding="utf-8")
    Ledger(str(tmp_path)).finish("gpu1", "notebooks")
    own = {"roadmap": str(tmp_path / "roadmap.yml"), "requests": str(requests)}
    told = outcome(tmp_path, monkeypatch, {"groups": {"notebooks": ["gpu1"]}}, check=False, **own)
    assert told["changed"] and json.loads((requests / "accepted" / "notebooks.json").read_text(encoding="utf-8"))["module"] == "notebooks"
