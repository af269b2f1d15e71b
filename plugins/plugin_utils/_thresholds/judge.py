# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges what was measured by the thresholds. Pure: no I/O, no clock of its own.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

Nobody shall buy hardware for a spike: what is over its limit now, but was not watched for the threshold's window, is C(seen), not C(over).
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

from ...module_utils._window import CLOCKS, COVERED, coverage, duration, inside, share
from .model import METRICS, Series, Threshold

MOMENT = 120.0  # seconds for which a sample says something about now
STATES = ("ok", "seen", "over", "unknown")


@dataclasses.dataclass(frozen=True)
class Finding:
    """A threshold judged for one device. C(value) is the last one, in C(unit); None when the state is unknown."""

    threshold: str
    device: str
    metric: str
    state: str  # one of STATES
    value: float | None
    operator: str
    limit: float
    unit: str
    window: float  # seconds that were looked at
    source: str
    severity: str
    told: str  # a sentence
    advice: str
    advice_zh: str

    def as_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


def judge_all(thresholds: t.Iterable[Threshold], measured: t.Sequence[Series], now: float) -> list[Finding]:
    """One finding for each threshold and device that has its metric; of several sources the first that can tell."""
    findings = []
    for threshold in thresholds:
        by_device: dict[str, dict[str, list[Series]]] = {}
        for series in measured:
            if series.metric == threshold.metric:
                by_device.setdefault(series.device, {}).setdefault(series.source, []).append(series)
        for by_source in by_device.values():
            findings.append(_best(threshold, [judge(threshold, joined(threshold, told), now) for told in by_source.values()]))
    return findings


def joined(threshold: Threshold, told: t.Sequence[Series]) -> Series:
    """Several series of one device, as those of its MIG instances, as one: at each time the worst of them, whatever their order."""
    if len(told) == 1:
        return told[0]
    worst: dict[float, float] = {}
    for when, value in (sample for series in told for sample in series.samples if not math.isnan(sample[1])):
        # what is nearer to the limit, or further over it
        is_worse = when not in worst or (value > worst[when]) == threshold.operator.startswith(">") and value != worst[when]
        worst[when] = value if is_worse else worst[when]
    return dataclasses.replace(told[0], samples=sorted(worst.items()), reason="; ".join(sorted({series.reason for series in told if series.reason})))


def _best(threshold: Threshold, told: t.Sequence[Finding]) -> Finding:
    """Who watched the whole window knows more than who saw a moment; of two that did, Prometheus about a window, the host about now."""
    preferred = "prometheus" if threshold.window else "host"
    return min(told, key=lambda f: (f.state == "unknown", f.window < threshold.window, f.source != preferred))


def judge(threshold: Threshold, series: Series, now: float) -> Finding:
    """What C(series) says of C(threshold) at C(now), seconds since the epoch."""
    unit = METRICS[threshold.metric].unit

    def finding(state: str, value: float | None, window: float, told: str) -> Finding:
        return Finding(
            threshold.key,
            series.device,
            threshold.metric,
            state,
            value,
            threshold.operator,
            threshold.limit,
            unit,
            window,
            series.source,
            threshold.severity,
            told,
            threshold.advice,
            threshold.advice_zh,
        )

    numbers = [(when, value) for when, value in series.samples if not math.isnan(value)]
    end = numbers[-1][0] if numbers else 0.0
    if end > now + CLOCKS:
        return finding("unknown", None, 0.0, "it was read in the future: the clocks disagree")
    if now - end > max(MOMENT, threshold.window / 4):
        return finding("unknown", None, 0.0, series.reason or "nothing was measured of late")
    # the window ends with the last sample, because asking all hosts takes its time
    watched = inside(numbers, threshold.window, end)
    value = watched[-1][1]
    now_over = threshold.over(value)
    seen = coverage(watched, threshold.window, end)
    if threshold.window and seen < COVERED:
        watched_for = f" over {seen:.0%} of {duration(threshold.window)}" if len(watched) > 1 else ""
        told = amount(value, unit) + watched_for
        if not now_over:
            return finding("ok", value, seen * threshold.window, told)
        return finding("seen", value, seen * threshold.window, f"{told}; whether for {duration(threshold.window)} is not known")
    part = share(watched, threshold.over)
    told = amount(value, unit) + (f", so for {part:.0%} of {duration(threshold.window)}" if threshold.window else "")
    return finding("over" if part >= threshold.share else "ok", value, threshold.window, told)


def amount(value: float, unit: str) -> str:
    """As a person reads it."""
    if unit == "truth":
        return "yes" if value else "no"
    return f"{round(value, 4):.4g}" + {"percent": " %", "celsius": " °C", "count": ""}.get(unit, f" {unit}")
