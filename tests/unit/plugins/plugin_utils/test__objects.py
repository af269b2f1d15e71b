# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAY = """
- hosts: localhost
  gather_facts: false
  {collections}
  tasks:
    - name: Note that the unit is started for the first time
      {name}_noted:
    - {module}:
        url: http://127.0.0.1:9
        unit: server.service
        {args}
"""
NOTED = """
from ansible_collections.gpulab.expansion.plugins.plugin_utils._actions import HostAction

class ActionModule(HostAction):
    def run(self, tmp=None, task_vars=None):
        self._vars = task_vars
        self._ledger.add("localhost", {("first_start", "server.service")})
        return {"changed": False}
"""
HARBOR = "username: admin\n        password: x\n        list: "
SEARCH = "engine: opensearch\n        list: "


@pytest.mark.parametrize(
    ("module", "collections", "args", "told"),
    [
        ("gpulab.expansion.harbor_label", "", HARBOR + "[{name: cuda}]", [{"key": "cuda", "after": {"state": "present", "color": "", "description": ""}}]),
        ("harbor_label", "collections: [gpulab.expansion]", HARBOR + "[{name: cuda}]", [{"key": "cuda"}]),
        ("gpulab.expansion.search_index", "", SEARCH + "[{name: logs}]", [{"key": "logs", "after": {"state": "present"}}]),
        ("gpulab.expansion.harbor_objects", "", HARBOR + "[harbor_label: [{name: a}], harbor_project: [{name: b}]]", [{"key": "a"}, {"key": "b"}]),
        ("gpulab.expansion.harbor_configuration", "", HARBOR + "[{name: read_only, value: true}]", "read_only is expected to be compared with what the"),
        ("gpulab.expansion.harbor_objects", "", HARBOR + "[harbor_configuration: [{name: read_only, value: 1}]]", "but this run has yet to start it"),
        ("gpulab.expansion.harbor_label", "", HARBOR + "[{name: cuda, color: red}]", "a color as #0065AB is expected"),
        ("gpulab.expansion.harbor_objects", "", HARBOR + "[{harbor_lable: []}]", "with its objects is expected in each entry, but one has harbor_lable"),
    ],
)
def test_what_a_server_will_keep_that_this_run_would_first_start(tmp_path: pathlib.Path, module: str, collections: str, args: str, told: t.Any) -> None:
    """Nothing answers at that address; all names of a module lead to the same action."""
    plugins = tmp_path / "action_plugins"
    plugins.mkdir()
    (plugins / "x_noted.py").write_text(NOTED, encoding="utf-8")
    play = tmp_path / "play.yml"
    play.write_text(PLAY.format(name="x", module=module, collections=collections, args=args), encoding="utf-8")
    argv = ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "--check", "-vvv", str(play)]
    run = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    if isinstance(told, str):
        assert run.returncode and told in run.stdout.replace("\n", " "), run.stdout
        return
    begin = run.stdout.rindex('"gpulab_prediction": ') + len('"gpulab_prediction": ')
    found = json.JSONDecoder().raw_decode(run.stdout[begin:])[0]
    assert [{name: row[name] for name in one} for one, row in zip(told, found)] == told and len(found) == len(told), run.stdout
