# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_report
type: aggregate
short_description: Write an audit as a page, as JSON and as JUnit
version_added: 0.1.0
author: The gpulab.expansion authors (@gpulab)
description:
  - At the end of the playbook audit writes one HTML page that needs nothing from elsewhere, in English and Chinese, the same as JSON
    (C(docs/audit.schema.json)), and as JUnit for pipelines. Other playbooks are left alone.
  - Past audits stay, and the page says what is different since the last one.
options:
  reports:
    description: Directory for the audits.
    type: path
    default: reports
    env:
      - name: GPULAB_REPORTS
    ini:
      - section: callback_audit_report
        key: reports
  language:
    description: The language in which the page opens.
    type: str
    choices: [en, zh]
    default: en
    env:
      - name: GPULAB_LANGUAGE
    ini:
      - section: callback_audit_report
        key: language
"""

import datetime
import glob
import json
import os
import time
import typing as t

from ansible import constants

from ..plugin_utils._audit import document
from ..plugin_utils._callback import Recorder
from ..plugin_utils._ledger import Ledger
from ..plugin_utils._page import junit, page
from ..plugin_utils._report import Record


class CallbackModule(Recorder):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gpulab.expansion.audit_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun = time.monotonic()

    def _keep(self, record: Record, answer: t.Mapping[str, t.Any]) -> None:
        if self._title == "audit":
            Ledger(constants.DEFAULT_LOCAL_TMP).keep(record)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        # without a dry run the audit has stopped before it looked at anything
        if self._title != "audit" or not any(record["evidence"] for record in self._records):
            return
        directory = self.get_option("reports")
        os.makedirs(directory, exist_ok=True)
        now = datetime.datetime.now(datetime.timezone.utc)
        markers = Ledger(constants.DEFAULT_LOCAL_TMP).deployed()
        found = document(self._records, markers, f"{now:%Y-%m-%d %H:%M} UTC", time.monotonic() - self._begun, _previous(directory))
        stem = os.path.join(directory, f"audit-{now:%Y%m%dT%H%M%SZ}")
        for suffix, text in (
            ("json", json.dumps(found, indent=1, default=str, ensure_ascii=False)),
            ("xml", junit(found)),
            ("html", page(found, self.get_option("language"))),
        ):
            with open(f"{stem}.{suffix}", "w", encoding="utf-8", errors="replace") as handle:
                handle.write(text)
        self._display.display(f"\n{found['summary'][self.get_option('language')]}\n\nAudit: {stem}.html")


def _previous(directory: str) -> dict[str, t.Any] | None:
    """The newest audit that is there and can be read."""
    for path in sorted(glob.glob(os.path.join(directory, "audit-[0-9]*.json")), reverse=True):
        try:
            with open(path, encoding="utf-8") as handle:
                return t.cast("dict[str, t.Any]", json.load(handle))
        except (OSError, ValueError):
            continue
    return None
