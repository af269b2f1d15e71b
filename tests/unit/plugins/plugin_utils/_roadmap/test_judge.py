# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.gpulab.expansion.plugins.module_utils._window import OPERATORS
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.judge import judge
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.model import Override, Reading, RoadmapError, load
from hypothesis import given
from hypothesis import strategies as st

FILE = pathlib.Path(__file__).resolve().parents[5] / "playbooks" / "files" / "roadmap.yml"
DATA: dict[str, t.Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
ROADMAP = load(DATA, "roadmap.yml")
HOUR, DAY = 3600.0, 86400.0
NOW = 1_795_514_400.0  # 2026-11-24 10:00 UTC
Readings = t.Dict[str, t.List[Reading]]


def history(values: t.Sequence[float], source: str = "prometheus", until: float = NOW, step: float = HOUR) -> Reading:
    """One value an hour, the last one now."""
    times = [until - step * n for n in range(len(values) - 1, -1, -1)]
    return Reading(source, until, values[-1], tuple(zip(times, values)))


def week(*parts: tuple[float, int], **more: t.Any) -> Reading:
    """Seven days of hourly values, as (value, hours)."""
    values = list(itertools.chain.from_iterable([value] * hours for value, hours in parts))
    assert len(values) == 169
    return history(values, **more)


def host(value: float | None, age: float = 0.0, reason: str = "") -> Reading:
    return Reading("host", NOW - age, value, reason=reason)


def declared(value: float) -> Reading:
    return Reading("declared", NOW, value)


LI = {"by": "Li Wei", "reason": "the course begins", "until": "2026-11-24"}
SITUATIONS: list[tuple[str, str, Readings, dict[str, str] | None, str, str]] = [
    # what, module, what is known, override, state, part of the reason
    ("declared there", "borg", {"object_storage": [declared(1)]}, None, "open", ""),
    ("declared not there", "borg", {"object_storage": [declared(0)]}, None, "closed", "the inventory says there is none"),
    ("nobody says", "borg", {}, None, "unknown", "set object_storage: true in lab_preconditions"),
    ("enough of both", "elk", {"log_cores": [host(4)], "log_memory": [host(16)]}, None, "open", ""),
    ("one core less", "elk", {"log_cores": [host(3)], "log_memory": [host(16)]}, None, "closed", "cores for the logs >= 4 cores, but found 3 cores (host)"),
    ("memory unknown", "elk", {"log_cores": [host(4)]}, None, "unknown", "memory for the logs >= 16 GB, but that is not known"),
    ("one fails, one unknown", "elk", {"log_cores": [host(1)]}, None, "closed", "cores for the logs"),
    ("unreadable, for a reason", "elk", {"log_cores": [host(None, reason="no answer")], "log_memory": [host(64)]}, None, "unknown", "no answer (host)"),
    ("stale", "elk", {"log_cores": [host(8, age=25 * HOUR)], "log_memory": [host(64)]}, None, "unknown", "it is 25 h old"),
    ("just not stale", "elk", {"log_cores": [host(8, age=24 * HOUR)], "log_memory": [host(64)]}, None, "open", ""),
    ("clocks disagree", "elk", {"log_cores": [host(8, age=-HOUR)], "log_memory": [host(64)]}, None, "unknown", "the clocks disagree"),
    ("at the limit all week", "slurm", {"concurrent_tasks": [week((20, 169))]}, None, "closed", "so for 0% of 7 d, last 20 tasks"),
    ("above it all week", "slurm", {"concurrent_tasks": [week((21, 169))]}, None, "open", ""),
    ("a spike of three hours", "slurm", {"concurrent_tasks": [week((5, 160), (90, 3), (5, 6))]}, None, "closed", "so for 2% of 7 d"),
    ("working hours", "slurm", {"concurrent_tasks": [week((5, 129), (30, 40))]}, None, "open", ""),
    ("a moment, no history", "slurm", {"concurrent_tasks": [host(40)]}, None, "unknown", "it has no history, and 7 d are needed"),
    ("two days of history", "slurm", {"concurrent_tasks": [history([40] * 48)]}, None, "unknown", "shows 30% of 7 d, and 90% are needed"),
    (
        "five samples in a week",
        "slurm",
        {"concurrent_tasks": [Reading("prometheus", NOW, 25, tuple((NOW - n * 42 * HOUR, 25.0) for n in range(4, -1, -1)))]},
        None,
        "unknown",
        "shows 10% of 7 d, and 90% are needed",
    ),
    (
        "each second hour of a week",
        "slurm",
        {"concurrent_tasks": [Reading("prometheus", NOW, 25, tuple((NOW - n * HOUR, 25.0) for n in range(168, -1, -2)))]},
        None,
        "open",
        "",
    ),
    (
        "a hole of three days",
        "slurm",
        {"concurrent_tasks": [Reading("prometheus", NOW, 40, tuple((NOW - n * HOUR, 40.0) for n in range(168, -1, -1) if not 24 < n < 96))]},
        None,
        "unknown",
        "shows 60% of 7 d",
    ),
    ("ended last night", "slurm", {"concurrent_tasks": [week((40, 169), until=NOW - 12 * HOUR)]}, None, "open", ""),
    ("ended yesterday", "slurm", {"concurrent_tasks": [week((40, 169), until=NOW - 23 * HOUR)]}, None, "unknown", "shows 89% of 7 d"),
    ("ended long ago", "slurm", {"concurrent_tasks": [week((40, 169), until=NOW - 60 * HOUR)]}, None, "unknown", "it is 60 h old"),
    ("declared without history", "slurm", {"concurrent_tasks": [declared(30)]}, None, "open", ""),
    ("storage at the limit", "ceph", {"storage_demand": [week((100, 169))]}, None, "closed", "storage demand > 100 TB for 100% of 7 d"),
    ("storage above it", "ceph", {"storage_demand": [week((100.1, 169))]}, None, "open", ""),
    ("storage above it but for an hour", "ceph", {"storage_demand": [week((120, 80), (90, 1), (120, 88))]}, None, "closed", "so for 99% of 7 d"),
    ("mostly containers", "k8s", {"containerised_share": [week((61, 140), (10, 29))]}, None, "open", ""),
    ("containers, not long enough", "k8s", {"containerised_share": [week((10, 60), (90, 109))]}, None, "closed", "last 90 %"),
    ("sources agree", "elk", {"log_cores": [host(8), declared(4)], "log_memory": [host(64)]}, None, "open", ""),
    (
        "sources contradict",
        "elk",
        {"log_cores": [host(2), declared(4)], "log_memory": [host(64)]},
        None,
        "unknown",
        "host says 2 cores, but declared says 4 cores",
    ),
    (
        "best source unknown, next known",
        "elk",
        {"log_cores": [Reading("prometheus", NOW, None, reason="401"), host(8)], "log_memory": [host(64)]},
        None,
        "open",
        "",
    ),
    ("overridden, last day", "vgpu", {"gpu_licence": [declared(0)]}, LI, "overridden", "overridden by Li Wei until 2026-11-24: the course begins."),
    ("override expired", "vgpu", {"gpu_licence": [declared(0)]}, {**LI, "until": "2026-11-23"}, "closed", "The override by Li Wei ended on 2026-11-23."),
    ("open needs no override", "vgpu", {"gpu_licence": [declared(1)]}, LI, "open", ""),
    ("override of the unknown", "hybrid_cloud", {}, LI, "overridden", "a budget for the cloud"),
]


@pytest.mark.parametrize(("what", "module", "known", "override", "state", "reason"), SITUATIONS, ids=[row[0] for row in SITUATIONS])
def test_situations(what: str, module: str, known: Readings, override: dict[str, str] | None, state: str, reason: str) -> None:
    overrides = [Override.from_dict({"module": module, **override})] if override else []
    gate = judge(ROADMAP.modules[module], known, overrides, NOW)
    assert (gate.state, gate.passes) == (state, state in ("open", "overridden"))
    assert reason in gate.reason and bool(reason) == bool(gate.reason), gate.reason
    asked = "lab_gate_overrides" in gate.reason or "lab_preconditions" in gate.reason
    assert asked == (state in ("closed", "unknown")), "one who answers for it already is not told to name somebody"


def test_an_override_is_for_its_module() -> None:
    other = [Override.from_dict({"module": "istio", **LI})]
    assert judge(ROADMAP.modules["vgpu"], {}, other, NOW).state == "unknown"


@pytest.mark.parametrize(("users", "phase"), [(0, 1), (10, 1), (19, 1), (20, 2), (50, 2), (51, 3), (400, 3)])
def test_phase_by_users(users: int, phase: int) -> None:
    assert ROADMAP.phase_of(users) == phase


def test_the_plan_is_there() -> None:
    assert {(m.key, m.phase) for m in ROADMAP.modules.values()} >= {
        *(("elk", 1), ("borg", 1), ("harbor", 1), ("slurm", 2), ("ceph", 2), ("k8s", 2)),
        *(("vgpu", 3), ("istio", 3), ("hybrid_cloud", 3)),
    }
    assert {m.key: (m.urgency, m.difficulty) for m in ROADMAP.modules.values() if m.urgency} == {
        "harbor": (3, 2),
        "slurm": (2, 3),
        "ceph": (1, 4),
        "hybrid_cloud": (1, 5),
    }


Values = st.lists(st.floats(0, 1000), min_size=169, max_size=169)


@given(values=Values, more=st.floats(0, 1000))
def test_more_tasks_never_close_a_gate(values: list[float], more: float) -> None:
    order = {"closed": 0, "open": 1}
    before = judge(ROADMAP.modules["slurm"], {"concurrent_tasks": [history(values)]}, [], NOW).state
    after = judge(ROADMAP.modules["slurm"], {"concurrent_tasks": [history([v + more for v in values])]}, [], NOW).state
    assert order[after] >= order[before]


@given(values=Values, hours=st.integers(0, 33), at=st.integers(0, 130), height=st.floats(21, 1e6))
def test_a_spike_shorter_than_the_share_opens_nothing(values: list[float], hours: int, at: int, height: float) -> None:
    quiet = [min(value, 20.0) for value in values]
    spiky = quiet[:at] + [height] * hours + quiet[at + hours :]
    assert judge(ROADMAP.modules["slurm"], {"concurrent_tasks": [history(spiky)]}, [], NOW).state == "closed"


@given(age=st.floats(0, 30 * DAY), value=st.floats(0, 1000))
def test_what_is_unknown_never_opens(age: float, value: float) -> None:
    state = judge(ROADMAP.modules["elk"], {"log_cores": [host(value, age)]}, [], NOW).state
    assert state in ("closed", "unknown") and (state == "closed") == (age <= DAY and value < 4)


def test_operators_are_those_of_numbers() -> None:
    assert [OPERATORS[o](1, 2) for o in (">", ">=", "<", "<=")] == [False, False, True, True]
    assert [OPERATORS[o](2, 2) for o in (">", ">=", "<", "<=")] == [False, True, False, True]


def changed(path: str, value: t.Any) -> dict[str, t.Any]:
    data = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    node = data
    *parents, last = path.split("/")
    for name in parents:
        node = node[int(name) if name.isdigit() else name]
    node[last] = value
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (["x"], "is expected to have evidence, phases and modules, but has none"),
        ({"evidence": {}}, "but has evidence"),
        (changed("evidence/users/unit", "heads"), "the unit of users is expected to be one of people, .*, but is 'heads'"),
        (changed("modules/slurm/phase", 7), "the phase of slurm is expected to be one of 1, 2, 3, but is 7"),
        (changed("modules/slurm/needs/0/evidence", "tasks"), "slurm is expected to need evidence that the file lists, but needs 'tasks'"),
        (changed("modules/slurm/needs/0/operator", "more"), "is expected to be compared by one of > >= < <="),
        (changed("modules/slurm/needs/0/limit", "20"), "with a number"),
        (changed("modules/slurm/needs/0/window", "a week"), "A window is expected as 7 d, 12 h or 30 min, but is 'a week'"),
        (changed("modules/slurm/needs/0/share", 20), "above 0 and at most 1, but is 20"),
    ],
)
def test_a_wrong_roadmap_is_told(data: t.Any, said: str) -> None:
    with pytest.raises(RoadmapError, match=said):
        load(data, "mine.yml")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"module": "slurm", "by": "Li", "until": "2026-12-31"}, "reason is wrong"),
        ({"module": "slurm", "by": "Li", "reason": "x", "until": "soon"}, "as 2026-12-31, but until is 'soon'"),
        ("slurm", "is expected to have module, by, reason, until"),
    ],
)
def test_a_wrong_override_is_told(data: t.Any, said: str) -> None:
    with pytest.raises(RoadmapError, match=said):
        Override.from_dict(data)


def test_readings_of_modules() -> None:
    nan = float("nan")
    found = Reading.from_dict("x", {"source": "prometheus", "time": 5, "value": nan, "samples": [[1, 2], [2, nan]]})
    assert found == Reading("prometheus", 5, None, ((1, 2),), "it is not a number")
    with pytest.raises(RoadmapError, match="to have as source one of"):
        Reading.from_dict("x", {"source": "hearsay"})
