# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harness is tested with modules that are known to be bad: each must be caught with its sentence, and honest ones must not be."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
import yaml
from harness import AT_HOME, ROOT, STATES, TURNS, Contract, Lab, Subject, kill_all, lives, states_of, turned
from shown import Noise, World

BAD = pathlib.Path(__file__).parent / "known_bad_modules"
sys.path.insert(0, str(BAD))

import table  # noqa: E402

DOWN = {"host": "gpu1", "down": "touch /run/engine-is-down", "up": "rm /run/engine-is-down"}
Tried = dict[str, list[str]]  # way to be wrong -> what was said


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    lab = Lab("gpulab-known-bad", ROOT / "molecule" / "harbor" / "hosts.yml")
    lab.env["ANSIBLE_LIBRARY"] = str(BAD / "library")
    lab.box("fresh", "gpu1", "gpu2")
    lab.sh("gpu1", table.PREPARED)
    yield lab
    lab.box("down")


def together(lab: Lab, folder: pathlib.Path, tasks: t.Sequence[dict[str, t.Any]]) -> list[str]:
    """Each module once, in one dry run and one real run."""
    play = folder / "play.yml"
    play.write_text(yaml.safe_dump([{"name": "Bad ones", "hosts": "gpu1", "gather_facts": False, "tasks": list(tasks)}]), encoding="utf-8")
    contract = Contract(Subject("bad", play, ["gpu1"], others=["gpu2"]), lab)
    dry = contract.dry_run("bad")
    contract.agree("bad", dry, contract.apply("bad", dry))
    return [str(d) for d in contract.disagreements]


def task(name: str, **args: t.Any) -> dict[str, t.Any]:
    return {"name": name, "bad": args}


@pytest.fixture(scope="module")
def honest(lab: Lab) -> list[str]:
    """The honest ones come first, on hosts to which nothing was done."""
    scripts = {"group:_ssh": "openssh-client makes it for its agent"}
    contract = Contract(
        Subject("honest", BAD / "honest.yml", ["gpu1"], unknown=["unit/*/since:time", "user/*/uid:*", "ssh_key/*:generated"], brings=scripts), lab
    )
    contract.subject.changed = {"content": "one", "seconds": 1000, "mode": "0644"}
    contract.input_changed()
    contract.subject.changed = {"content": "two", "seconds": 2000, "mode": "0600"}
    contract.input_changed()
    assert contract.compared > 30
    lab.sh("gpu1", "apt-get -qq purge -y xxhash")
    return [str(d) for d in contract.disagreements]


@pytest.fixture(scope="module")
def silent(lab: Lab, honest: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    found = together(lab, tmp_path_factory.mktemp("silent"), [task("Silent", real=[s for s, _said in table.SILENT.values()])])
    lab.sh("gpu1", table.PUT_BACK)
    return found


@pytest.fixture(scope="module")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[pathlib.Path]:
    """Stands for the checkout: in the real one other contracts, which run meanwhile, would see what the bad module writes."""
    assert lab.watched == AT_HOME and ROOT in AT_HOME
    home = tmp_path_factory.mktemp("home")
    lab.watched = (home,)
    yield home
    lab.watched = AT_HOME


@pytest.fixture(scope="module")
def dry(lab: Lab, silent: list[str], home: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    here = task("Dry", dry=[script for script, _said in table.DRY.values()])
    elsewhere = task("writes on another host", dry=["echo x > /etc/bad-elsewhere"])
    at_home = task("writes on the control node", dry=[f"echo x > {home}/bad-at-home"])
    return together(lab, tmp_path_factory.mktemp("dry"), [here, {**elsewhere, "delegate_to": "gpu2"}, {**at_home, "delegate_to": "localhost"}])


@pytest.fixture(scope="module")
def wrong(lab: Lab, dry: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    at_once = [w for w in table.WRONG.values() if w[1] == w[2] != []]
    said = [change for _real, predicted, _told, _said in at_once for change in predicted]
    tasks = [task(f"Wrong {n}", real=[w[0]], predicted=w[1], told=w[2]) for n, w in enumerate(table.WRONG.values()) if w not in at_once]
    return together(lab, tmp_path_factory.mktemp("wrong"), [*tasks, task("Wrong", real=[w[0] for w in at_once], predicted=said, told=said)])


def test_honest_modules_are_believed(honest: list[str]) -> None:
    assert not honest, "\n".join(honest)


@pytest.mark.parametrize("name", table.SILENT)
def test_silent(silent: list[str], name: str) -> None:
    assert any("bad L" in d and "gpu1: the run" in d and table.SILENT[name][1] in d for d in silent), "\n".join(silent)


@pytest.mark.parametrize("name", table.DRY)
def test_dry(dry: list[str], name: str) -> None:
    assert any(d.startswith("bad L0: gpu1: ") and table.DRY[name][1] in d for d in dry), "\n".join(dry)


def test_dry_elsewhere(dry: list[str], home: pathlib.Path) -> None:
    assert "bad L0: gpu2: the dry run made /etc/bad-elsewhere" in dry
    assert f"bad L0: control node: the dry run made {home}/bad-at-home" in dry


@pytest.mark.parametrize("name", table.WRONG)
def test_wrong(wrong: list[str], name: str) -> None:
    assert any(table.WRONG[name][3] in d for d in wrong), "\n".join(wrong)


def test_nothing_is_said_of_what_nobody_did(silent: list[str], dry: list[str], wrong: list[str]) -> None:
    """Each sentence names something that the table touches."""
    touched = str([table.SILENT, table.DRY, table.WRONG])
    for sentence in (*silent, *dry, *wrong):
        assert "bad" in sentence or sentence.split(" of ")[-1].split(",")[0].split(":")[-1] in touched, sentence


def tried(lab: Lab, module: str, states: t.Sequence[str] = ("bare",), **more: t.Any) -> list[str]:
    subject = Subject(module, BAD / "play.yml", ["gpu1"], variables={"module": module}, moving={"/etc/object": "the engine's"}, **more)
    contract = Contract(subject, lab)
    for state in states:
        getattr(contract, state)()
    return [str(d) for d in contract.disagreements]


def test_predicts_create_because_the_engine_is_down(lab: Lab, wrong: list[str]) -> None:
    reader = {"object": """printf '{"name": "%s"}' "$(cat /etc/object)\""""}
    found = tried(lab, "guesses_when_down", ("bare", "engine_down"), unreachable=DOWN, readers=reader)
    assert len(found) == 1 and "engine down L1: a dry run is expected to fail" in found[0]


def test_what_only_the_collection_reads_is_told(lab: Lab, wrong: list[str]) -> None:
    lab.sh("gpu1", "rm -f /etc/object")
    assert any("bare L2: gpu1 object a: nobody but the collection reads it" in d for d in tried(lab, "guesses_when_down"))


def test_noise_that_never_moves_is_told(lab: Lab, wrong: list[str]) -> None:
    contract = Contract(Subject("noise", BAD / "play.yml", ["gpu1"], moving={"/etc/never": "it moves"}), lab)
    assert "/etc/never is said to move by itself or to be brought, but never was: remove it" in contract.report()


def test_three_commits_in_a_row_try_every_state() -> None:
    for role in (path.parent.name for path in (ROOT / "molecule").glob("*/contract.yml")):
        for first in range(len(TURNS)):
            assert {state for number in range(first, first + 3) for state in states_of(role, number, soak=False)} == {*STATES}
        assert states_of(role, 0, soak=True) == STATES


def test_each_commit_tries_one_role_on_hosts_that_somebody_lives_on() -> None:
    roles = [path.parent.name for path in (ROOT / "molecule").glob("*/contract.yml")]
    tried = [[role for role in roles if lives(role, number, soak=False)] for number in range(len(roles))]
    assert all(len(each) == 1 for each in tried) and {role for each in tried for role in each} == {*roles}
    assert all(lives(role, 0, soak=True) for role in roles)


def test_a_directory_that_is_a_link_is_where_it_leads() -> None:
    def link(target: str) -> dict[str, t.Any]:
        return {"mode": 0o120777, "details": {"target": target}}

    shown = {"/opt": link("srv/opt"), "/srv/opt/lab": link("../../data"), "/data": {"mode": 0o40755}}
    world = World(shown, shown, Noise({}, {}, {}))
    assert [world.place(path) for path in ("/opt/lab/env/bin", "/opt/lab", "/etc/x")] == ["/data/env/bin", "/srv/opt/lab", "/etc/x"]


def test_each_commit_tries_one_long_test_of_each_class_and_each_has_its_turn() -> None:
    classes = ["", "restore", "hostile", "restore", "hostile", "hostile", ""]
    tried = [turned(classes, number) for number in range(6)]
    for turn in tried:
        assert turn[0] and turn[-1] and sorted(name for name, yes in zip(classes, turn) if yes and name) == ["hostile", "restore"]
    assert all(map(any, zip(*tried)))


def test_a_killed_run_leaves_no_worker_that_goes_on(tmp_path: pathlib.Path) -> None:
    """As Ansible's workers do, the second one has a session of its own."""
    mark = str(tmp_path / "record")

    def alive() -> int:
        return sum(mark.encode() in _environment(path) for path in pathlib.Path("/proc").glob("[0-9]*/environ"))

    argv = ["sh", "-c", "setsid sleep 300 & wait"]
    with subprocess.Popen(argv, env={**os.environ, "GPULAB_RECORD": mark}, start_new_session=True) as process:
        _wait_until(lambda: alive() == 2)
        kill_all(process, mark)
    _wait_until(lambda: alive() == 0)


def _environment(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _wait_until(holds: t.Callable[[], bool]) -> None:
    until = time.monotonic() + 60  # a busy machine is no fault
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
