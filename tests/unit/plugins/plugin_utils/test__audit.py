# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html.parser
import json
import pathlib
import re
import typing as t
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from ansible_collections.gpulab.expansion.plugins.action.roadmap_gate import _known, _told
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.model import Gpu, Reading
from ansible_collections.gpulab.expansion.plugins.module_utils._gpu.series import series
from ansible_collections.gpulab.expansion.plugins.plugin_utils._audit import broken, document
from ansible_collections.gpulab.expansion.plugins.plugin_utils._page import junit, page
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.files import read_roadmap
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.judge import judge
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.model import Override
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.action import thresholds
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.judge import amount, judge_all
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.model import Series
from ansible_collections.gpulab.expansion.plugins.plugin_utils._thresholds.scale_out import plan
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEMA = pathlib.Path(__file__).resolve().parents[4] / "docs" / "audit.schema.json"
NOW = 1_795_514_400.0
Records = t.List[t.Dict[str, t.Any]]


def record(host: str, **more: t.Any) -> dict[str, t.Any]:
    base = dict.fromkeys(("prediction", "verdicts", "gates", "outcomes", "findings", "reading", "evidence", "requests", "prometheus"))
    return {**base, "host": host, "role": "", "task": "x", "changed": False, "failed": False, "seconds": 1.0, "message": "", **more}


def fleet(hosts: int, used: int = 20000, hot: tuple[int, int] | None = None) -> Records:
    """Hosts of eight GPUs, one of which may have its memory full; measured and judged as on a host, for the twelve seconds before NOW."""
    records = []
    limits = thresholds({"gpu_memory": {"window": "10 s"}}).values()
    for number in range(hosts):
        gpus = [
            Gpu(n, name="NVIDIA GeForce RTX 4090", memory_total_mib=24564, memory_used_mib=24000 if (number, n) == hot else used, utilization_percent=97)
            for n in range(8)
        ]
        readings = [(NOW - 12 + n, Reading("ok", "All GPUs answer.", gpus=gpus)) for n in range(13)]
        measured = [Series(row["metric"], row["device"], "host", row["samples"], row["reason"]) for row in series(readings, "")]
        findings = [finding.as_dict() for finding in judge_all(limits, measured, NOW)]
        reading = {"kind": "gpu", **readings[-1][1].as_dict()}
        records.append(record(f"node{number:03}", findings=findings, reading=json.loads(json.dumps(reading))))
    return records


def lab(users: float | None, declared: dict[str, t.Any] | None = None, hosts: int = 1) -> Records:
    roadmap = read_roadmap()
    reading = {"source": "host", "time": NOW, "value": users, "reason": "" if users is not None else "no host was read"}
    known = _known(roadmap, {"users": [reading]}, declared or {}, NOW)
    gates = [_told(judge(module, known, [], NOW), roadmap) for module in roadmap.modules.values()]
    nodes = {f"node{n:03}": {"gpus": [{"name": "NVIDIA GeForce RTX 4090", "nvlink_active": "not supported"}], "links": []} for n in range(hosts)}
    evidence = {
        "readings": {"users": [reading]},
        "declared": declared or {},
        "phase": None if users is None else roadmap.phase_of(users),
        "horizontal": plan(nodes),
    }
    return [
        record("localhost", prometheus={"state": "none", "reason": ""}),
        record("localhost", evidence=evidence),
        record("localhost", gates=gates),
        record("localhost", requests={"kept": False, "requests": [], "wrong": []}),
    ]


MISFIT = {
    "image": "lab/train:1",
    "node": "gpu1",
    "runs": False,
    "why": "needs a GPU, and gpu1 has none that its driver knows: choose another node.",
    "source": "x",
}
FILE = {"kind": "file", "key": "/etc/a", "before": {"mode": "0600"}, "after": {"mode": "0644"}, "impact": ["restarts a"]}
CHANGE = {"role": "gpulab.expansion.gpu_node", "changed": True, "prediction": [FILE]}
MARKERS = {"node000": {"gpu_node": "{}"}}


def test_a_calm_lab() -> None:
    found = document([*lab(12, {"object_storage": True}), *fleet(2)], {}, "2026-11-24 10:00 UTC", 61.5, None)
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert found["summary"]["en"] == "The lab of 12 users is in phase 1. Nothing is over its limit. The way is open for backups. 8 things could not be known."
    assert found["summary"]["zh"] == "实验室有 12 名用户，处于阶段1。没有超过阈值的项目。可以部署：备份策略升级。8 项未知。"
    assert found["compared"] is None
    assert broken(found, ["drift", "violation", "gate"]) == []


def test_what_a_modules_own_gate_reads_later_does_not_hide_the_evidence_of_the_audit() -> None:
    """The logs' gate looks at the cores of one host; users, phase and advice on hardware came from all."""
    small = record("mgmt1", evidence={"readings": {"log_cores": []}, "declared": {}, "phase": None, "horizontal": []})
    alone, both = (document([*lab(12, hosts=2), *more], {}, "now", 1, None) for more in ([], [small]))
    assert alone["horizontal"] and all(both[key] == alone[key] for key in ("evidence", "phase", "horizontal", "summary"))


def test_a_small_value_is_told_without_an_exponent() -> None:
    assert [amount(value, "Gbit/s") for value in (1.876e-05, 0.00094, 8.0)] == ["0 Gbit/s", "0.0009 Gbit/s", "8 Gbit/s"]


def test_what_is_new_and_what_is_gone() -> None:
    calm = document([*lab(12), *fleet(1)], MARKERS, "monday", 1, None)
    hot = document([*lab(12), *fleet(1, hot=(0, 3)), record("node000", **CHANGE)], MARKERS, "tuesday", 1, calm)
    drifted = "node000: ~ file /etc/a: mode 0600 to 0644  [restarts a]"
    assert hot["compared"] == {
        "with": "monday",
        "new": [
            {"en": "node000 gpu3: memory in use 97.7 %, so for 100% of 10 s", "zh": "node000 gpu3：显存使用率 97.7 %，在 10 秒 内有 100% 的时间如此"},
            {"en": drifted, "zh": drifted},
        ],
        "gone": [],
    }
    assert "1 thing is over the limit: node000 gpu3. 1 thing drifted on 1 host." in hot["summary"]["en"]
    (finding,) = [f for f in hot["findings"] if f["state"] == "over"]
    assert (finding["value"], finding["limit"], finding["window"], finding["source"]) == (pytest.approx(97.7, abs=0.01), 90, 10, "host")
    assert "H100 80GB" in finding["advice"]
    again = document([*lab(12), *fleet(1)], MARKERS, "wednesday", 1, hot)
    assert again["compared"]["new"] == [] and len(again["compared"]["gone"]) == 2


@pytest.mark.parametrize(
    ("policy", "told"),
    [(["never"], 0), (["drift"], 1), (["violation"], 1), (["gate"], 0), (["drift", "violation", "gate"], 2)],
)
def test_the_policy_decides(policy: list[str], told: int) -> None:
    found = document([*lab(12), *fleet(1, hot=(0, 3)), record("node000", **CHANGE)], MARKERS, "now", 1, None)
    assert len(broken(found, policy)) == told


def test_a_change_is_drift_only_where_the_role_was_deployed() -> None:
    found = document([*lab(12), record("node000", **CHANGE), record("node001", **CHANGE)], MARKERS, "now", 1, None)
    assert [(c["host"], c["drift"]) for c in found["changes"]] == [("node000", True), ("node001", False)]


def test_a_deployed_module_whose_gate_is_closed() -> None:
    found = document(lab(12, {"object_storage": False}), {"store1": {"borg_server": "{}"}}, "now", 1, None)
    (told,) = broken(found, ["gate"])
    assert "1 has not" in told
    suite = ET.fromstring(junit(found))
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["borg"]
    assert suite.get("skipped") == str(sum(m["state"] == "unknown" for m in found["modules"]))


def test_the_page_holds_both_languages_and_nothing_from_elsewhere() -> None:
    hot = document([*lab(None), *fleet(2, hot=(1, 5)), record("gpu9", failed=True, message="gpu9 <script>: no answer")], MARKERS, "now", 1, None)
    text = page(hot, "zh")
    assert 'data-language="zh"' in text and "用户数未知" in text and "How many users the lab has is not known" in text
    assert "node001 gpu5" in text and "RTX 4090 → H100 80GB" in text
    assert "&lt;script&gt;: no answer" in text
    assert not re.search(r"https?://|src=|@import|url\(", text)


def test_who_answers_for_a_gate_is_told_in_both_languages_and_nothing_twice() -> None:
    roadmap = read_roadmap()
    override = Override.from_dict({"module": "vgpu", "by": "Li Wei", "reason": "the course begins", "until": "2026-11-30"})
    gate = _told(judge(roadmap.modules["vgpu"], {}, [override], NOW), roadmap)
    found = document([record("control", gates=[gate])], {}, "now", 1, None)
    assert gate["state"] == "overridden" and " vgpu expects " in gate["reason"]
    text = page(found, "zh")
    assert "vgpu is overridden by Li Wei until 2026-11-30: the course begins." in text and "vgpu 由 Li Wei 放行至 2026-11-30：the course begins." in text
    assert "vgpu expects" not in text, "the conditions are a list of their own"


def test_what_became_of_each_module_is_told_in_both_languages_without_what_its_gate_says_elsewhere() -> None:
    outcome = {"module": "elk", "outcome": "checked on gpu1, gpu2; elk is overridden by Li Wei", "short": "checked on gpu1, gpu2"}
    found = document([*lab(12), record("control", outcomes=[outcome])], {}, "now", 1.0, None)
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    text = page(found, "zh")
    assert "checked on gpu1, gpu2<" in text and "已检查：gpu1，gpu2<" in text and "overridden by Li Wei" not in text


def test_who_is_root_beside_root_is_named_and_a_new_one_is_told() -> None:
    accounts = [{"user": "li <b>", "by": ["docker", "sudo"]}, {"user": "chen", "by": ["sudoers %all: some commands", "sudoers: all commands"]}]
    before = document(lab(12), {}, "then", 1.0, None)
    found = document([*lab(12), record("gpu1", reading={"kind": "administrator", "administrators": accounts})], {}, "now", 1.0, before)
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [(host["host"], host["administrators"], host["administrators_unknown"]) for host in found["hosts"]] == [("gpu1", accounts, "")]
    text = page(found, "zh")
    assert "li &lt;b&gt; (docker, sudo)" in text and "等同 root 的账号" in text
    assert "chen (sudoers %all: some commands, sudoers: all commands)" in text and "chen（sudoers %all：部分命令，sudoers：全部命令）" in text
    assert "gpu1: li <b> is root beside root (docker, sudo)" in str(found["compared"])
    assert "gpu1：chen 等同 root（sudoers %all：部分命令，sudoers：全部命令）" in str(found["compared"])
    again = document([*lab(12), record("gpu1", reading={"kind": "administrator", "administrators": accounts[:1]})], {}, "later", 1.0, found)
    assert [line["en"] for line in again["compared"]["gone"]] == ["gpu1: chen is root beside root (sudoers %all: some commands, sudoers: all commands)"]


def test_rules_of_sudo_that_cannot_be_read_are_told_as_not_known() -> None:
    unknown = "cvtsudoers is expected to read the rules of sudo, but cannot: /etc/sudoers.d/<x>:1:16: syntax error."
    reading = {"kind": "administrator", "administrators": [], "unknown": unknown}
    found = document([*lab(12), record("gpu1", reading=reading)], {}, "now", 1.0, document(lab(12), {}, "then", 1.0, None))
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    text = page(found, "en")
    assert "/etc/sudoers.d/&lt;x&gt;:1:16: syntax error." in text and "cvtsudoers 无法读取 sudo 规则：/etc/sudoers.d/&lt;x&gt;:1:16: syntax error。" in text
    assert {"en": f"gpu1: {unknown}", "zh": "gpu1：cvtsudoers 无法读取 sudo 规则：/etc/sudoers.d/<x>:1:16: syntax error。"} in found["compared"]["new"]
    assert "等同 root 的账号" not in page(document(lab(12), {}, "now", 1.0, None), "en")


class Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, sorted(name for name, _value in attrs)))


def told_of(name: str) -> dict[str, t.Any]:
    """An audit in which one name stands wherever somebody else chooses one."""
    verdict = {"subject": name, "verdict": "failed", "measured": name}
    change = {"kind": "file", "key": name, "before": {"mode": name}, "after": {"mode": "0600"}, "impact": [name]}
    image = {**MISFIT, "image": name, "why": f"{name}."}
    records = [
        *lab(12),
        *fleet(1, hot=(0, 1)),
        record("gpu1", failed=True, task=name, message=name),
        record("gpu1", role="gpu_node", verdicts=[verdict], changed=True, prediction=[change]),
        record("localhost", images=[image]),
        record("gpu1", reading={"kind": "administrator", "administrators": [{"user": name, "by": [f"sudoers %{name}: all commands"]}], "unknown": f"{name}."}),
    ]
    for each in records:
        for gpu in (each["reading"] or {}).get("gpus", []):
            gpu.update(name=name, processes=[{"pid": 1, "user": name, "name": name, "memory_mib": 1}])
    return document(records, {}, "now", 1.0, None)


@settings(max_examples=15)
@given(
    st.text(max_size=255)
    | st.sampled_from(["<script>", '"><i x="', "' onclick='x", "{{ 7*7 }}", "{% for %}", "%s", "]]>", "&amp;", "a\x00\x1b\nb", "\udcff", "x" * 255])
)
def test_names_of_anybody_are_text_on_the_page_and_in_junit(name: str) -> None:
    found = told_of(name)
    text = page(found, "en").encode("utf-8", "replace").decode()  # as the callback writes it
    assert Tags(text).seen == Tags(page(told_of("plain"), "en")).seen
    if "7*7" in name:
        assert "{{ 7*7 }}" in text and "49}" not in text
    suite = ET.fromstring(junit(found).encode("utf-8", "replace"))
    assert len(suite.findall("testcase")) == len(ET.fromstring(junit(told_of("plain"))).findall("testcase"))


def test_200_hosts_stay_readable_and_small() -> None:
    records = [*lab(60, hosts=200), *fleet(200, hot=(7, 1))]
    for number in range(200):
        records += [record(f"node{number:03}", **CHANGE)] * 30
    found = document(records, {f"node{n:03}": {"gpu_node": "{}"} for n in range(100)}, "now", 300, None)
    text = page(found, "en")
    assert len(text.encode()) < 3_000_000
    assert text.count("<details") >= 200 and "<details open" not in text
    assert found["thresholds"][0]["states"] == {"ok": 1599, "over": 1}


def test_images_that_do_not_run_are_told_and_gone_when_they_do() -> None:
    unknown = {**MISFIT, "image": "lab/b:1", "runs": None, "why": "does not tell which CUDA it has: label it gpulab.cuda."}
    found = document([*lab(12), record("localhost", images=[MISFIT, {**MISFIT, "runs": True, "node": "gpu2"}, unknown])], {}, "now", 1.0, None)
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert "1 image does not run on some node." in found["summary"]["en"] and "1 个镜像无法在某些节点上运行。" in found["summary"]["zh"]
    text = page(found, "en")
    assert "lab/train:1" in text and "需要 GPU，而 gpu1 没有驱动可识别的 GPU：请换用其他节点。" in text and "lab/b:1" in text and text.count("gpu2") == 0
    later = document([*lab(12), record("localhost", images=[unknown])], {}, "later", 1.0, found)
    (gone,) = later["compared"]["gone"]
    assert gone["en"].startswith("lab/train:1 gpu1: needs a GPU") and "does not run" not in later["summary"]["en"]
