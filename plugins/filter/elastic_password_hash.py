# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: elastic_password_hash
short_description: A password as Elasticsearch keeps it in the file of its first users
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - PBKDF2 with HMAC-SHA512 and 10000 rounds, as the file realm reads it. The same salt makes the same hash, so that a file is written once.
  - 'Source: U(https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/file-based).'
options:
  _input:
    description: The password.
    type: str
    required: true
  salt:
    description: What makes equal passwords of several labs differ, as the name of the host and the user.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A line of the file
  ansible.builtin.debug:
    msg: "admin:{{ password | gpulab.expansion.elastic_password_hash(salt=inventory_hostname ~ 'admin') }}"
"""

RETURN = r"""
_value:
  description: The hash.
  type: str
"""

import base64
import hashlib
import typing as t

ROUNDS = 10000


def elastic_password_hash(password: str, salt: str) -> str:
    grain = hashlib.sha256(salt.encode()).digest()
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), grain, ROUNDS, 32)
    return f"{{PBKDF2}}{ROUNDS}${base64.b64encode(grain).decode()}${base64.b64encode(key).decode()}"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"elastic_password_hash": elastic_password_hash}
