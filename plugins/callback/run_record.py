# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_record
type: aggregate
short_description: Record predictions, results and verdicts of a run, and report them
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - At the end of a run prints what changed by host, with its impact; after a dry run, what would change.
  - Writes one JSON line for each result, if asked. The contract tests and the audit read these.
  - Writes a short report in Markdown and JSON, if asked.
options:
  record:
    description: File for one JSON line for each result.
    type: path
    env:
      - name: GPULAB_RECORD
    ini:
      - section: callback_run_record
        key: record
  reports:
    description: Directory for the report.
    type: path
    env:
      - name: GPULAB_REPORTS
    ini:
      - section: callback_run_record
        key: reports
"""

import datetime
import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

from ..module_utils._plan.prediction import RESULT_KEY
from ..plugin_utils._report import Record, markdown, summary, terminal


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpulab.expansion.run_record"
    CALLBACK_NEEDS_ENABLED = True

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
            "prediction": answer.get(RESULT_KEY),
            "verdicts": answer.get("gpulab_verdicts"),
            "gate": answer.get("gpulab_gate"),
            "outcomes": answer.get("gpulab_outcomes"),
            "message": str(answer.get("msg", "")) if failed else "",
        }
        self._records.append(record)
        path = self.get_option("record")
        if path:
            with open(path, "a", encoding="utf-8") as handle:
                handle.write(json.dumps(record, default=str) + "\n")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        check = any(r["check"] for r in self._records)
        found = summary(self._records)
        if found["outcomes"] or any(r.get("prediction") is not None for r in self._records):
            self._display.display("\n" + terminal(found, check))
        directory = self.get_option("reports")
        if directory and self._records:
            os.makedirs(directory, exist_ok=True)
            now = datetime.datetime.now(datetime.timezone.utc)
            stem = os.path.join(directory, f"{self._title}-{'check' if check else 'apply'}-{now:%Y%m%dT%H%M%SZ}")
            when = f"{now:%Y-%m-%d %H:%M} UTC"
            with open(stem + ".md", "w", encoding="utf-8") as handle:
                handle.write(markdown(found, self._title, when, check))
            with open(stem + ".json", "w", encoding="utf-8") as handle:
                json.dump({"title": self._title, "when": when, "check": check, **found}, handle, indent=1, default=str)
            self._display.display(f"\nReport: {stem}.md")
