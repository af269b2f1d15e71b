# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this run has predicted and not done: the dry run's memory, shared by all hosts, plays and workers.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.

A file in ansible-core's per-run temporary directory is seen by every fork of one ansible-playbook and by nobody
else, and is gone at its end. Facts would enter the fact cache and be lost by delegation (docs/adr/0001).
"""

from __future__ import annotations

import fcntl
import json
import os
import typing as t

Thing = t.Tuple[str, str]  # (kind, name): package, unit, user, path, repository, engine


class Ledger:
    """C(directory) is C(ansible.constants.DEFAULT_LOCAL_TMP); tests give their own."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "gpulab-pending.jsonl")
        self._foreseen = os.path.join(directory, "gpulab-foreseen.jsonl")
        self._markers = os.path.join(directory, "gpulab-markers.jsonl")
        self._records = os.path.join(directory, "gpulab-records.jsonl")
        self._verdicts = os.path.join(directory, "gpulab-verdicts.jsonl")
        self._gates = os.path.join(directory, "gpulab-gates.jsonl")
        self._finished = os.path.join(directory, "gpulab-finished.jsonl")

    def add(self, host: str, things: t.Iterable[Thing]) -> None:
        """Record that a later task of this run may count on C(things) on C(host)."""
        lines = [json.dumps([host, kind, name]) + "\n" for kind, name in things]
        if lines:
            _append(self._path, lines)

    def pending(self, host: str) -> set[Thing]:
        """All that is pending on C(host)."""
        return {(kind, name) for where, kind, name in _rows(self._path) if where == host}

    def foresee(self, host: str, predictions: t.Iterable[dict[str, t.Any]]) -> None:
        """Record the predictions made for C(host), so that later tasks plan from the state that they would bring about."""
        lines = [json.dumps([host, prediction]) + "\n" for prediction in predictions]
        if lines:
            _append(self._foreseen, lines)

    def foreseen(self, host: str) -> list[dict[str, t.Any]]:
        """The predictions for C(host) in the order in which they were made."""
        return [prediction for where, prediction in _rows(self._foreseen) if where == host]

    def note_markers(self, host: str, markers: dict[str, str]) -> None:
        """Keep the deployed markers that were read on C(host), so that nobody asks the host again."""
        _append(self._markers, [json.dumps([host, markers]) + "\n"])

    def markers(self, host: str) -> dict[str, str] | None:
        """The markers last read on C(host) in this run; None when they were not."""
        return next((markers for where, markers in reversed(_rows(self._markers)) if where == host), None)

    def deployed(self) -> dict[str, dict[str, str]]:
        """The markers last read, by host."""
        return dict(_rows(self._markers))

    def note_verdicts(self, host: str, role: str, verdicts: t.Iterable[dict[str, t.Any]]) -> None:
        """Keep what C(role) verified on C(host), for the record of acceptance."""
        lines = [json.dumps([role, {"host": host, **verdict}], default=str) + "\n" for verdict in verdicts]
        if lines:
            _append(self._verdicts, lines)

    def verdicts(self, role: str) -> list[dict[str, t.Any]]:
        return [verdict for of, verdict in _rows(self._verdicts) if of == role]

    def note_gate(self, module: str, gate: dict[str, t.Any]) -> None:
        """Keep how the gate of C(module) was judged, for the outcome of its phase."""
        _append(self._gates, [json.dumps([module, gate]) + "\n"])

    def gate(self, module: str) -> dict[str, t.Any]:
        """As it was last judged in this run; empty when it was not."""
        return next((gate for of, gate in reversed(_rows(self._gates)) if of == module), {})

    def finish(self, host: str, role: str) -> None:
        """Note that C(role) went to its end on C(host), verification included."""
        _append(self._finished, [json.dumps([host, role]) + "\n"])

    def finished(self, role: str) -> set[str]:
        """The hosts on which C(role) went to its end in this run."""
        return {host for host, of in _rows(self._finished) if of == role}

    def keep(self, record: dict[str, t.Any]) -> None:
        """A record of the run, from the callback, for the action that judges the audit."""
        _append(self._records, [json.dumps(record, default=str) + "\n"])

    def records(self) -> list[dict[str, t.Any]]:
        return list(_rows(self._records))


def _append(path: str, lines: t.Sequence[str]) -> None:
    with open(path, "a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.writelines(lines)


def _rows(path: str) -> list[t.Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH)
            return [json.loads(line) for line in handle]
    except FileNotFoundError:
        return []
