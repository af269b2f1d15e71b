# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Predicts in check mode exactly what the real run then changes, and changes nothing.
  diff_mode:
    description: Returns what changed, or would change, when in diff mode.
"""

    PREDICTING = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The prediction is returned as C(gpulab_prediction), see C(docs/prediction.schema.json).
  diff_mode:
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module reads and never changes state.
  diff_mode:
    support: N/A
    details:
      - This module reads and never changes state.
"""
