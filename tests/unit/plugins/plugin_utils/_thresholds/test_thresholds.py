# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.gpulab.expansion.plugins.module_utils._window import OPERATORS
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.judge import judge, judge_all
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.model import METRICS, UNITS, Series, ThresholdError, load, quantity
from hypothesis import given
from hypothesis import strategies as st

FILE = pathlib.Path(__file__).resolve().parents[5] / "playbooks" / "files" / "thresholds.yml"
DATA: dict[str, t.Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
THRESHOLDS = load(DATA, "thresholds.yml")
NOW = 1_795_514_400.0


def prometheus(metric: str, *parts: tuple[float, float], until: float = NOW) -> Series:
    """A value each five seconds, as (value, minutes)."""
    values = [value for value, minutes in parts for _step in range(round(minutes * 12))]
    return Series(metric, "gpu0", "prometheus", [(until - 5.0 * (len(values) - 1 - n), value) for n, value in enumerate(values)])


def moment(metric: str, *values: float, age: float = 0.0, reason: str = "") -> Series:
    """A value each second, the last one now."""
    return Series(metric, "gpu0", "host", [(NOW - age - (len(values) - 1 - n), value) for n, value in enumerate(values)], reason)


def thinned(series: Series, every: int) -> Series:
    return dataclasses.replace(series, samples=series.samples[::-every][::-1])


MEMORY, RATE = "gpu_memory_used", "link_rate"
SITUATIONS: list[tuple[str, str, list[Series], str, str]] = [
    # what, threshold, what was measured, state, part of what is told
    ("below all the time", "gpu_memory", [prometheus(MEMORY, (50, 11))], "ok", "50 %, so for 0% of 10 min"),
    ("at the limit", "gpu_memory", [prometheus(MEMORY, (90, 11))], "ok", "90 %"),
    ("just above it", "gpu_memory", [prometheus(MEMORY, (90.1, 11))], "over", "90.1 %, so for 100% of 10 min"),
    ("a spike of a minute", "gpu_memory", [prometheus(MEMORY, (40, 10), (99, 1))], "ok", "so for 10% of 10 min"),
    ("full, but for a moment", "gpu_memory", [prometheus(MEMORY, (99, 5), (10, 0.5), (99, 5.5))], "over", "so for 95% of 10 min"),
    ("calm again for two minutes", "gpu_memory", [prometheus(MEMORY, (99, 9), (10, 2))], "ok", "10 %, so for 80% of 10 min"),
    ("history of three minutes", "gpu_memory", [prometheus(MEMORY, (99, 3))], "seen", "whether for 10 min is not known"),
    ("history that ended an hour ago", "gpu_memory", [prometheus(MEMORY, (99, 20), until=NOW - 3600)], "unknown", "nothing was measured of late"),
    ("a moment above", "gpu_memory", [moment(MEMORY, 95)], "seen", "95 %; whether for 10 min is not known"),
    ("a moment below", "gpu_memory", [moment(MEMORY, 20)], "ok", "20 %"),
    ("nothing read, for a reason", "gpu_memory", [moment(MEMORY, reason="Unknown Error")], "unknown", "Unknown Error"),
    ("only numbers count", "gpu_memory", [moment(MEMORY, float("nan"), float("nan"))], "unknown", "nothing was measured of late"),
    ("a host whose clock is ahead", "gpu_memory", [moment(MEMORY, 95, age=-3600)], "unknown", "the clocks disagree"),
    ("a host whose clock is behind", "gpu_memory", [moment(MEMORY, 95, age=3600)], "unknown", "nothing was measured of late"),
    ("history knows more than a moment", "gpu_memory", [moment(MEMORY, 95), prometheus(MEMORY, (20, 11))], "ok", "so for 0% of 10 min"),
    ("a moment knows more than nothing", "gpu_memory", [prometheus(MEMORY), moment(MEMORY, 95)], "seen", "95 %"),
    ("fallen off the bus", "gpu_lost", [moment("gpu_lost", 1)], "over", "yes"),
    ("on the bus", "gpu_lost", [moment("gpu_lost", 0)], "ok", "no"),
    ("of now the host knows more", "gpu_lost", [prometheus("gpu_lost", (1, 1)), moment("gpu_lost", 0)], "ok", "no"),
    ("no ECC error", "gpu_ecc", [moment("gpu_ecc_uncorrected", 0)], "ok", "0"),
    ("one ECC error", "gpu_ecc", [moment("gpu_ecc_uncorrected", 1)], "over", "1"),
    ("hot for a third of the time", "gpu_thermal", [prometheus("gpu_thermal_slowdown", (0, 7), (1, 3.5))], "ok", "so for 35% of 10 min"),
    ("hot for most of the time", "gpu_thermal", [prometheus("gpu_thermal_slowdown", (0, 4), (1, 6.5))], "over", "so for 64% of 10 min"),
    ("traffic at the limit", "link_traffic", [prometheus(RATE, (8, 11))], "ok", "8 Gbit/s"),
    ("traffic above it for half the time", "link_traffic", [prometheus(RATE, (1, 5), (9.2, 5.5))], "over", "9.2 Gbit/s, so for 55% of 10 min"),
    ("disks, a fifth slow", "disk_latency", [moment("disk_slow_requests", 20, 20, 20, 20, 20, 20)], "ok", "20 %"),
    ("disks, more than a fifth slow", "disk_latency", [moment("disk_slow_requests", 21, 21, 21, 21, 21, 21)], "over", "21 %, so for 100% of 5 s"),
    ("disks, a shorter look", "disk_latency", [moment("disk_slow_requests", 90, 90)], "seen", "90 % over 45% of 5 s; whether for 5 s"),
    ("two instances of a GPU", "gpu_memory", [prometheus(MEMORY, (12, 11)), prometheus(MEMORY, (96, 11))], "over", "96 %, so for 100% of 10 min"),
    ("the same, the other way round", "gpu_memory", [prometheus(MEMORY, (96, 11)), prometheus(MEMORY, (12, 11))], "over", "96 %, so for 100% of 10 min"),
    ("two instances in turn", "gpu_memory", [prometheus(MEMORY, (96, 5), (12, 6)), prometheus(MEMORY, (12, 5), (97, 6))], "over", "97 %, so for 100%"),
    ("one of two was not measured", "gpu_memory", [moment(MEMORY, reason="Unknown Error"), moment(MEMORY, 95)], "seen", "95 %"),
    ("neither was", "gpu_memory", [moment(MEMORY, reason="Unknown Error"), moment(MEMORY, reason="no answer")], "unknown", "Unknown Error; no answer"),
    ("each fifth minute of an hour", "gpu_memory", [thinned(prometheus(MEMORY, (96, 60)), 60)], "seen", "96 % over"),
]


@pytest.mark.parametrize(("threshold", "measured", "state", "told"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_situations(threshold: str, measured: list[Series], state: str, told: str) -> None:
    (finding,) = judge_all([THRESHOLDS[threshold]], measured, NOW)
    assert (finding.state, told in finding.told) == (state, True), finding
    assert finding.advice and finding.advice_zh and finding.advice != finding.advice_zh


@given(st.sampled_from(sorted(THRESHOLDS)), st.lists(st.floats(0, 200), min_size=121, max_size=121), st.floats(0, 200))
def test_more_of_it_never_makes_it_well(key: str, values: list[float], more: float) -> None:
    threshold = THRESHOLDS[key]
    assert threshold.operator in (">", ">=")

    def state(plus: float) -> str:
        return judge(threshold, Series(threshold.metric, "x", "host", [(NOW - 5 * (120 - n), v + plus) for n, v in enumerate(values)]), NOW).state

    rank = ["ok", "seen", "over"]
    assert rank.index(state(0)) <= rank.index(state(more))


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(sorted(OPERATORS)), st.floats(min_value=1e-3, max_value=1e3))
def test_the_unit_does_not_matter(value: float, limit: float, operator: str, factor: float) -> None:
    for unit, (what, to_first) in UNITS.items():
        same = [other for other, (kind, _factor) in UNITS.items() if kind == what]
        for other in same:
            there = quantity(f"{limit:f} {unit}", other, "limit")
            assert there * UNITS[other][1] == pytest.approx(float(f"{limit:f}") * to_first)
    assert OPERATORS[operator](value, limit) == OPERATORS[operator](value * 2, limit * 2)


@pytest.mark.parametrize("limit", ["8 Gbit/s", "8000 Mbit/s", "1 GB/s", "1000 MB/s", 8, "8 Gbps"])
def test_one_limit_in_many_units(limit: t.Any) -> None:
    assert load({"x": {"metric": RATE, "limit": limit}}, "here")["x"].limit == pytest.approx(8)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"metric": "gpu_mood"}, "metric is expected to be one of gpu_memory_used"),
        ({"metric": RATE, "limit": "8 celsius"}, "limit is expected as a number of Gbit/s, alone or with a unit of the same kind, but is '8 celsius'"),
        ({"metric": RATE, "limit": "much"}, "but is 'much'"),
        ({"metric": RATE, "limit": True}, "but is True"),
        ({"metric": RATE}, "but is None"),
        ({"metric": RATE, "limit": 8, "operator": "=>"}, "operator is expected to be one of > >= < <=, but is '=>'"),
        ({"metric": RATE, "limit": 8, "window": "a while"}, "window is expected as 10 min, 2 h or 30 s, but is 'a while'"),
        ({"metric": RATE, "limit": 8, "share": 0}, "share is expected to be above 0"),
        ({"metric": RATE, "limit": 8, "severity": "dire"}, "severity is expected to be one of info, warning, critical"),
        ({"metric": RATE, "limit": 8, "limits": 9}, "has limits: correct it"),
    ],
)
def test_a_wrong_threshold_is_told(entry: dict[str, t.Any], said: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        load({"mine": entry}, "lab_thresholds")
    assert str(caught.value).startswith("lab_thresholds: mine") and said in str(caught.value)


def test_every_metric_but_utilisation_and_temperature_has_a_threshold() -> None:
    # those two say nothing bad by themselves: the driver slows a hot GPU down, and that is judged
    assert set(METRICS) - {threshold.metric for threshold in THRESHOLDS.values()} == {"gpu_utilization", "gpu_temperature"}
