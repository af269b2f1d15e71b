# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  repository:
    description: Address of the repository, a path or C(ssh://user@host/path).
    type: str
    required: true
  passphrase_file:
    description: File on the host that holds the passphrase. The passphrase itself is never a parameter.
    type: path
    required: true
  ssh_command:
    description: How borg reaches the server.
    type: str
    default: ssh
  known_hosts:
    description: Lines of a known_hosts file to trust for this, instead of the files that O(ssh_command) names.
    type: str
requirements:
  - borg 1.2 or newer
"""
