# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What callbacks take note of: one record for each result of a task.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

from ..module_utils._prediction import RESULT_KEY
from ._report import Record

# key of a record -> key of a task's result
_TOLD = {
    "prediction": RESULT_KEY,
    "verdicts": "gpulab_verdicts",
    "gates": "gpulab_gates",
    "outcomes": "gpulab_outcomes",
    "findings": "gpulab_findings",
    "images": "gpulab_images",
    "reading": "gpulab_reading",
    "evidence": "gpulab_evidence",
    "requests": "gpulab_requests",
    "prometheus": "gpulab_prometheus",
    "policy": "gpulab_policy",
}


class Recorder(CallbackBase):
    """Keeps C(_records), and C(_title), the playbook's name. A subclass may do more with each in C(_keep)."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._records: list[Record] = []
        self._occurrences: dict[tuple[str, str, bool], int] = {}
        self._started: dict[str, float] = {}
        self._handlers: set[str] = set()
        self._title = "run"

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        self._title = os.path.splitext(os.path.basename(playbook._file_name))[0]

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self._handlers.add(task._uuid)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._started[f"{host.get_name()}/{task._uuid}"] = time.monotonic()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record(result, failed=True)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._record(result, failed=True)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._record(result, skipped=True)

    def _record(self, result: t.Any, failed: bool = False, skipped: bool = False) -> None:
        task, answer = result.task, result.result
        inventory_host = result.host.get_name()
        host = str(task.delegate_to or inventory_host)
        handler = task._uuid in self._handlers
        place = task.get_path()
        counted = (host, place, handler)
        self._occurrences[counted] = self._occurrences.get(counted, 0) + 1
        started = self._started.pop(f"{inventory_host}/{task._uuid}", None)
        record: Record = {
            "host": host,
            "role": task._role.get_name() if task._role else "",
            "place": place,
            "occurrence": self._occurrences[counted],
            "handler": handler,
            "task": task.get_name(),
            "check": bool(task.check_mode),
            "changed": bool(answer.get("changed")),
            "failed": failed,
            "skipped": skipped,
            "seconds": None if started is None else round(time.monotonic() - started, 3),
            **{key: answer.get(told) for key, told in _TOLD.items()},
            "message": str(answer.get("msg", "")) if failed else "",
        }
        self._records.append(record)
        self._keep(record, answer)

    def _keep(self, record: Record, answer: t.Mapping[str, t.Any]) -> None:
        """What else a subclass does with a record; C(answer) is the task's whole result."""
