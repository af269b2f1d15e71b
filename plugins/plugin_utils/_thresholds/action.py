# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that measure a host and judge it by thresholds.

This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.yaml import yaml_load

from .._actions import HostAction
from .judge import Finding, judge_all
from .model import METRICS, Series, Threshold, ThresholdError, load

FILES = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", "playbooks", "files"))
POLICIES = ("fail", "warn", "report")


def thresholds(changes: t.Mapping[str, t.Any]) -> dict[str, Threshold]:
    """The collection's thresholds with the lab's C(changes), by name. ThresholdError says what is wrong with them."""
    path = os.path.join(FILES, "thresholds.yml")
    with open(path, encoding="utf-8") as handle:
        known: dict[str, dict[str, t.Any]] = yaml_load(handle)
    if not isinstance(changes, dict) or not all(isinstance(change, dict) for change in changes.values()):
        raise ThresholdError("lab_thresholds is expected to have one mapping for each threshold, but has something else: correct it.")
    merged = {key: dict(entry) for key, entry in known.items()}
    for key, change in changes.items():
        merged.setdefault(key, {}).update(change)
    return load(merged, "lab_thresholds")


def of_host(history: t.Mapping[str, t.Any], wanted: t.Iterable[Threshold], names: set[str]) -> list[Series]:
    """The series of C(history), results of M(gpulab.expansion.prometheus_info) by threshold, that speak of the host with these C(names)."""
    found = []
    for threshold in wanted:
        for row in (history.get(threshold.key) or {}).get("series", []):
            labels = row["labels"]
            if labels.get("instance", "").rpartition(":")[0] in names or labels.get("instance") in names:
                device = f"gpu{labels['gpu']}" if "gpu" in labels else next((labels[name] for name in ("device", "uuid", "UUID") if name in labels), "")
                reason = "" if device else f"its series in Prometheus have no label gpu, device or uuid: keep one in the query of {threshold.key}"
                found.append(Series(threshold.metric, device, "prometheus", list(row["samples"]) if device else (), reason))
    return found


class ThresholdAction(HostAction):
    """Reads the host through C(reader), and judges what it says; a subclass names both."""

    kind: str  # of METRICS
    reader: str
    reads: t.Tuple[str, ...]  # options that the reader has too

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        self._vars = task_vars or {}
        args = self._task.args
        policy = args.get("on_violation", "report")
        if policy not in POLICIES:
            raise AnsibleActionFail(f"on_violation is expected to be one of {', '.join(POLICIES)}, but is {policy!r}: correct it.")
        try:
            wanted = [each for each in thresholds(args.get("thresholds") or {}).values() if METRICS[each.metric].kind == self.kind]
        except ThresholdError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        read = self._measure({name: args[name] for name in self.reads if name in args})
        names = {str(self._host), str(self._vars.get("ansible_host", self._host))}
        measured = [Series(row["metric"], row["device"], "host", row["samples"], row["reason"]) for row in read.pop("series")]
        findings = judge_all(wanted, [*of_host(args.get("history") or {}, wanted, names), *measured], time.time())
        over = [f"{self._host}: {sentence(finding)}" for finding in findings if finding.state == "over"]
        result.update(read)
        result.update(
            changed=False,
            findings=[finding.as_dict() for finding in findings],
            violations=len(over),
            failed=policy == "fail" and bool(over),
            msg=" ".join(over) or f"{self._host}: nothing is over its limit.",
        )
        if policy == "warn" and over:
            result["warnings"] = over
        result["gpulab_findings"] = result["findings"]
        shown: dict[str, t.Any] = {key: read[key] for key in ("state", "message", "gpus", "links", "disks") if key in read}
        result["gpulab_reading"] = {"kind": self.kind, **shown}
        return result

    def _measure(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        return self._read(self.reader, args)


def sentence(finding: Finding) -> str:
    """Device, expectation, finding and way out."""
    metric = METRICS[finding.metric]
    return f"{finding.device}: {metric.name} is {finding.told} ({finding.source}), over its limit {finding.operator} {finding.limit:g}. {finding.advice}"
