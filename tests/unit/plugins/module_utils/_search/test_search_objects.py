# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import time
import typing as t
from urllib.parse import unquote, urljoin

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._json_api import Answer, ApiError
from ansible_collections.gpulab.expansion.plugins.module_utils._objects import _kept, planned, stages_of
from ansible_collections.gpulab.expansion.plugins.module_utils._prediction import unknown
from ansible_collections.gpulab.expansion.plugins.module_utils._search import client
from ansible_collections.gpulab.expansion.plugins.module_utils._search.client import Access
from ansible_collections.gpulab.expansion.plugins.module_utils._search.objects import KINDS, flat
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


class Engine:
    """Keeps what is put, and tells it as the engines do."""

    def __init__(self, engine: str, answer: t.Any = None, password: str = "secret") -> None:
        self.engine, self.password, self.answers, self.wrote = engine, password, {} if answer is None else {"x": answer}, list[str]()

    def get(self, path: str) -> t.Any:
        return self.answers.get(path.rpartition("/")[2])

    def put(self, path: str, body: t.Any) -> None:
        self.wrote.append(f"PUT {path}")
        name = next(name for name, kind in KINDS.items() if kind({"engine": self.engine}).path("x") == path)
        self.answers["x"] = told(self.engine, name, body)

    def delete(self, path: str) -> None:
        self.wrote.append(f"DELETE {path}")
        del self.answers["x"]

    def logs_in(self, path: str, username: str, password: str) -> bool:
        return password == self.password


def changes(engine: Engine, name: str, check: bool = True, **wanted: t.Any) -> list[dict[str, t.Any]]:
    objects = [{"name": "x", "state": "present", **WANTED[name], **wanted}]
    return _kept({"engine": engine.engine}, engine, [(KINDS[name], objects)], check)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", list(KINDS))
def test_what_was_written_reads_back_as_wanted(engine: str, name: str) -> None:
    server = Engine(engine)
    dry = changes(server, name)
    assert dry and not server.wrote and dry == changes(server, name, check=False) and len(server.wrote) == 1
    assert changes(server, name) == changes(server, name, check=False) == [] and len(server.wrote) == 1
    (gone,) = changes(server, name, state="absent")
    assert gone["after"] == {"state": "absent"}
    assert changes(server, name, check=False, state="absent") == [gone] and server.wrote[1].startswith("DELETE")
    assert changes(server, name, state="absent") == []


def test_an_engine_that_reads_its_own_configuration_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a start, and after each change of a role, the security plugin answers 500 for a moment."""
    answers = [Answer(500, "configModel is null"), Answer(500, "configModel is null"), Answer(200, {"x": {}})]
    access = Access(url="https://localhost:9200")
    one = client.Client(lambda *_: (0, "active", ""), access)
    monkeypatch.setattr(one, "_ask", lambda *_: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    assert one.get("/_plugins/_security/api/roles/x") == {"x": {}}
    answers[:] = [Answer(500, {"error": "broken"})]
    monkeypatch.setattr(client, "AGAIN", 0.0)
    with pytest.raises(ApiError, match="is expected to accept GET /x, but answers 500"):
        one.get("/x")


def test_a_write_that_comes_to_nothing_is_told() -> None:
    server = Engine("opensearch")
    server.put = lambda path, body: None  # type: ignore[method-assign,assignment]
    with pytest.raises(ApiError, match="search_user x is expected to read back as it was written, but differs in password, roles, state"):
        changes(server, "search_user", check=False)


@pytest.mark.parametrize(
    ("kind", "wanted", "sentence"),
    [
        ("search_index", {"state": "absent", "confirm": ""}, "search_index x is to be removed, and confirm is expected to be 'x' for that, but is ''"),
        ("search_index", {"state": "absent", "confirm": "logs"}, "confirm is expected to be 'x' for that, but is 'logs'"),
        ("search_user", {"state": "present", "password": ""}, "search_user x is expected to have a password, but has none"),
    ],
)
def test_what_is_not_meant_or_incomplete_is_refused_before_anything_is_asked(kind: str, wanted: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(ApiError, match=re.escape(sentence)):
        planned([(KINDS[kind], [{"name": "x", **wanted}])], {"engine": "opensearch"})
    assert planned([(KINDS[kind], [{"name": "x", "state": "absent", "confirm": "x"}])], {"engine": "opensearch"}) == []


def test_a_wrong_password_is_a_change_and_is_not_told() -> None:
    body = {"roles": ["r1", "r2"], "opendistro_security_roles": ["r1", "r2"]}
    (change,) = changes(Engine("opensearch", {"x": body}, password="other"), "search_user")
    assert (change["before"], change["after"]) == ({"password": unknown("secret")}, {"password": unknown("secret")})


def test_what_nobody_asked_for_is_a_difference() -> None:
    answer = told("opensearch", "search_index_template", WANTED["search_index_template"]["body"])
    answer["index_templates"][0]["index_template"]["template"]["settings"]["index"]["refresh_interval"] = "5s"
    (change,) = changes(Engine("opensearch", answer), "search_index_template")
    assert list(change["after"]) == ["settings"] and change["before"]["settings"]["index.refresh_interval"] == "5s"
    (change,) = changes(Engine("opensearch", {"x": {**WANTED["search_ingest_pipeline"]["body"], "version": 2}}), "search_ingest_pipeline")
    assert (change["before"], change["after"]) == ({"version": 2}, {"version": None})


@pytest.mark.parametrize(
    ("listed", "sentence"),
    [
        ([{"search_rule": []}], "with its objects is expected in each entry, but one has search_rule: correct it."),
        ([{"search_role": [], "search_user": []}], "one has search_role, search_user"),
        (["search_role"], "one has str"),
        ([{}], "one has nothing"),
        ([{"search_role": [{"nmae": "x"}]}], "search_role: "),
    ],
)
def test_a_list_of_several_kinds_is_refused_by_what_is_wrong_in_it(listed: t.Any, sentence: str) -> None:
    with pytest.raises(ApiError, match=re.escape(sentence)):
        stages_of(KINDS, listed)


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
    one = KINDS[kind]({"engine": engine})
    try:
        planned([(KINDS[kind], [{**WANTED[kind], "name": name, "state": "present", "confirm": ""}])], {"engine": engine})
    except ApiError as exc:
        assert "\n" not in str(exc) and "is expected" in str(exc)
    else:
        path = one.path(name)
        last = path.rpartition("/")[2]
        assert unquote(last) == name and path[: -len(last)] == one.path("x")[:-1]
        assert not set(name) & set('*,?/\\"<>|#') and name[0] not in "_-+" and urljoin("https://engine", path) == f"https://engine{path}"


def test_a_repository_of_snapshots_tells_no_secret_of_its_settings() -> None:
    settings = {"bucket": "b", "secret_key": "Xq7", "client": {"session_token": "Xq7"}}
    answer = {"x": {"type": "s3", "settings": {"bucket": "b", "secret_key": "old"}}}
    (change,) = changes(Engine("opensearch", answer), "search_snapshot_repository", type="s3", settings=settings)
    assert "Xq7" not in repr(change) and "old" not in repr(change) and unknown("secret") in list(change["after"]["settings"].values())
