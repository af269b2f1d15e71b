# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - gpulab.expansion.verdict:
        list:
          - {subject: first, that: seen == 1, measured: "{{ seen }} seen", otherwise: "one is expected, but there are {{ seen }}."}
          - {subject: left out, when: seen == 7, that: false, otherwise: "never rendered {{ nothing }}"}
          - {subject: awaited, pending: "{{ seen == 2 }}", that: "{{ nothing }}", otherwise: never}
          - {subject: last, that: [seen > 0, seen < 2], measured: fine, otherwise: "below two is expected, but found is {{ seen }}."}
"""


def verdicts(tmp_path: pathlib.Path, seen: int) -> tuple[int, str, list[dict[str, t.Any]]]:
    play = tmp_path / "play.yml"
    play.write_text(PLAY, encoding="utf-8")
    run = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps({"seen": seen}), "-vv", str(play)],
        capture_output=True,
        text=True,
        check=False,
    )
    text = run.stdout
    found = json.JSONDecoder().raw_decode(text[text.index("=> {") + 3 :])[0]
    return run.returncode, str(found.get("msg")), found.get("gpulab_verdicts", [])


def test_all_of_a_list_are_judged_and_one_left_out(tmp_path: pathlib.Path) -> None:
    code, message, told = verdicts(tmp_path, 2)
    assert code == 2, told
    assert [(v["subject"], v["verdict"]) for v in told] == [("first", "failed"), ("awaited", "pending"), ("last", "failed")]
    assert message == "one is expected, but there are 2. below two is expected, but found is 2."
