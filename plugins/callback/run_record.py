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
import typing as t

from ..plugin_utils._callback import Recorder
from ..plugin_utils._report import Record, markdown, summary, terminal


class CallbackModule(Recorder):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpulab.expansion.run_record"
    CALLBACK_NEEDS_ENABLED = True

    def _keep(self, record: Record, answer: t.Mapping[str, t.Any]) -> None:
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
        if directory and self._records and self._title != "audit":  # which has a report of its own
            os.makedirs(directory, exist_ok=True)
            now = datetime.datetime.now(datetime.timezone.utc)
            stem = os.path.join(directory, f"{self._title}-{'check' if check else 'apply'}-{now:%Y%m%dT%H%M%SZ}")
            when = f"{now:%Y-%m-%d %H:%M} UTC"
            with open(stem + ".md", "w", encoding="utf-8", errors="replace") as handle:
                handle.write(markdown(found, self._title, when, check))
            with open(stem + ".json", "w", encoding="utf-8") as handle:
                json.dump({"title": self._title, "when": when, "check": check, **found}, handle, indent=1, default=str)
            self._display.display(f"\nReport: {stem}.md")
