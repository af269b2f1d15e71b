# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible import constants
from ansible.errors import AnsibleError
from ansible_collections.gpulab.expansion.plugins.plugin_utils._ledger import Ledger
from ansible_collections.gpulab.expansion.plugins.test.gate_open import gate_open


def test_it_says_what_this_run_has_judged_last(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    with pytest.raises(AnsibleError, match="elk: its gate is expected to be judged in this run before anything else, but was not: run its playbook from"):
        gate_open("elk")
    for passes in (False, True):
        Ledger(str(tmp_path)).note_gate("elk", {"passes": passes, "reason": ""})
        assert gate_open("elk") is passes
