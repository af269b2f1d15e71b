# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[4]


def test_phase_1_checks_the_lab_before_anything_else() -> None:
    first = yaml.safe_load((ROOT / "playbooks" / "phase1.yml").read_text(encoding="utf-8"))[0]
    assert first["ansible.builtin.import_playbook"] == "lab.yml"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"lab_networks": {"management": {"cidr": "10.1.0.0/24"}}}, "10.1.0.9 is expected to belong to one host, but belongs to gpu1 and gpu2."),
        ({"lab_confrim": []}, "lab_confrim is expected to be a variable of the role, but is none (is lab_confirm meant?)"),
        ({}, ""),
    ],
)
def test_what_is_wrong_with_the_lab_stops_the_play(tmp_path: pathlib.Path, variables: dict[str, t.Any], sentence: str) -> None:
    (tmp_path / "hosts").write_text("gpu1 ansible_host=10.1.0.9\ngpu2 ansible_host=10.1.0.9\n", encoding="utf-8")
    argv = ["ansible-playbook", "-i", str(tmp_path / "hosts"), "playbooks/lab.yml", "-e", json.dumps(variables)]
    run = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert bool(run.returncode) == bool(sentence) and sentence in " ".join(run.stdout.split()), run.stdout
