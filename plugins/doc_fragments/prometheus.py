# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description: Address of Prometheus, as C(http://mgmt1:9090); empty for none.
    type: str
    default: ""
  token:
    description: Bearer token.
    type: str
  ca_path:
    description: File of the certificate authority that signed its certificate.
    type: path
  timeout:
    description: Seconds for all queries together.
    type: int
    default: 20
"""
