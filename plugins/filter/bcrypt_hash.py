# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bcrypt_hash
short_description: A password as a registry keeps it in the file of its users
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - The same salt makes the same hash, so that a file is written once. Needs the Python library bcrypt on the controller.
  - A registry compares at each request, so there are 64 rounds, twice as many as htpasswd has; the password itself must be long.
  - 'Source: U(https://distribution.github.io/distribution/about/configuration/#htpasswd).'
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
    msg: "puller:{{ password | gpulab.expansion.bcrypt_hash(salt=inventory_hostname ~ 'puller') }}"
"""

RETURN = r"""
_value:
  description: The hash.
  type: str
"""

import base64
import hashlib
import typing as t

from ansible.errors import AnsibleFilterError

try:
    import bcrypt
except ImportError:
    bcrypt = None  # type: ignore[assignment]

ROUNDS = 6  # 2 to that power
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ITS_BASE64 = bytes.maketrans(_LETTERS + b"0123456789+/", b"./" + _LETTERS + b"0123456789")


def bcrypt_hash(password: str, salt: str) -> str:
    if bcrypt is None:
        raise AnsibleFilterError("the Python library bcrypt is expected on the controller, but is not there: pip install bcrypt.")
    grain = base64.b64encode(hashlib.sha256(salt.encode()).digest()[:16])[:22].translate(_ITS_BASE64)
    if len(password.encode()) > 72:
        raise AnsibleFilterError("a password of at most 72 bytes is expected, because a registry reads no more, but it is longer: shorten it.")
    return str(bcrypt.hashpw(password.encode(), b"$2b$%02d$" % ROUNDS + grain).decode())


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"bcrypt_hash": bcrypt_hash}
