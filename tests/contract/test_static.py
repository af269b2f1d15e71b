# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be seen without running anything: nothing in a role or module changes a host behind the plan's back."""

from __future__ import annotations

import ast
import pathlib
import re
import sys
import typing as t

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.gpulab.expansion.plugins.plugin_utils._plan import KINDS  # noqa: E402

FORBIDDEN = {f"{ns}{m}" for ns in ("", "ansible.builtin.", "ansible.legacy.") for m in ("command", "shell", "raw", "script", "expect")}
FRAGILE = {f"{ns}{m}" for ns in ("", "ansible.builtin.") for m in ("lineinfile", "blockinfile", "replace")} | {"community.general.ini_file"}

# A module may run a program that changes something only after it has read and compared; each is named here with its reader.
READ_BEFORE = {
    "plugins/module_utils/_borg/bucket.py": "bucket_copy and bucket_aside list the bucket before they copy or move",
    "plugins/module_utils/_borg/client.py": "borg_repository reads before it creates; borg_extract restores into an empty directory",
    "plugins/module_utils/_borg/admin.py": "runs on the admin host by timers; refuses while an archive is missing",
    "plugins/module_utils/_borg/offsite.py": "runs on the server by timers; compares ids and transactions first",
    "plugins/module_utils/_harbor/serve.py": "runs on the registry's host as a service; does what Harbor's installer does",
    "plugins/module_utils/_images/keep.py": "runs on the registry's host by timers; collects what no image names any more",
    "plugins/module_utils/_images/warm.py": "runs on caches by a timer; compares digests before it brings or forgets",
    "plugins/module_utils/_search/client.py": "systemctl is-active only reads",
    "plugins/module_utils/_search/keep.py": "runs on a host by a timer; openssl x509 only reads",
    "plugins/module_utils/_search/ship.py": "runs on hosts as a service; asks rsyslog to begin a file anew after it has renamed it",
    "plugins/modules/gpu_info.py": "journalctl only reads",
    "plugins/modules/prometheus_reload.py": "compares what Prometheus says it loaded with the files' times before it reloads",
    "plugins/modules/registry_promotion.py": "starts the checks that the lab names, before it changes anything, and never in a dry run",
    "plugins/module_utils/_plan/host.py": "dpkg-query, systemctl show and apt-get -s only read",
}


def tasks_of(path: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    def walk(node: t.Any) -> t.Iterator[dict[str, t.Any]]:
        for item in node if isinstance(node, list) else []:
            yield item
            for key in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
                yield from walk(item.get(key))

    yield from walk(yaml.safe_load(path.read_text(encoding="utf-8")))


TASK_FILES = sorted([*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml"), *ROOT.glob("playbooks/*.yml")])


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_mutation_that_cannot_be_predicted(path: pathlib.Path) -> None:
    for task in tasks_of(path):
        used = set(task)
        assert not used & FORBIDDEN, f"{task.get('name')}: a command cannot predict; write a module that reads, compares, then writes"
        assert not used & FRAGILE, f"{task.get('name')}: edits a file that something else brings; write the whole file or a drop-in"
        assert "ignore_errors" not in used, f"{task.get('name')}: swallows errors"
        assert "async" not in used, f"{task.get('name')}: check mode has no async; let the module poll"
        if "ansible.builtin.assert" in used:
            assert task["ansible.builtin.assert"].get("that") not in (True, [True], "true"), f"{task.get('name')} cannot fail"


def test_resource_lists_are_well_formed() -> None:
    """One kind an item, only the options that the kind has, those that it needs; without waiting for a host to tell."""
    seen = 0
    for path in TASK_FILES:
        for task in tasks_of(path):
            for item in (task.get("gpulab.expansion.resources") or {}).get("list", []):
                (kind,) = set(item) - {"when", "loop"}
                spec = KINDS[kind].spec
                assert set(item[kind]) <= set(spec), f"{path}: {kind} has no {set(item[kind]) - set(spec)}"
                needed = {name for name, option in spec.items() if option.get("required")}
                assert needed <= set(item[kind]), f"{path}: {kind} needs {needed - set(item[kind])}"
                seen += 1
    assert seen > 40


def runs_programs(path: pathlib.Path) -> bool:
    names = {"run_command", "subprocess", "_run", "Popen"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in names or isinstance(node, ast.Name) and node.id in names:
            return True
    return False


MODULES = sorted([*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/module_utils/**/*.py")])


def test_programs_are_run_where_it_is_known() -> None:
    """Only client layers run programs; a new one is looked at and named above."""
    passes_on = "module.run_command"
    found = set()
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        only_passes_it_on = text.count("run_command") == text.count(f"({passes_on}, ") and "subprocess" not in text and "self._run" not in text
        if runs_programs(path) and not only_passes_it_on:
            found.add(str(path.relative_to(ROOT)))
    assert found == set(READ_BEFORE)


def test_specs_and_defaults_are_equal() -> None:
    for role in sorted(ROOT.glob("roles/*")):
        defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
        specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
        documented: dict[str, t.Any] = {}
        for entry in specs.values():
            documented.update(entry["options"])
        assert set(defaults) == {name for name, spec in documented.items() if "default" in spec}, role.name
        for name, value in defaults.items():
            assert documented[name]["default"] == value, name
        for name in documented:
            assert name.startswith(f"{role.name}_"), name


def test_roles_know_no_group_names() -> None:
    for path in ROOT.glob("roles/**/*"):
        if path.is_file() and path.suffix in (".yml", ".j2"):
            text = path.read_text(encoding="utf-8")
            assert "groups[" not in text and "groups." not in text, path


def test_sentences_are_one_line() -> None:
    """In a folded text, a line that is indented further keeps its line break."""
    seen = 0
    for path in TASK_FILES:
        for task in tasks_of(path):
            told = task.get("gpulab.expansion.verdict") or {}
            for verdict in [told, *(told.get("list") or [])] if isinstance(told, dict) else []:
                text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", str(verdict.get("otherwise") or ""), flags=re.DOTALL)
                assert "\n" not in text.strip(), f"{path}: {text}"
                seen += bool(text)
    assert seen > 40
