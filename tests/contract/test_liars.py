# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harness is tested with liars: each must be caught, at its level, and an honest module must not be."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
import typing as t

import pytest
from harness import ROOT, Contract, Lab, Subject, kill_all

LIARS = pathlib.Path(__file__).parent / "liars"
DOWN = {"host": "gpu1", "down": "touch /run/engine-is-down", "up": "rm /run/engine-is-down"}


@pytest.fixture(scope="module")
def lab() -> t.Iterator[Lab]:
    lab = Lab("gpulab-liars", ROOT / "molecule" / "gpu_node" / "hosts.yml")
    lab.env["ANSIBLE_LIBRARY"] = str(LIARS / "library")
    lab.box("fresh", "gpu1")
    yield lab
    lab.box("down")


def tried(lab: Lab, module: str, states: t.Sequence[str] = ("bare",), **more: t.Any) -> list[str]:
    subject = Subject(module, LIARS / "play.yml", ["gpu1"], variables={"module": module}, **more)
    contract = Contract(subject, lab)
    for state in states:
        getattr(contract, state)()
    return [str(d) for d in contract.disagreements]


def test_honest_module_is_believed(lab: Lab) -> None:
    assert tried(lab, "honest") == []


def test_changes_without_predicting(lab: Lab) -> None:
    assert any("bare L1" in d and "file /etc/liar changes, but was not predicted" in d for d in tried(lab, "changes_silently"))


def test_predicts_without_changing(lab: Lab) -> None:
    found = tried(lab, "cries_wolf")
    assert any("bare L1" in d and "was predicted, but does not change" in d for d in found)
    assert any("converged L3" in d for d in found)


def test_writes_during_the_dry_run(lab: Lab) -> None:
    assert any("bare L0: gpu1: the dry run wrote /etc/debian_version" in d for d in tried(lab, "writes_in_check"))


def test_predicts_create_because_the_engine_is_down(lab: Lab) -> None:
    reader = {"object": """printf '{"name": "%s"}' "$(cat /etc/object)\""""}
    found = tried(lab, "guesses_when_down", ("bare", "engine_down"), unreachable=DOWN, readers=reader)
    assert len(found) == 1 and "engine down L1: a dry run is expected to fail" in found[0]


def test_what_only_the_collection_reads_is_told(lab: Lab) -> None:
    lab.sh("gpu1", "rm -f /etc/object")
    assert any("bare L2: gpu1 object a: nobody but the collection reads it" in d for d in tried(lab, "guesses_when_down"))


def test_predicts_a_wrong_value(lab: Lab) -> None:
    assert any("bare L2: gpu1 file /etc/liar-mode: mode was predicted as '0600', but is '0644'" in d for d in tried(lab, "predicts_wrong_value"))


def test_a_killed_run_leaves_no_worker_that_goes_on(tmp_path: pathlib.Path) -> None:
    """As Ansible's workers do, the second one has a session of its own."""
    mark = str(tmp_path / "record")

    def alive() -> int:
        return sum(mark.encode() in _environment(path) for path in pathlib.Path("/proc").glob("[0-9]*/environ"))

    argv = ["sh", "-c", "setsid sleep 60 & wait"]
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
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)
