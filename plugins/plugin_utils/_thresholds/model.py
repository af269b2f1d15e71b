# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hardware thresholds: what is measured, its limit, and what to do above it. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ...module_utils._window import OPERATORS, Samples, duration_seconds

SEVERITIES = ("info", "warning", "critical")
# unit -> (what it measures, factor to that measure's first unit)
UNITS = {
    "percent": ("share", 1.0),
    "%": ("share", 1.0),
    "Gbit/s": ("rate", 1.0),
    "Gbps": ("rate", 1.0),
    "Mbit/s": ("rate", 1e-3),
    "GB/s": ("rate", 8.0),
    "MB/s": ("rate", 8e-3),
    "celsius": ("temperature", 1.0),
    "W": ("power", 1.0),
    "count": ("count", 1.0),
    "truth": ("truth", 1.0),
}


class ThresholdError(Exception):
    """A sentence for the admin."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """Something that is measured of a device. C(unit) is the one of its samples; truth is 1 for yes and 0 for no."""

    kind: str  # gpu | link | disk
    unit: str
    name: str
    name_zh: str


METRICS = {
    "gpu_memory_used": Metric("gpu", "percent", "memory in use", "显存使用率"),
    "gpu_utilization": Metric("gpu", "percent", "utilisation", "GPU 利用率"),
    "gpu_temperature": Metric("gpu", "celsius", "temperature", "温度"),
    "gpu_lost": Metric("gpu", "truth", "fallen off the bus", "掉卡"),
    "gpu_thermal_slowdown": Metric("gpu", "truth", "slowed down by heat", "因过热降频"),
    "gpu_power_brake": Metric("gpu", "truth", "slowed down by its power supply", "因供电不足降频"),
    "gpu_ecc_uncorrected": Metric("gpu", "count", "uncorrected ECC errors since the driver was loaded", "驱动加载以来不可纠正的 ECC 错误"),
    "gpu_remap_pending": Metric("gpu", "truth", "a row remap waits for a reset", "行重映射待复位"),
    "gpu_remap_failure": Metric("gpu", "truth", "a row remap failed", "行重映射失败"),
    "gpu_nvlink_lost": Metric("gpu", "count", "NVLinks that are down", "断开的 NVLink 数"),
    "gpu_xid_hardware": Metric("gpu", "count", "Xid events of hardware within a day", "一天内硬件类 Xid 事件"),
    "link_rate": Metric("link", "Gbit/s", "traffic", "节点间流量"),
    "disk_slow_requests": Metric("disk", "percent", "requests slower than 5 ms", "延迟超过 5 ms 的 IO 请求占比"),
}


@dataclasses.dataclass(frozen=True)
class Threshold:
    """C(metric) compared with C(limit) in the metric's unit; it must be so for C(share) of C(window) seconds, 0 being a moment."""

    key: str
    metric: str
    operator: str
    limit: float
    severity: str
    advice: str
    advice_zh: str
    window: float = 0.0
    share: float = 1.0
    query: str = ""  # PromQL whose series have a label instance, and gpu or device

    def over(self, value: float) -> bool:
        return OPERATORS[self.operator](value, self.limit)


@dataclasses.dataclass(frozen=True)
class Series:
    """What C(source) measured of one device. C(reason) says why there are no samples."""

    metric: str
    device: str
    source: str  # prometheus | host
    samples: Samples = ()
    reason: str = ""


def quantity(value: t.Any, unit: str, what: str) -> float:
    """C(value), a number or a text as C(8 Gbit/s), in C(unit). ThresholdError when it measures something else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?) *(\S+)", str(value))
    given = UNITS.get(found.group(2)) if found else None
    if found is None or given is None or given[0] != UNITS[unit][0]:
        raise ThresholdError(f"{what} is expected as a number of {unit}, alone or with a unit of the same kind, but is {value!r}: correct it.")
    return float(found.group(1)) * given[1] / UNITS[unit][1]


def load(data: t.Any, where: str) -> dict[str, Threshold]:
    """The thresholds of a file's or an option's content, by key. ThresholdError names what is wrong in C(where)."""
    if not isinstance(data, dict) or not all(isinstance(entry, dict) for entry in data.values()):
        raise ThresholdError(f"{where} is expected to have one mapping for each threshold, but is {type(data).__name__}: correct it.")
    return {key: threshold(key, entry, f"{where}: {key}") for key, entry in data.items()}


def threshold(key: str, entry: t.Mapping[str, t.Any], where: str) -> Threshold:
    metric = METRICS.get(entry.get("metric", ""))
    names = {field.name for field in dataclasses.fields(Threshold)} - {"key"}
    wrong = [name for name in entry if name not in names]
    if wrong:
        raise ThresholdError(f"{where} is expected to have nothing but {', '.join(sorted(names))}, but has {', '.join(wrong)}: correct it.")
    if metric is None:
        raise ThresholdError(f"{where}: metric is expected to be one of {', '.join(METRICS)}, but is {entry.get('metric')!r}: correct it.")
    if metric.unit == "truth":
        operator, limit = ">=", 1.0
    else:
        operator, limit = entry.get("operator", ">"), quantity(entry.get("limit"), metric.unit, f"{where}: limit")
    if operator not in OPERATORS:
        raise ThresholdError(f"{where}: operator is expected to be one of {' '.join(OPERATORS)}, but is {operator!r}: correct it.")
    severity = entry.get("severity", "warning")
    if severity not in SEVERITIES:
        raise ThresholdError(f"{where}: severity is expected to be one of {', '.join(SEVERITIES)}, but is {severity!r}: correct it.")
    window = duration_seconds(entry["window"]) if entry.get("window") else 0.0
    if window is None:
        raise ThresholdError(f"{where}: window is expected as 10 min, 2 h or 30 s, but is {entry['window']!r}: correct it.")
    share = quantity(entry.get("share", 1.0), "count", f"{where}: share")
    if not 0 < share <= 1:
        raise ThresholdError(f"{where}: share is expected to be above 0 and at most 1, but is {share:g}: correct it.")
    advice = str(entry.get("advice", ""))
    return Threshold(key, entry["metric"], operator, limit, severity, advice, str(entry.get("advice_zh") or advice), window, share, str(entry.get("query", "")))
