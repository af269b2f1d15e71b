# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine:
    description: Which engine answers; they differ in the addresses of their objects.
    type: str
    choices: [opensearch, elastic]
    required: true
  url:
    description: Where it answers, as C(https://localhost:9200).
    type: str
    required: true
  unit:
    description: Its systemd unit on the host, so that one that does not run is not waited for, and a dry run knows of its first start.
    type: str
    default: ""
  ca_path:
    description: File of the certificate authority that signed its certificate.
    type: path
    default: ""
  client_cert:
    description: File of the certificate of who asks.
    type: path
    default: ""
  client_key:
    description: File of the key of O(client_cert).
    type: path
    default: ""
  username:
    description: Who asks, when not by certificate.
    type: str
    default: ""
  password:
    description: Password of O(username).
    type: str
    default: ""
  wait_seconds:
    description: How long to wait for an engine that is starting.
    type: int
    default: 120
"""
