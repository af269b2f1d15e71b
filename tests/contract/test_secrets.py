# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be seen of secrets without running anything: each is planted by a test, hidden by what renders it, and moved apart by who passes it on."""

from __future__ import annotations

import ast
import pathlib
import re
import sys
import typing as t

import pytest
import yaml
from planted import SOUNDS_SECRET, WRITER, Secret, Situation, all_pairs, needles, read

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gpulab.expansion.plugins.module_utils._sealed import SECRET_OPTIONS  # noqa: E402

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
# Names that sound like a secret and are none: files of secrets, which are told, and public halves of keys.
NO_SECRET = {
    "borg_rotate_client", "harbor_pull_secrets", "access_key_id", "borg_offsite",
}  # fmt: skip


def options_of(role: str) -> dict[str, dict[str, t.Any]]:
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"] if path.exists() else {}
    out: dict[str, dict[str, t.Any]] = {}
    for part in specs.values():
        for name, spec in part["options"].items():
            out[name] = {**spec, "no_log": spec.get("no_log") or out.get(name, {}).get("no_log", False)}
    return out


def secrets_of(role: str) -> set[str]:
    return {name for name, spec in options_of(role).items() if spec["no_log"] or SOUNDS_SECRET.search(name) and name not in NO_SECRET}


@pytest.mark.parametrize("role", ROLES)
def test_each_secret_of_a_role_is_planted(role: str) -> None:
    """A new secret needs a line in molecule/<role>/secrets.yml: planted, or filled by our playbooks from one that is."""
    data = read(role)
    named = {*data.get("planted", {}), *data.get("same_as", {})}
    assert secrets_of(role) == named, f"molecule/{role}/secrets.yml"
    assert all(options_of(role)[name]["no_log"] for name in named), "a secret needs no_log in the specification"
    assert set((data.get("same_as") or {}).values()) <= set(data.get("planted") or {})
    for name, spec in (data.get("planted") or {}).items():
        assert not {"without", "nowhere"} & set(spec or {}) or spec.get("because"), f"{name}: say why it needs that"


class Loader(yaml.SafeLoader):
    """Reads what only Ansible's tags make special as plain text."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast("yaml.ScalarNode", node)))


def names_with_secrets(role: str) -> set[str]:
    """The role's secrets, and its own variables that are made of them."""
    # of a certificate only the key is secret
    secret = {re.sub("^harbor_certificate$", "harbor_certificate.key", name) for name in secrets_of(role)}
    path = ROOT / "roles" / role / "vars" / "main.yml"
    own = yaml.load(path.read_text(encoding="utf-8"), Loader) if path.exists() else {}  # noqa: S506 - it is a SafeLoader
    while True:
        more = {name for name, value in (own or {}).items() if name not in secret and mentions(str(value), secret)}
        if not more:
            return secret
        secret |= more


def mentions(text: str, names: t.Iterable[str]) -> bool:
    # that one is set, or how long it is, is no secret
    text = re.sub(r"\w+ \| (length|dict2items)", "", text)
    return any(re.search(rf"\b{name}\b", text) for name in names)


@pytest.mark.parametrize("role", ROLES)
def test_a_file_with_a_secret_says_so(role: str) -> None:
    """Otherwise its text is in the diff, and its hash in the prediction."""
    secret = names_with_secrets(role)
    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        for task in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            for item in (task.get("gpulab.expansion.resources") or {}).get("list", []):
                file = item.get("file") or {}
                texts = [str(file.get("content", ""))]
                template = str(file.get("template", ""))
                folder = ROOT / "roles" / role / "templates"
                loop = item.get("loop") if isinstance(item.get("loop"), list) else []
                for name in {template, *(str(each) + ".j2" for each in loop or [])}:
                    if (folder / name).is_file():
                        texts.append((folder / name).read_text(encoding="utf-8"))
                if mentions("\n".join(texts), secret):
                    assert file.get("secret"), f"{path}: {file['path']} holds a secret, and needs secret: true"


MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))


def secret_options(path: pathlib.Path) -> set[str]:
    """The options that C(path) declares with no_log."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Call) and node.arg:
            flags = {k.arg: k.value for k in node.value.keywords}
            found |= {node.arg} if isinstance(flags.get("no_log"), ast.Constant) and ast.unparse(flags["no_log"]) == "True" else set()
    return found


def imported(path: pathlib.Path) -> set[pathlib.Path]:
    """C(path), and what it imports of this collection, and so on."""
    found, left = set[pathlib.Path](), [path]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        for node in ast.walk(ast.parse(one.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                place = one.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                left += [file for file in (place.with_suffix(".py"), *((place / f"{name.name}.py") for name in node.names)) if file.is_file()]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_a_module_gets_its_secrets_apart(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    files = imported(path)
    given = {option for file in files for option in secret_options(file)}
    assert given <= SECRET_OPTIONS, "name it in module_utils/_sealed.py"
    takes_addresses = bool(re.search(r"\burls?=(dict|names)", text))
    if given or takes_addresses:
        kept = re.search(r"(?m)^from \.\.module_utils\._objects import keep(_all)?$", text)
        assert "SealedModule(" in text or kept, "secrets and addresses with a password are moved apart by SealedModule"
        assert (ROOT / "plugins" / "action" / path.name).exists() or path.stem in ROUTED, "the action moves them apart"
        assert "gpulab.expansion.sealed" in text
    assert "AnsibleModule(" not in text.replace("SealedModule(", "") or not given


ROUTED = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["plugin_routing"]["modules"]


def test_what_is_imported_is_followed() -> None:
    files = {str(file.relative_to(ROOT / "plugins")) for file in imported(ROOT / "plugins" / "modules" / "harbor_objects.py")}
    assert {"module_utils/_harbor/client.py", "module_utils/_harbor/webhooks.py", "module_utils/_sealed.py"} <= files


def test_the_situations_meet_in_pairs() -> None:
    chosen = all_pairs()
    assert 6 <= len(chosen) <= 12
    met = {(a, b) for s in chosen for a in (s.config, s.verbosity, s.state, s.ending) for b in (s.config, s.verbosity, s.state, s.ending)}
    assert {("stranger", "killed"), ("none", "-vvvv"), ("drifted", "fails")} <= met
    assert {s.check for s in chosen} == {True, False} and isinstance(chosen[0], Situation)


def test_a_run_can_be_killed_while_a_secret_is_written() -> None:
    """By the name of a module: under another name no run would be killed."""
    assert WRITER.exists(), f"{WRITER} is no module: which one writes what a role keeps?"


def test_a_planted_word_is_found_however_it_is_written() -> None:
    """The search itself: what it cannot see, it cannot miss either."""
    import base64
    import json
    import urllib.parse

    secret = Secret("lab_password")
    forms = needles([secret.word])[secret.word]
    for written in (secret.text, json.dumps(secret.text), repr(secret.text), urllib.parse.quote(secret.text), repr([{"a": secret.text}])):
        assert any(form in written for form in forms)
    for before in ("", "a", "ab", "admin:"):
        assert any(form in base64.b64encode((before + secret.text).encode()).decode() for form in forms)
    assert not any(form in "Xq7 is no secret" for form in forms)
    assert len(secret.text.encode()) <= 72, "a registry reads no more of a password"
