# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets travel to a module in one option of their own, and leave references where they stood.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

ansible-core logs each call of a module. It leaves out an option at the top with C(no_log), but of a suboption it only
searches the text in the repr of what is around it, where quotes, line breaks and tabs are written otherwise. It also cuts the
text of each C(no_log) option out of results, so that a secret like C(lab) or C(1) would change paths and numbers of a
prediction. One opaque text at the top has neither fault: it is left out, and occurs nowhere else.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.parsing.convert_bool import boolean

# Options of this collection's modules, at any depth, whose texts are secret or may be.
SECRET_OPTIONS = frozenset({"access_secret", "address", "content", "new_passphrase", "password", "settings", "sources", "token", "value"})
_RAW = frozenset({"settings", "value"})  # a number stays one; elsewhere a text is wanted, and a YAML number is one, too
OPTION = "sealed"
SPEC: dict[str, t.Any] = {OPTION: dict(type="str", no_log=True)}
SHORTEST_MASKED = 6  # a shorter one would garble the sentence without hiding anything

SECRET_NAME = re.compile(r"passw|passphrase|secret|token|credential|access_key|account_key", re.IGNORECASE)  # of a setting whose value is one
_CREDENTIALS = re.compile(r"://[^\s/]*:\S*@")
_REFERENCE = re.compile(r"gpulab-sealed-[0-9a-f]{12}-\d+")


def seal(args: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """C(args) with a reference for each secret, and all of the secrets in C(sealed); without one they stay as they are."""
    nonce = secrets.token_hex(6)
    kept: dict[str, t.Any] = {}
    told: list[str] = []
    hidden: list[str] = []

    def walk(value: t.Any, of: str, name: str = "") -> t.Any:
        if isinstance(value, dict):
            if "value" in value and not boolean(value.get("secret") or False, strict=False):  # of harbor_configuration
                told.append(str(value["value"]))
            return {key: walk(below, of or (key if key in SECRET_OPTIONS else ""), str(key)) for key, below in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(below, of, name) for below in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if of or isinstance(value, str) and has_credentials(value):
            reference = f"gpulab-sealed-{nonce}-{len(kept)}"
            kept[reference] = value if of in _RAW else str(value)
            # settings are those of an index, mostly: masked, their words would be missing in sentences about other objects
            plain = of == "settings" and not SECRET_NAME.search(name) or of == "value" and str(value) in told
            (told if plain else hidden).append(str(value))
            return reference
        return value

    out = walk(dict(args), "")
    if kept:
        out[OPTION] = base64.urlsafe_b64encode(json.dumps([kept, [text for text in told if text not in hidden]]).encode()).decode()
    return t.cast("dict[str, t.Any]", out)


def has_credentials(url: str) -> bool:
    """Whether C(url) has a user and a password in it."""
    return bool(_CREDENTIALS.search(url))


def without_login(text: str) -> str:
    """C(text) without the user and password of the addresses in it."""
    return _CREDENTIALS.sub("://", text)


def reveal(params: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """C(params) with the secrets where they stood, and the texts that no sentence may quote."""
    given = params.get(OPTION)
    kept, told = json.loads(base64.urlsafe_b64decode(given)) if given else ({}, [])

    def walk(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {key: walk(below) for key, below in value.items()}
        if isinstance(value, list):
            return [walk(below) for below in value]
        return kept.get(value, value) if isinstance(value, str) else value

    return {name: walk(value) for name, value in params.items() if name != OPTION}, [str(value) for value in kept.values() if str(value) not in told]


def masked(text: str, texts: t.Iterable[str]) -> str:
    """C(text) without C(texts), plain or as JSON and repr write them: what a server answers may quote what it was asked."""
    for secret in sorted(texts, key=len, reverse=True):
        for form in (secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]):
            if len(form) >= SHORTEST_MASKED and not _REFERENCE.fullmatch(form):
                text = text.replace(form, "********")
    return text


class SealedModule(AnsibleModule):
    """C(params) keeps the references, because ansible-core logs and returns it; C(plain) has what the module works with."""

    def __init__(self, argument_spec: dict[str, t.Any], **more: t.Any) -> None:
        self._texts: list[str] = []  # arguments that are refused end in fail_json, too
        super().__init__(argument_spec={**argument_spec, **SPEC}, **more)
        self.plain, self._texts = reveal(self.params)

    def fail_json(self, msg: str, **more: t.Any) -> t.NoReturn:
        super().fail_json(msg=masked(str(msg), self._texts), **more)
        raise AssertionError("fail_json leaves")
