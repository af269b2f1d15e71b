# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from harness import Contract, Lab
from lab_images import Images


@pytest.fixture(scope="session")
def images(lab: Lab, contract: Contract) -> Images:
    return Images(lab)
