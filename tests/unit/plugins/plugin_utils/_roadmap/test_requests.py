# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.files import read_requests, record_of
from ansible_collections.gpulab.expansion.plugins.plugin_utils._roadmap.requests import RequestError, load, missing

MODULES = ("borg", "harbor")
TODAY = "2026-11-24"
TEAM = {"title": "Backups", "who": "Li Wei", "need": "RPO of an hour", "impact": "team", "module": "borg"}
REVIEW = {"by": "Chen Jing", "date": "2026-11-20"}
APPROVAL = {"by": "Zhao Min", "date": "2026-11-21"}


@pytest.mark.parametrize(
    ("more", "accepted", "state", "why"),
    [
        ({}, "", "filed", "x.yml is filed"),
        ({"review": REVIEW}, "", "reviewed", "x.yml is reviewed"),
        ({"review": REVIEW, "approval": APPROVAL}, "", "approved", ""),
        ({"review": REVIEW, "approval": APPROVAL}, TODAY, "accepted", ""),
        ({"impact": "user"}, "", "filed", "there is none"),
        ({"impact": "user", "documentation": "docs/jupyter.md"}, "", "documented", "there is none"),
    ],
)
def test_how_far_a_request_is(more: dict[str, t.Any], accepted: str, state: str, why: str) -> None:
    request = load("x.yml", {**TEAM, **more}, MODULES, TODAY, accepted)
    assert request.state == state
    told = missing("borg", [request])
    assert (f"but {why}: have it approved" in told) if why else told == ""
    assert "but there is none" in missing("harbor", [request])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"titel": "x"}, "but titel is wrong"),
        ({"need": ""}, "but need is wrong"),
        ({"impact": "lab"}, "impact is expected to be user or team, but is 'lab'"),
        ({"module": "borgs"}, "one of borg, harbor, but names 'borgs'"),
        ({"module": None}, "but names None"),
        ({"approval": APPROVAL}, "is expected to be reviewed before it is approved, but has no review"),
        ({"review": {**REVIEW, "date": "2026-11-22"}, "approval": APPROVAL}, "but was reviewed on 2026-11-22"),
        ({"review": REVIEW, "approval": {"by": "Li Wei", "date": "2026-11-21"}}, "approved by somebody else than who asks for it"),
        ({"review": {"by": "Chen Jing"}}, "review is expected to have by and date, and perhaps a note, but date is wrong"),
        ({"review": {**REVIEW, "date": "20 Nov"}}, "the date of review is expected as 2026-11-24, but is '20 Nov'"),
        ({"review": {**REVIEW, "date": "2026-11-25"}}, "expected to be of today or before, but is of 2026-11-25"),
        ({"review": "Chen Jing"}, "review is expected to have by and date"),
    ],
)
def test_a_malformed_request_is_told(change: dict[str, t.Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        load("x.yml", {**TEAM, **change}, MODULES, TODAY)
    assert str(caught.value).startswith("x.yml") and said in str(caught.value)


def test_a_directory_tells_of_each_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.yml").write_text(json.dumps({**TEAM, "review": REVIEW, "approval": APPROVAL}), encoding="utf-8")
    (tmp_path / "b.yml").write_text("title: [open\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text("- a list\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("not asked\n", encoding="utf-8")
    (tmp_path / "d.yml").write_text("title: d\nwho: e\nneed: f\nimpact: user\nreview: {by: g, date: 2026-11-20}\n", encoding="utf-8")
    found, wrong = read_requests(str(tmp_path), MODULES)
    assert [(r.name, r.state) for r in found] == [("a.yml", "approved"), ("d.yml", "filed")]
    assert [line.split()[0] for line in wrong] == ["b.yml", "c.yaml"] and "YAML" in wrong[0]
    record = pathlib.Path(record_of(str(tmp_path), "a.yml"))
    record.parent.mkdir()
    record.write_text('{"accepted": "2026-11-24"}', encoding="utf-8")
    assert read_requests(str(tmp_path), MODULES)[0][0].state == "accepted"
    record.write_text("{", encoding="utf-8")
    assert "is expected to be a record of acceptance" in read_requests(str(tmp_path), MODULES)[1][0]
    assert read_requests(str(tmp_path / "none"), MODULES) == ([], [])
