# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  sealed:
    description:
      - Leave it out. The action of the same name moves each secret here, so that no log and no result quotes one, whatever it is written like,
        see C(docs/secrets.md).
    type: str
"""
