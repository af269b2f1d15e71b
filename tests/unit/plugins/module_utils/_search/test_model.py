# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t
from urllib.parse import unquote, urljoin

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._plan.prediction import unknown
from ansible_collections.gpulab.expansion.plugins.module_utils._search.apply import planned, predicted
from ansible_collections.gpulab.expansion.plugins.module_utils._search.client import SearchError
from ansible_collections.gpulab.expansion.plugins.module_utils._search.model import KINDS, differing, flat
from hypothesis import given
from hypothesis import strategies as st

ENGINES = ("opensearch", "elastic")
WANTED: dict[str, dict[str, t.Any]] = {
    "search_index_template": {
        "body": {"index_patterns": ["b-*", "a-*"], "data_stream": {}, "priority": 7, "template": {"settings": {"number_of_replicas": 0}}},
    },
    "search_index": {},
    "search_ingest_pipeline": {"body": {"description": "d", "processors": [{"lowercase": {"field": "x"}}]}},
    "search_snapshot_repository": {"type": "fs", "settings": {"location": "/srv", "compress": True}},
    "search_role": {"cluster": ["c2", "c1"], "indices": [{"patterns": ["logs-*"], "actions": ["write", "read"]}]},
    "search_user": {"password": "secret", "roles": ["r2", "r1"]},
}


def told(engine: str, name: str, body: dict[str, t.Any]) -> t.Any:
    """What the engines answer when they are asked for what was just written: with their own additions."""
    if name == "search_index_template":
        settings = {"index": {"number_of_replicas": "0"}}
        inner = {**body, "composed_of": [], "data_stream": {"timestamp_field": {"name": "@timestamp"}}, "template": {"settings": settings}}
        return {"index_templates": [{"name": "x", "index_template": inner}]}
    if name == "search_role":
        more = {"dls": None, "fls": [], "masked_fields": []} if engine == "opensearch" else {"allow_restricted_indices": False}
        rows = "index_permissions" if engine == "opensearch" else "indices"
        return {"x": {**body, "reserved": False, rows: [{**row, **more} for row in body[rows]]}}
    if name == "search_user":
        return {"x": {**{k: v for k, v in body.items() if k != "password"}, "hash": "", "backend_roles": []}}
    if name == "search_snapshot_repository":
        return {"x": {"type": "fs", "settings": {"location": "/srv", "compress": "true"}}}
    return {"x": body}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", list(KINDS))
def test_what_was_written_reads_back_as_wanted(engine: str, name: str) -> None:
    kind = KINDS[name](engine)
    wanted = {"name": "x", "state": "present", **WANTED[name]}
    assert predicted(kind, wanted, None) is not None
    found = kind.observed("x", told(engine, name, kind.body(wanted)))
    assert predicted(kind, wanted, found, password_right=True) is None
    assert kind.observed("x", None) is None
    gone = predicted(kind, {**wanted, "state": "absent"}, found)
    assert gone is not None and gone["after"] == {"state": "absent"}
    assert predicted(kind, {**wanted, "state": "absent"}, None) is None


@pytest.mark.parametrize(
    ("kind", "wanted", "sentence"),
    [
        ("search_index", {"state": "absent", "confirm": ""}, "search_index x is to be removed, and confirm is expected to be 'x' for that, but is ''"),
        ("search_index", {"state": "absent", "confirm": "logs"}, "confirm is expected to be 'x' for that, but is 'logs'"),
        ("search_user", {"state": "present", "password": ""}, "search_user x is expected to have a password, but has none"),
    ],
)
def test_what_is_not_meant_or_incomplete_is_refused_before_anything_is_asked(kind: str, wanted: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(SearchError, match=re.escape(sentence)):
        planned(KINDS[kind]("opensearch"), [{"name": "x", **wanted}])
    assert planned(KINDS[kind]("opensearch"), [{"name": "x", "state": "absent", "confirm": "x"}]) == []


def test_a_wrong_password_is_a_change_and_is_not_told() -> None:
    kind = KINDS["search_user"]("opensearch")
    change = predicted(kind, {"name": "x", "state": "present", **WANTED["search_user"]}, {"roles": ["r1", "r2"]})
    assert change is not None and change["after"] == {"password": {"__unknown__": "secret"}}
    assert "secret" not in str(change["after"].values()).replace("'__unknown__': 'secret'", "")


def test_what_nobody_asked_for_is_a_difference() -> None:
    before, after = differing({"a": 1}, {"a": 1, "b": 2})
    assert (before, after) == ({"b": 2}, {"b": None})
    kind = KINDS["search_index_template"]("opensearch")
    wanted = WANTED["search_index_template"]
    answer = told("opensearch", "search_index_template", kind.body(wanted))
    answer["index_templates"][0]["index_template"]["template"]["settings"]["index"]["refresh_interval"] = "5s"
    change = predicted(kind, {"name": "x", "state": "present", **wanted}, kind.observed("x", answer))
    assert change is not None and list(change["after"]) == ["settings"]


SETTINGS = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text("abc", min_size=1)),
    lambda inner: st.dictionaries(st.text("xyz", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text("xyz", min_size=1), SETTINGS, max_size=3))
def test_flat_settings_are_the_same_once_flat(settings: dict[str, t.Any]) -> None:
    once = flat(settings)
    assert flat(once) == once
    assert all(isinstance(value, str) for value in once.values())


ODD = st.text(min_size=1, max_size=300) | st.sampled_from(
    [
        "*",
        "_all",
        "a,b",
        "-x",
        "../_cluster/settings",
        "a/b",
        "a?q",
        "%2e%2e",
        "a b",
        "a'b",
        "a\nb",
        "{{ 7*7 }}",
        "<a-{now/d}>",
        ".",
        "..",
        "é",
        "x" * 256,
        "\udcff",
    ]
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", list(KINDS))
@given(name=ODD)
def test_a_name_is_one_object_or_refused(engine: str, kind: str, name: str) -> None:
    one = KINDS[kind](engine)
    try:
        planned(one, [{**WANTED[kind], "name": name, "state": "present", "confirm": ""}])
    except SearchError as exc:
        assert "\n" not in str(exc) and "is expected" in str(exc)
    else:
        path = one.path(name)
        last = path.rpartition("/")[2]
        assert unquote(last) == name and path[: -len(last)] == one.path("x")[:-1]
        assert not set(name) & set('*,?/\\"<>|#') and name[0] not in "_-+" and urljoin("https://engine", path) == f"https://engine{path}"


def test_a_repository_of_snapshots_tells_no_secret_of_its_settings() -> None:
    kind = KINDS["search_snapshot_repository"]("opensearch")
    wanted = {"name": "s3", "state": "present", "type": "s3", "settings": {"bucket": "b", "secret_key": "Xq7", "client": {"session_token": "Xq7"}}}
    change = predicted(kind, wanted, {"type": "s3", "settings": {"bucket": "b", "secret_key": "old"}})
    assert change and "Xq7" not in repr(change) and "old" not in repr(change) and unknown("secret") in list(change["after"]["settings"].values())
