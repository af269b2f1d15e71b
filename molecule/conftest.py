# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the scenarios. `contract` takes the role of the scenario through all its states before any other test."""

from __future__ import annotations

import os
import pathlib
import re
import sys
import typing as t

import pytest
import testinfra

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "contract"))

from harness import Contract, Lab, Subject, commits, lives, states_of, turned  # noqa: E402


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Molecule says a page of its own after the tests, so what failed is kept for the role's target in the Makefile to say last."""
    failed = terminalreporter.getreports("failed") + terminalreporter.getreports("error")
    (ROOT / "reports").mkdir(exist_ok=True)
    text = "".join(f"{report.nodeid}\n{report.longreprtext}\n\n" for report in failed)
    (ROOT / "reports" / f"failed-{config.invocation_params.dir.name}.txt").write_text(text, encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Planted secrets stay on the hosts, so they come last. Of tests that take turns one is left, but in the soak."""
    items.sort(key=lambda item: item.path.name == "test_secrets.py")
    if os.environ.get("SOAK"):
        return
    classes = [mark.args[0] if mark else "" for item in items for mark in [item.get_closest_marker("by_turns")]]
    for item, tried in zip(items, turned(classes, commits())):
        if not tried:
            item.add_marker(pytest.mark.skip(reason="another commit tries it, and the soak"))


@pytest.fixture(scope="session")
def scenario(request: pytest.FixtureRequest) -> pathlib.Path:
    """molecule/<role>, from the path of the tests that run."""
    return pathlib.Path(request.session.items[0].path).parents[1]


@pytest.fixture(scope="session")
def lab(scenario: pathlib.Path) -> Lab:
    return Lab(f"gpulab-{scenario.name}", scenario / "hosts.yml")


@pytest.fixture(scope="session")
def contract(scenario: pathlib.Path, lab: Lab) -> Contract:
    """Run the states; leaves converged hosts. The report goes to reports/contract-<role>.txt."""
    subject = Subject.load(scenario / "contract.yml")
    found = Contract(subject, lab)
    soak = bool(os.environ.get("SOAK"))
    found.states(states_of(subject.name, commits(), soak), lives(subject.name, commits(), soak))
    report = found.report()
    (ROOT / "reports").mkdir(exist_ok=True)
    (ROOT / "reports" / f"contract-{subject.name}.txt").write_text(report + "\n", encoding="utf-8")
    sys.__stderr__.write("\n" + report + "\n")
    return found


@pytest.fixture(scope="session")
def host_of(lab: Lab, contract: Contract) -> t.Callable[[str], t.Any]:
    """A testinfra host by inventory name, on converged hosts."""
    return lambda name: testinfra.get_host(f"docker://{lab.prefix}-{name}")


@pytest.fixture
def said(lab: Lab, contract: Contract, scenario: pathlib.Path) -> t.Callable[..., str]:
    """Run the role with a bad input: it must fail with one sentence and change nothing. Returns the sentence."""

    def play(playbook: str = "", **variables: t.Any) -> str:
        hosts = contract.subject.hosts
        before = lab.manifest(hosts)
        run = lab.play(ROOT / "playbooks" / playbook if playbook else contract.subject.playbook, variables={**contract.subject.variables, **variables})
        failed = {r["host"] for r in run.records if r["failed"]}
        # a host that is well takes note of the new input and goes on
        noted = "/etc/ansible/facts.d"
        written = [w for w in contract.written(before, lab.manifest(hosts)) if w[0] in failed or not w[1].startswith(noted)]
        assert run.rc != 0, run.output
        assert not written, written
        sentences = sorted({r["message"].replace("Task failed: ", "").replace("Action failed: ", "") for r in run.records if r["failed"]})
        for sentence in sentences:
            # object, expectation, finding and way out, in one
            assert re.search(r"expect.*\bbut\b.*[:.;,] .*\.$", sentence) and "\n" not in sentence, sentence
        return "\n".join(sentences)

    return play
