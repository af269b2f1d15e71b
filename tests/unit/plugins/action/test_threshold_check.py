# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("policy", "code", "said"), [("fail", 2, "lo: traffic is"), ("warn", 0, "[WARNING]"), ("report", 0, '"violations": 1')])
def test_the_policy_of_a_violation(policy: str, code: int, said: str) -> None:
    args = {"interfaces": ["lo"], "seconds": 0.2, "thresholds": {"any": {"metric": "link_rate", "operator": ">=", "limit": 0}}, "on_violation": policy}
    argv = [
        "ansible",
        "-i",
        "localhost,",
        "-c",
        "local",
        "localhost",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        "gpulab.expansion.network_link_threshold_check",
        "-a",
        json.dumps(args),
    ]
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert run.returncode == code and said in run.stdout + run.stderr, run.stdout + run.stderr
