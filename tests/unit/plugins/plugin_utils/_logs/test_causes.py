# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.gpulab.expansion.plugins.action.explanation import document
from ansible_collections.gpulab.expansion.plugins.plugin_utils._logs.causes import LATE, causes, happenings, readings, sentence
from ansible_collections.gpulab.expansion.plugins.plugin_utils._logs.signals import SignalError, check, consequences, repeats
from ansible_collections.gpulab.expansion.plugins.plugin_utils._page import explanation
from hypothesis import given
from hypothesis import strategies as st

ROOT = pathlib.Path(__file__).resolve().parents[5]
TABLE = yaml.safe_load((ROOT / "roles" / "elk" / "files" / "signals.yml").read_text(encoding="utf-8"))
LEADS = consequences(TABLE)
MANY = repeats(TABLE)
SIGNALS = {signal["id"]: signal for signal in TABLE["signals"]}


def line(when: float, signal: str, device: str, host: str = "gpu1", **more: t.Any) -> dict[str, t.Any]:
    known = SIGNALS[signal]
    severity = known["severity"] if known["severity"] != "xid" else "critical"
    told = {"name": known["name"], "name_zh": known["name_zh"], "severity": severity, "class": known["class"]}
    return {
        "when": when,
        "host": host,
        "device": device,
        "signal": signal,
        "message": known["fires"][0],
        "advice": known.get("advice", "a"),
        "advice_zh": known.get("advice_zh", "b"),
        "who": "",
        **told,
        **more,
    }


def first(*lines: dict[str, t.Any], host: str = "gpu1") -> tuple[str, str, str]:
    found = causes(happenings(lines, MANY), LEADS, host)
    return (found[0].host, found[0].device, found[0].signal) if found else ("", "", "")


def test_one_thing_leads_to_the_next() -> None:
    assert {"file_system", "unit_failed", "hung_task"} <= LEADS["nvme"], "through disk_error"
    assert "nic_down" not in LEADS["nccl"]


def test_a_few_failed_log_ins_are_no_cause_and_many_are() -> None:
    few = [line(n, "failed_login", "10.9.8.7") for n in range(9)]
    wrong = line(20, "unit_failed", "backup.service")
    assert first(*few, wrong)[2] == "unit_failed"
    assert first(*few, line(9, "failed_login", "10.9.8.7"))[2] == "failed_login"


def test_a_consequence_that_is_no_signal_is_refused() -> None:
    signals = [{**SIGNALS["nccl"], "leads_to": ["rain"]}]
    with pytest.raises(SignalError, match="leads_to is expected to name signals, but rain is none"):
        check({"signals": signals})


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        ([line(10, "cuda_error", "train"), line(12, "nvidia_xid", "65:00", xid=79)], ("gpu1", "65:00", "nvidia_xid")),
        ([line(10, "nvidia_xid", "65:00", xid=79), line(10, "gpu_off_bus", "65:00")], ("gpu1", "65:00", "gpu_off_bus")),
        ([line(10, "nvidia_xid", "65:00", xid=79), line(11, "gpu_off_bus", "65:00")], ("gpu1", "65:00", "nvidia_xid")),
        ([line(10, "unit_failed", "a.service"), line(9, "disk_full", "train")], ("gpu1", "train", "disk_full")),
        ([line(10, "nic_down", "eno1"), line(700, "nccl", "train")], ("gpu1", "eno1", "nic_down")),
        # an unrelated service that failed first is no cause
        ([line(0, "unit_failed", "cups.service"), line(60, "gpu_thermal", "b1:00")], ("gpu1", "b1:00", "gpu_thermal")),
        # much comes of a program's own fault: it is told before what stands alone and is less than critical
        (
            [
                line(0, "unit_failed", "cups.service"),
                line(50, "nvidia_xid", "17:00", xid=31, severity="info"),
                line(51, "nvidia_xid", "17:00", xid=45, severity="info"),
                line(51, "cuda_error", "train"),
            ],
            ("gpu1", "17:00", "nvidia_xid"),
        ),
    ],
)
def test_the_cause_is_told_first(lines: list[dict[str, t.Any]], cause: tuple[str, str, str]) -> None:
    assert first(*lines) == cause


def test_what_comes_much_later_has_a_cause_of_its_own() -> None:
    found = causes(happenings([line(0, "oom_kill", "python3"), line(LATE + 1, "unit_failed", "a.service")], MANY), LEADS, "gpu1")
    assert [each.signal for each in found] == ["oom_kill", "unit_failed"]


def test_two_gpus_have_each_their_own_trouble() -> None:
    found = causes(happenings([line(0, "nvlink", "3b:00"), line(1, "nvidia_xid", "65:00", xid=79)], MANY), LEADS, "gpu1")
    assert {each.device for each in found} == {"3b:00", "65:00"}


def test_of_another_host_only_what_did_something_here() -> None:
    lines = [line(0, "nvidia_xid", "3b:00", host="gpu2", xid=79), line(5, "disk_error", "sdb", host="gpu3")]
    assert first(*lines) == ("", "", "")
    assert first(*lines, line(9, "nccl", "train")) == ("gpu2", "3b:00", "nvidia_xid")
    assert first(*lines, line(9, "cuda_error", "train")) == ("gpu1", "train", "cuda_error")


def test_lines_that_say_the_same_are_one_happening() -> None:
    (found,) = happenings([line(n, "nccl", "train", who=f"train[{n % 2}]") for n in (3, 1, 2)], MANY)
    assert (found.first, found.last, found.count, found.who) == (1, 3, 3, ["train[1]", "train[0]"])


def test_a_gpu_that_is_read_no_more_is_told() -> None:
    def series(metric: str, *samples: tuple[float, float]) -> dict[str, t.Any]:
        return {"labels": {"gpu": "3", "metric": metric}, "samples": samples}

    (gpu,) = readings([series("temperature", (10, 60), (20, 91), (30, 92), (999, 99)), series("memory", (10, 0.5), (20, 0.98))], 0, 500)
    assert [(event["when"], event["text"]) for event in gpu["events"]] == [(20, "reaches 90 °C"), (20, "has its memory full"), (30, "is read no more")]
    assert gpu["temperature"]["most"] == 92, "what is after the window does not count"


@given(st.lists(st.tuples(st.floats(0, 5000), st.sampled_from(sorted(SIGNALS)), st.sampled_from(["gpu1", "gpu2"]), st.sampled_from(["65:00", "sdb"]))))
def test_whatever_is_seen_has_a_cause(seen: list[tuple[float, str, str, str]]) -> None:
    """Nothing on the host is left without something that explains it, and each cause is told once."""
    lines = [line(when, signal, device, host, xid=79 if signal == "nvidia_xid" else 0) for when, signal, host, device in seen]
    known = happenings(lines, MANY)
    found = causes(known, LEADS, "gpu1")
    assert len({id(each) for each in found}) == len(found)
    if any(each.host == "gpu1" for each in known):
        assert found


def test_the_page_has_all_of_it_in_both_languages_and_nothing_from_elsewhere() -> None:
    logs = {
        "lines": [line(10, "disk_full", "train", who="job 7"), line(12, "unit_failed", "backup.service")],
        "before": {"backup.service": ["<b>no space</b>"]},
        "called": [{"when": 14, "rule": "disk_full", "host": "gpu1", "device": "train"}],
        "errors": [{"program": "train", "count": 3, "newest": "boom"}],
        "left_out": 0,
        "total": 99,
        "since": 0.0,
        "until": 600.0,
        "clock": 7200.0,
    }
    unread = {"answers": {"memory": {"series": [], "reason": "no Prometheus is named in lab_prometheus_url"}}}
    told = document("gpu1", logs, unread, LEADS, MANY)
    assert told["sentence"]["en"].startswith("gpu1 train: file system full, and 1 other thing may have come of it. A file system is full.")
    assert told["sentence"]["zh"].startswith("gpu1 train：文件系统已满，可能引发其他 1 项。")
    assert told["causes"][-1]["name"] == "the clock is 7200 s ahead"
    page = explanation({**told, "clock_of": str, "pairs": zip}, "zh")
    assert 'data-language="zh"' in page and "calls somebody: disk_full" in page and "job 7" in page
    assert "no Prometheus is named in lab_prometheus_url" in page and "lab_prometheus_url 未设置 Prometheus" in page, "why no GPU is shown"
    assert "http" not in page and "<b>no space" not in page
    assert sentence("gpu1", [], 99, "en") == "gpu1: nothing that we know the meaning of is in its 99 lines."
