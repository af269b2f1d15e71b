# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from harness import Contract
from planted import tried


def test_no_secret_is_found_anywhere(contract: Contract) -> None:
    planted = tried(contract)
    assert not planted.hits() and not planted.unseen(), planted.report()
    assert not planted.left, planted.left
