# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.gpulab.expansion.plugins.plugin_utils._role_inputs import complaints, misspelled

ROOT = pathlib.Path(__file__).resolve().parents[4]
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
        ({"type": "dict", "no_log": True, "options": {"u": {"type": "int"}}}, {"u": "Xq7"}, ["x.u is expected to be a whole number, but is something else"]),
        ({"type": "int"}, "https://me:Xq7@mirror", ["x is expected to be a whole number, but is something else"]),
        ({"type": "path"}, "/srv/lab", []),
        ({"type": "path"}, "/srv/100%h", ["x is expected to be a path without %, which a unit of systemd takes for a sign of its own, but is '/srv/100%h'"]),
        ({"type": "str"}, "100%", []),
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


def test_each_directory_that_a_unit_names_is_a_path() -> None:
    """So that none has a sign of systemd's in it: of what is chosen, only directories may have one that systemd would read."""
    seen = set()
    for role in ROOT.glob("roles/*"):
        specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        options = {name: spec for part in specs.values() for name, spec in part["options"].items()}
        named = set(re.findall(rf"\b{role.name}_\w*directory\b", "".join(unit.read_text(encoding="utf-8") for unit in role.glob("templates/*.service.j2"))))
        named |= set(re.findall(rf"\b{role.name}_\w*directory\b", "".join(path.read_text(encoding="utf-8") for path in role.glob("vars/main.yml"))))
        assert {options[name]["type"] for name in named} <= {"path"}, role.name
        assert "role_inputs" in (role / "tasks" / "preflight.yml").read_text(encoding="utf-8")
        seen |= named
    assert {"gpu_node_metrics_directory", "borg_server_directory", "borg_metrics_directory"} <= seen


def test_a_prefix_that_others_use_too() -> None:
    known = set(yaml.safe_load((ROOT / "roles" / "lab" / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]["main"]["options"])
    own = ["dns", "domain", "name", "users", "data", "storage", "nodes", "root", "proxy", "ntp", "group", "path", "url", "timeout"]
    assert not misspelled("lab_", [f"lab_{name}" for name in own], known, near=True) and misspelled("lab_", ["lab_domain"], known)
    meant_by = {"confrim": "confirm", "networsk": "networks", "gate_overides": "gate_overrides", "precondition": "preconditions"}
    for wrong, meant in meant_by.items():
        said = " ".join(misspelled("lab_", [f"lab_{wrong}"], known, near=True))
        assert f"is lab_{meant} meant?" in said, said


def test_misspelled() -> None:
    found = misspelled("borg_", ["borg_interval_minuets", "borg_sources", "other"], {"borg_sources", "borg_interval_minutes"})
    assert found == ["borg_interval_minuets is expected to be a variable of the role, but is none (is borg_interval_minutes meant?)"]
