# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from harness import Contract, Lab
from planted import tried

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=store1 -addext subjectAltName=DNS:store1,DNS:localhost"
    " -keyout /dev/stdout -out /dev/stdout 2>/dev/null"
)


def test_no_secret_is_found_anywhere(lab: Lab, contract: Contract) -> None:
    made = lab.sh("store1", CERTIFICATE).stdout
    key, mark, rest = made.partition("-----BEGIN CERTIFICATE-----")
    values = {"harbor_certificate": {"key": f"PLANTED\n{key}", "certificate": mark + rest, "authority": mark + rest}}
    planted = tried(contract, values=values)
    assert not planted.hits() and not planted.unseen(), planted.report()
    assert not planted.left, planted.left
