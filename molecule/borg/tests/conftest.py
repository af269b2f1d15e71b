# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from harness import Contract, Lab
from lab_backups import Backups

# As if the admin host had first seen every archive three days ago, all within one hour
THREE_DAYS_LATER = """
import json, time
path = "/var/lib/gpulab/borg-admin/gpu1.json"
memory = json.load(open(path))
hour = time.time() // 3600 * 3600 - 3 * 86400
for number, known in enumerate(sorted(memory["archives"].values(), key=lambda known: (known["first_seen"], known["start"]))):
    known.update(start=hour + number, not_before=hour, first_seen=hour + number)
json.dump(memory, open(path, "w"))
"""


@pytest.fixture
def three_days_later(lab: Lab) -> t.Callable[[], None]:
    """Lets the admin host believe so; what it knows for less than two days, retention leaves alone."""

    def age() -> None:
        lab.sh("mgmt1", "python3 -B -", stdin=THREE_DAYS_LATER)

    return age


@pytest.fixture(scope="session")
def backups(lab: Lab, contract: Contract) -> Backups:
    found = Backups(lab, contract)
    found.quiet()
    return found
