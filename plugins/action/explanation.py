# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import _page
from ..plugin_utils._chinese import chinese
from ..plugin_utils._logs import causes
from ..plugin_utils._logs.signals import SignalError, consequences, repeats


class ActionModule(ActionBase):
    """Puts together what was read, says what is likely, and writes the page on the control node; a dry run says it without the page."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        args = self._task.args
        host, logs = str(args["host"]), args["logs"]
        try:
            leads = consequences(args["signals"])
            many = repeats(args["signals"])
        except SignalError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        told = document(host, logs, args.get("gpus") or {}, leads, many)
        language = args.get("language") or "en"
        path = os.path.join(args["directory"], f"explain-{_file_name(host)}-{_stamp(logs['until'])}.html")
        if not self._task.check_mode:
            os.makedirs(args["directory"], exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="replace") as handle:
                handle.write(_page.explanation({**told, "clock_of": _clock_of, "pairs": zip}, language))
        result.update(changed=True, page=path, msg=told["sentence"][language], causes=told["causes"])
        return result


def document(
    host: str, logs: t.Mapping[str, t.Any], gpus: t.Mapping[str, t.Any], leads: t.Mapping[str, t.AbstractSet[str]], many: t.Mapping[str, float]
) -> dict[str, t.Any]:
    """All that the page shows. C(logs) and C(gpus) are what log_lines_info and prometheus_info have returned."""
    seen = causes.happenings(logs["lines"], many)
    for each in seen:
        if each.signal == "unit_failed" and each.host == host:
            each.before = logs["before"].get(each.device, [])
    found = causes.causes(seen, leads, host)
    off = logs.get("clock")
    if off is not None and abs(off) > causes.CLOCK:
        found.append(causes.clock(host, off))
    series = [row for answer in gpus.get("answers", {}).values() for row in answer["series"]]
    read = causes.readings(series, logs["since"], logs["until"])
    unread = next((answer["reason"] for answer in gpus.get("answers", {}).values() if answer["reason"] and not read), "")
    timeline = [
        dict(
            when=each.first,
            kind=each.severity,
            device=f"{each.host} {each.device}" if each.host != host else each.device,
            text=each.name,
            text_zh=each.name_zh,
            count=each.count,
            line=each.line,
        )
        for each in seen
        if each.host == host or each in found
    ]
    timeline += [
        dict(when=row["when"], kind="called", device=row["device"], text=f"calls somebody: {row['rule']}", text_zh=f"发出告警：{row['rule']}", count=1, line="")
        for row in logs["called"]
    ]
    timeline += [
        dict(when=event["when"], kind="warning", device=f"gpu{gpu['gpu']}", text=event["text"], text_zh=event["text_zh"], count=1, line="")
        for gpu in read
        for event in gpu["events"]
    ]
    return {
        "host": host,
        "since": _time(logs["since"], "%Y-%m-%d %H:%M"),
        "until": _time(logs["until"], "%Y-%m-%d %H:%M"),
        "sentence": {language: causes.sentence(host, found, logs["total"], language) for language in ("en", "zh")},
        "causes": [dataclasses.asdict(each) for each in found],
        "timeline": sorted(timeline, key=lambda row: t.cast(float, row["when"])),
        "gpus": read,
        "unread": unread,
        "unread_zh": chinese(unread),
        **{name: logs[name] for name in ("errors", "left_out", "total")},
    }


def _time(seconds: float, form: str) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime(form)


def _clock_of(seconds: float) -> str:
    return _time(seconds, "%H:%M:%S")


def _file_name(host: str) -> str:
    """Of a host that is asked for by any name, as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", host)[:100]


def _stamp(seconds: float) -> str:
    return _time(seconds, "%Y%m%dT%H%M%SZ")
