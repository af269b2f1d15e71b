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

from ansible_collections.gpulab.expansion.plugins.module_utils._harbor.kinds import KINDS as HARBOR  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.module_utils._search.objects import KINDS as SEARCH  # noqa: E402
from ansible_collections.gpulab.expansion.plugins.plugin_utils._resources.plan import KINDS  # noqa: E402

FORBIDDEN = {f"{ns}{m}" for ns in ("", "ansible.builtin.", "ansible.legacy.") for m in ("command", "shell", "raw", "script", "expect")}
FRAGILE = {f"{ns}{m}" for ns in ("", "ansible.builtin.") for m in ("lineinfile", "blockinfile", "replace")} | {"community.general.ini_file"}

# A module may run a program that changes something only after it has read and compared; each is named here with its reader.
READ_BEFORE = {
    "plugins/module_utils/_borg/bucket.py": "borg_offsite_fetch and borg_offsite_reset list the bucket before they copy or move",
    "plugins/module_utils/_borg/client.py": "borg_repository reads before it creates; borg_extract restores into an empty directory",
    "plugins/module_utils/_borg/programs/admin.py": "runs on the admin host by timers; refuses while an archive is missing",
    "plugins/module_utils/_borg/programs/offsite.py": "runs on the server by timers; compares ids and transactions first",
    "plugins/module_utils/_harbor/programs/installer.py": "runs on the registry's host as a service; does what Harbor's installer does",
    "plugins/module_utils/_images/programs/maintenance.py": "runs on the registry's host by timers; collects what no image names any more",
    "plugins/module_utils/_images/programs/preheat.py": "runs on caches by a timer; compares digests before it brings or forgets",
    "plugins/module_utils/_search/client.py": "systemctl is-active only reads",
    "plugins/module_utils/_logs/programs/maintenance.py": "runs on a host by a timer; openssl x509 only reads",
    "plugins/module_utils/_logs/programs/shipper.py": "runs on hosts as a service; asks rsyslog to begin a file anew after it has renamed it",
    "plugins/modules/gpu_info.py": "journalctl only reads",
    "plugins/modules/prometheus_reload.py": "compares what Prometheus says it loaded with the files' times before it reloads",
    "plugins/modules/registry_promotion.py": "starts the checks that the lab names, before it changes anything, and never in a dry run",
    "plugins/modules/usage_info.py": "cvtsudoers only reads",
    "plugins/module_utils/_host.py": "dpkg-query, systemctl show and apt-get -s only read",
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
        for verdict in verdicts_of(task):
            that = verdict.get("that")
            assert can_fail(that), f"{task.get('name')}: {that!r} cannot fail"


def verdicts_of(task: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    told = task.get("gpulab.expansion.verdict") or task.get("ansible.builtin.assert") or {}
    return [*(told.get("list") or [])] if isinstance(told.get("list"), list) else [told] if "that" in told else []


def can_fail(that: t.Any) -> bool:
    """Each condition speaks of something: a name that is no literal of Jinja, whatever is said in quotes."""
    conditions = that if isinstance(that, list) else [that]
    words = [set(re.findall(r"[a-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", str(one).lower()))) for one in conditions]
    literals = {"true", "false", "none", "not", "and", "or", "in", "is", "defined", "length", "default"}
    return bool(conditions) and all(one - literals for one in words)


@pytest.mark.parametrize(
    ("that", "can"),
    [(True, False), ("true", False), ([True], False), ("'a' == 'a'", False), ("1 < 2", False), ([], False), ("not false", False), ("x == 1", True)],
)
def test_a_condition_that_cannot_fail_is_seen(that: t.Any, can: bool) -> None:
    assert can_fail(that) is can


def test_verdicts_are_looked_at() -> None:
    assert sum(len(verdicts_of(task)) for path in TASK_FILES for task in tasks_of(path)) > 40


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


def test_each_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    there = {
        name
        for path in [*ROOT.glob("tests/**/*.py"), *ROOT.glob("molecule/*/tests/*.py")]
        for name in re.findall(r"(?m)^def (test_\w+)", path.read_text("utf-8"))
    }
    assert len(named) > 12 and named <= there, named - there


ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name != "lab")  # which deploys nothing


def forgotten(role: str) -> t.Iterator[str]:
    """What others must know of C(role), so that it is deployed, gated, watched, tested and told: a sentence for each piece that is not there."""

    def text(path: str) -> str:
        return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""

    data = yaml.safe_load(text("playbooks/files/roadmap.yml"))
    gated = role in data["modules"]
    module = data["modules"].get(role) or data["supports"].get(role) or {}
    for key in ("phase", "playbook", "groups", "name", "name_zh", *(["needs"] if gated else [])):
        if key not in module:
            yield f"playbooks/files/roadmap.yml: {key} of {role} is expected, in modules if a gate asks for it, else in supports"
    path = f"playbooks/{module.get('playbook', role)}.yml"
    plays = yaml.safe_load(text(path)) or []
    if not plays:
        yield f"{path} is expected to deploy {role}"
    if not all(play.get("tags") == [role] for play in plays):
        yield f"{path}: each play is expected to have the tag {role} alone, by which --tags chooses it"
    if gated and f"module: {role}\n" not in text(path):
        yield f"{path} is expected to judge the gate of {role}: copy `Judge the gate` of borg.yml"
    for task in tasks_of(ROOT / path) if gated and plays else []:
        condition = f"'{role}' is gpulab.expansion.gate_open"
        if task.get("ansible.builtin.include_role", {}).get("name") == f"gpulab.expansion.{role}" and condition not in str(task.get("when")):
            yield f"{path}: {task['name']} is expected to run only when {condition}"
    imports = re.findall(r"import_playbook: (\S+)\n", text(f"playbooks/phase{module.get('phase')}.yml"))
    imports += [each for one in imports for each in re.findall(r"import_playbook: (\S+)\n", text(f"playbooks/{one}"))]
    if f"{module.get('playbook', role)}.yml" not in imports:
        yield f"playbooks/phase{module.get('phase')}.yml is expected to import {path}"
    for lab in ("example", "box"):
        missing = sorted(set(module.get("groups", [])) - set(yaml.safe_load(text(f"inventories/{lab}/hosts.yml"))))
        if missing:
            yield f"inventories/{lab}/hosts.yml is expected to have {', '.join(missing)}"
    if gated and not any(f"\nmodule: {role}\n" in each.read_text(encoding="utf-8") for each in (ROOT / "inventories/box/requests").glob("*.yml")):
        yield f"inventories/box/requests/ is expected to have an approved request for {role}, without which its gate stays closed on the box"
    files = ["README.md", "meta/main.yml", "meta/argument_specs.yml", "defaults/main.yml", "tasks/main.yml", "tasks/preflight.yml", "tasks/verify.yml"]
    yield from (f"roles/{role}/{file} is expected" for file in files if not text(f"roles/{role}/{file}"))
    tasks = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    for action, file, why in (("role_inputs", "preflight.yml", "to check its inputs"), ("verdict", "verify.yml", "to judge what it reads back")):
        if f"gpulab.expansion.{action}:" not in text(f"roles/{role}/tasks/{file}"):
            yield f"roles/{role}/tasks/{file} is expected to use {action}, {why}"
    if "gpulab.expansion.deployed_marker:" not in tasks:
        yield f"roles/{role}/tasks is expected to use deployed_marker, as its last task"
    for name in ("preflight", "verify"):
        if not re.search(rf"import_tasks: {name}\.yml|tasks_from: {name}\b", tasks + text(path)):
            yield f"roles/{role}/tasks/{name}.yml is expected to be run by main.yml or by {path}"
    scenario = ("molecule.yml", "contract.yml", "converge.yml", "hosts.yml", f"tests/test_{role}.py")
    yield from (f"molecule/{role}/{file} is expected" for file in scenario if not text(f"molecule/{role}/{file}"))
    contract = yaml.safe_load(text(f"molecule/{role}/contract.yml")) or {}
    yield from (f"molecule/{role}/contract.yml: {key} is expected to name some" for key in ("drifts", "changed", "kills") if not contract.get(key))
    if "\ndef test_contract(" not in text(f"molecule/{role}/tests/test_{role}.py"):
        yield f"molecule/{role}/tests/test_{role}.py is expected to have test_contract, which fails for disagreements"
    if not re.search(rf"^BUDGETS := .*\brole-{role}:", text("Makefile"), re.MULTILINE):
        yield f"Makefile: role-{role}:<seconds> is expected in BUDGETS"
    if role != "monitoring":
        for kind in ("rules.yml", "dashboard.json"):
            if not text(f"roles/{role}/files/prometheus/{role}.{kind}"):
                yield f"roles/{role}/files/prometheus/{role}.{kind} is expected"
        if f'"{role}.rules.yml"' not in text("tests/contract/test_alerts.py"):
            yield f"tests/contract/test_alerts.py is expected to have cases of {role}.rules.yml"
    for page in ("README.md", "README.zh-CN.md"):
        if f"](roles/{role}/README.md)" not in text(page):
            yield f"{page}: a row with a link to roles/{role}/README.md is expected"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_forgets_nothing(role: str) -> None:
    assert not (said := list(forgotten(role))), "\n".join(said)


def test_a_role_that_forgot_everything_is_told_all_of_it() -> None:
    said = list(forgotten("nothing"))
    for piece in ("roadmap.yml: phase", "nothing.yml is expected to deploy", "import", "tasks/verify.yml", "verdict", "molecule.yml", "drifts", "test_contract",
                  "BUDGETS", "nothing.rules.yml", "nothing.dashboard.json", "README.md: a row", "README.zh-CN.md: a row"):  # fmt: skip
        assert any(piece in sentence for sentence in said), (piece, said)


def test_all_gates_are_asked_alike() -> None:
    """A lab's own roadmap, overrides and requests count for each of them."""
    asked = {}
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        for task in tasks_of(path):
            for one in [task, *task.get("block", [])]:
                gate = one.get("gpulab.expansion.roadmap_gate")
                if gate and "module" in gate:
                    asked[gate["module"]] = {name: value for name, value in gate.items() if name not in ("module", "evidence")}
    assert len(asked) >= 3 and all(one == asked["borg"] for one in asked.values()) and {"roadmap", "requests", "overrides", "declared"} == set(asked["borg"])


def test_a_play_in_which_hosts_wait_for_each_other_says_so() -> None:
    """With strategy free each host would go its own way, and not find what another one has to tell."""
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            if "run_once: true" in yaml.safe_dump(play) and play["hosts"] != "localhost":
                assert play.get("strategy") == "ansible.builtin.linear", f"{path.name}: {play['name']}"


def test_a_playbook_of_a_day_checks_how_it_was_called_whatever_limit_leaves() -> None:
    """What they need is named with -e, and a play on localhost alone is dropped by any --limit."""
    roadmap = yaml.safe_load((ROOT / "playbooks/files/roadmap.yml").read_text(encoding="utf-8"))
    modules = {**roadmap["modules"], **roadmap["supports"]}
    deploys = {"lab", "phase1", *(spec.get("playbook", name) for name, spec in modules.items())}
    others = [path for path in sorted((ROOT / "playbooks").glob("*.yml")) if path.stem not in deploys]
    assert len(others) >= 11
    for path in others:
        first = yaml.safe_load(path.read_text(encoding="utf-8"))[0]
        assert first["hosts"] == "localhost:all" and first["any_errors_fatal"] and first["strategy"] == "ansible.builtin.linear", path.name
        assert first["tasks"] and all(task["run_once"] and {"gpulab.expansion.call_needs", "gpulab.expansion.verdict"} & set(task) for task in first["tasks"])


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


def test_each_module_of_objects_leads_to_their_action() -> None:
    routed = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["plugin_routing"]["modules"]
    wanted = {name: {"action_plugin": f"gpulab.expansion.{family}_objects"} for family, kinds in (("harbor", HARBOR), ("search", SEARCH)) for name in kinds}
    assert {name: route for name, route in routed.items() if "redirect" not in route} == wanted
    for name, kind in {**HARBOR, **SEARCH}.items():
        assert f"    keep({kind.__name__})\n" in (ROOT / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")


def test_old_names_lead_to_new_ones() -> None:
    routing = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["plugin_routing"]
    led = {(kind, old): route["redirect"].rpartition(".")[2] for kind, routes in routing.items() for old, route in routes.items() if "redirect" in route}
    for (kind, old), new in led.items():
        folder = ROOT / "plugins" / kind
        assert (folder / f"{new}.py").exists() and not (folder / f"{old}.py").exists(), f"{kind}: {old} leads to {new}"
        if kind == "modules" and (ROOT / "plugins" / "action" / f"{new}.py").exists():
            assert led["action", old] == new, f"{old} has no action any more: name it in meta/runtime.yml"
    assert len(led) > 8


def test_each_line_knows_where_it_runs() -> None:
    """Code of the controller in plugin_utils, of modules and hosts in module_utils. No domain imports another, and nothing imports what stands above it."""
    for path in sorted(ROOT.glob("plugins/**/*.py")):
        here = path.relative_to(ROOT / "plugins").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            there = [*here[: len(here) - node.level], *(node.module or "").split(".")]
            floor = ["module_utils", "modules", "plugin_utils", "action", "callback", "filter", "test"]
            assert there[0] in ("module_utils", "plugin_utils") and floor.index(there[0]) <= floor.index(here[0]), f"{path} imports {'.'.join(there)}"
            assert here[0] != "modules" or there[0] == "module_utils", f"{path}: a module takes nothing of the controller's with it"
            if here[0] == there[0] == "module_utils" and len(here) > 2:
                assert there[1] == here[1] or not (ROOT / "plugins" / there[0] / there[1]).is_dir(), f"{path} imports another domain: {there[1]}"
            assert there[0] != "module_utils" or "programs" not in there or "programs" in here, (
                f"{path}: a program of hosts is run, not imported: {'.'.join(there)}"
            )
            if here[0] == there[0] == "module_utils" and len(here) == 2:
                assert len(there) == 2, f"{path}: what all share imports no domain, but {'.'.join(there)}"


def test_a_role_installs_the_programs_that_it_runs() -> None:
    installed = set()
    for role in sorted((ROOT / "roles").iterdir()):
        resources = [
            item for path in role.glob("tasks/*.yml") for task in tasks_of(path) for item in (task.get("gpulab.expansion.resources") or {}).get("list", [])
        ]
        names = {name for item in resources for name in item.get("programs", {}).get("names", [])}
        run = {name for path in role.rglob("*.*") for name in re.findall(r"-m gpulab\.([\w.]+)", path.read_text(encoding="utf-8"))}
        assert run <= names, f"{role.name} runs {run - names}, which its programs do not name"
        assert {item["unit"]["runs"] for item in resources if "runs" in item.get("unit", {})} <= names
        installed |= names
    written = {
        str(path.relative_to(ROOT / "plugins/module_utils").with_suffix("")).replace("/", ".") for path in ROOT.glob("plugins/module_utils/*/programs/[!_]*.py")
    }
    assert written <= installed and len(written) >= 10, f"no role installs {written - installed}"


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


def test_what_molecule_remembers_belongs_to_one_checkout() -> None:
    """By itself it names the place after the last folder of the checkout's path, so that two checkouts would create and destroy in each other's name."""
    told = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "$(BIN)/molecule " in line]
    assert told and all("MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/" in line for line in told)


# -- Names are data

# Where a list of arguments comes from elsewhere, or a word in it cannot be one of these: an option's literal, a literal, what follows "--", --opt=value.
# Each entry is file and the text that stands there, with the reason.
ARGUMENTS = {
    (
        "plugins/module_utils/_images/programs/maintenance.py",
        "config['collect']",
    ): "the whole command, from the role's template, with no name of anybody else in it",
    ("plugins/module_utils/_images/programs/maintenance.py", "config['serve_read_only']"): "as above",
    ("plugins/module_utils/_images/programs/preheat.py", "config['collect']"): "as above",
    ("plugins/modules/registry_promotion.py", "program"): "the path at which get_bin_path found the admin's program",
    ("plugins/modules/registry_promotion.py", "*(part.replace('{image}', image) for part in argv[1:])"): (
        "the admin's arguments; an image begins with its registry, and plan() has looked at its name"
    ),
    ("plugins/module_utils/_harbor/programs/installer.py", "*argv"): "what _compose is called with, which this test looks at",
    ("plugins/module_utils/_host.py", "*options"): "APT's options, which simulation() writes itself, and its directories below Ansible's own",
    ("plugins/action/resources.py", "list(argv)"): "what command() is called with, which this test looks at",
    ("plugins/action/resources.py", "*apt"): "literals, three lines above",
    ("plugins/module_utils/_borg/client.py", "*options"): "what _borg is called with: options written there; names come apart, after --",
    ("plugins/module_utils/_borg/client.py", "argv"): "as _borg made it",
    ("plugins/module_utils/_borg/programs/offsite.py", "argv"): "as rclone_argv made it, which puts paths after --",
    ("plugins/module_utils/_borg/programs/offsite.py", "rclone_argv(CONFIG, verb, options, paths)"): "as above",
    ("plugins/module_utils/_borg/programs/offsite.py", "rclone_argv(CONFIG, 'lsf', ['--max-depth', '1'], [self.target])"): "as above",
    ("plugins/module_utils/_borg/programs/offsite.py", "state"): "Copy.run, which runs no program",
    ("plugins/module_utils/_borg/bucket.py", "argv"): "as rclone_argv made it, which puts paths after --",
    (
        "plugins/module_utils/_borg/bucket.py",
        "rclone_argv(self._config, 'lsf', ['--contimeout', '15s', '-R', '--files-only', '--format', 'ps'], [self.path])",
    ): "as above",
    ("plugins/module_utils/_borg/programs/admin.py", "*self._ssh"): "the command for ssh, from the role; it ends with the server's name",
    (
        "plugins/module_utils/_borg/programs/admin.py",
        "verb",
    ): "follows the server's name: for the forced command there, which takes four words and nothing else",
    ("plugins/module_utils/_borg/programs/admin.py", "*words"): "as above",
    ("plugins/module_utils/_borg/programs/admin.py", "self._name"): "as above; the server looks at it again",
}
# Options whose next word is their value, whatever it begins with.
VALUED = {"-o", "-f", "-i", "-p"}
# What runs a list of arguments, and the place of the first one, where there is no list.
RUNNERS = {
    "run_command": None,
    "run": None,
    "_run": None,
    "Popen": None,
    "popen": None,
    "call": None,
    "check_call": None,
    "check_output": None,
    "_compose": 1,
    "command": 0,
}


class Arguments:
    """The words of one command line that are no data. C(constants) are names of the file that are texts."""

    def __init__(self, constants: t.AbstractSet[str]) -> None:
        self._constants = constants

    def wrong(self, words: t.Sequence[ast.expr]) -> list[str]:
        found, before, names_only = [], "", False
        for word in words:
            literal = word.value if isinstance(word, ast.Constant) and isinstance(word.value, str) else None
            value = before in VALUED and not isinstance(word, ast.Starred)
            if literal is None and not names_only and not value and not self._is_plain(word):
                found.append(ast.unparse(word))
            names_only = names_only or literal == "--"
            before = literal or ""
        return found

    def _is_plain(self, word: ast.expr) -> bool:
        if isinstance(word, ast.Name):
            return word.id in self._constants
        if isinstance(word, ast.JoinedStr):  # begins with a text that is no option, or with --opt= or KEY=
            begin = word.values[0].value if isinstance(word.values[0], ast.Constant) else ""
            return isinstance(begin, str) and begin != "" and (not begin.startswith("-") or "=" in begin)
        if isinstance(word, ast.IfExp):
            return all(isinstance(kind, ast.Constant) for kind in (word.body, word.orelse))
        if isinstance(word, ast.Starred):  # literals that are there or not
            kinds = [word.value.body, word.value.orelse] if isinstance(word.value, ast.IfExp) else [word.value]
            return all(isinstance(kind, ast.List) and not self.wrong(kind.elts) for kind in kinds)
        return False


def command_lines(tree: ast.Module) -> t.Iterator[t.Union[ast.expr, t.List[ast.expr]]]:
    """Each list of arguments that something runs, or what stands there instead of one."""
    for function in [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Module))]:
        inner = {id(node) for each in ast.walk(function) if isinstance(each, ast.FunctionDef) and each is not function for node in ast.walk(each)}
        own = [node for node in ast.walk(function) if id(node) not in inner]
        lists = {
            target.id: node.value
            for node in own
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in own:
            if isinstance(node, ast.Dict):  # the arguments of ansible.builtin.command
                for key, value in zip(node.keys, node.values):
                    if isinstance(key, ast.Constant) and key.value == "argv":
                        yield value.elts if isinstance(value, ast.List) else value
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
            if name not in RUNNERS:
                continue
            first = RUNNERS[name]
            if first is not None:
                yield list(node.args[first:])
                continue
            value = lists.get(node.args[0].id, node.args[0]) if isinstance(node.args[0], ast.Name) else node.args[0]
            yield value.elts if isinstance(value, ast.List) else value


def programs_of(text: str) -> tuple[set[str], list[str]]:
    """The programs that a file runs, and the words of their command lines that could be taken for an option."""
    tree = ast.parse(text)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    programs, wrong = set(), []
    for words in command_lines(tree):
        if isinstance(words, list):
            wrong += Arguments(constants).wrong(words)
            programs |= {str(word.value) for word in words[:1] if isinstance(word, ast.Constant)}
        elif not isinstance(words, ast.Name) or words.id != "tmp":  # ActionBase.run(tmp, task_vars)
            wrong.append(ast.unparse(words))
    return programs, wrong


PROGRAMMED = sorted(ROOT.glob("plugins/**/*.py"))


def test_names_are_never_taken_for_options() -> None:
    found = {(str(path.relative_to(ROOT)), word) for path in PROGRAMMED for word in programs_of(path.read_text(encoding="utf-8"))[1]}
    assert found == set(ARGUMENTS), "options as --opt=value or before a literal --, names after it"


def test_one_place_builds_the_command_lines_of_a_program() -> None:
    """systemctl and openssl are asked one short thing each by programs of hosts that share no file."""
    places: dict[str, set[str]] = {}
    for path in PROGRAMMED:
        for program in programs_of(path.read_text(encoding="utf-8"))[0]:
            places.setdefault(program, set()).add(path.stem)
    assert {program: stems for program, stems in places.items() if len(stems) > 1} == {
        "systemctl": {"client", "_host", "maintenance", "prometheus_reload", "shipper"},
        "dpkg-query": {"_host", "resources"},
        "borg": {"client", "offsite"},  # locks on the server, without a key
    }


def test_no_shell_reads_a_text_of_ours() -> None:
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            shell = {word.arg for word in node.keywords if word.arg in ("shell", "use_unsafe_shell")} if said.rpartition(".")[2] in RUNNERS else set()
            assert not shell and said not in ("os.system", "os.popen"), f"{path}: {said}: a shell takes names for syntax"


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("run(['ls', '--', name])", []),
        ("run(['ls', name])", ["name"]),
        ("run(['ls', '-o', name, '--opt=%s' % name])", ["'--opt=%s' % name"]),
        ("run(['ls', f'--opt={name}', f'KEY={name}', f'x/{name}'])", []),
        ("run(['ls', f'{name}', f'--{name}'])", ["f'{name}'", "f'--{name}'"]),
        ("run(['ls', '--flag', name])", ["name"]),
        ("run(['ls', 'a' if many else 'b'])", []),
        ("run(['ls', *names])", ["*names"]),
        ("run(['ls', '-o', *names])", ["*names"]),
        ("run(['ls', '--', *names])", []),
        ("run(['ls', *(['-l', '-o', name] if many else [])])", []),
        ("run(['ls', *(['-l', name] if many else [name])])", ["*(['-l', name] if many else [name])"]),
        ("argv = ['ls', '-o', str(last)]\nrun(argv)", []),
        ("argv = ['ls', name]\nself._run(argv)", ["name"]),
        ("subprocess.run(argv)", ["argv"]),
        ("def command(*argv): pass\ncommand('ls', name)", ["name"]),
        ("WORD = 'x'\nrun(['ls', WORD])", []),
        ("run([program, '--'])", ["program"]),
    ],
)
def test_what_could_be_an_option_is_seen(code: str, wrong: list[str]) -> None:
    assert programs_of(code)[1] == wrong
