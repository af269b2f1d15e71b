# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  url:
    description: Where Harbor answers, as C(https://registry.lab.example).
    type: str
    required: true
  username:
    description: Who asks.
    type: str
    required: true
  password:
    description: That one's password.
    type: str
    required: true
  ca_path:
    description: File of the certificate authority that signed its certificate.
    type: path
    default: ""
  unit:
    description:
      - Unit that runs Harbor on this host, so that a dry run that would start it for the first time tells what would be made instead of asking it.
    type: str
    default: ""
"""
