# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines are read whatever form somebody else's have."""

from __future__ import annotations

import typing as t

from ansible_collections.gpulab.expansion.plugins.action.explanation import _file_name
from ansible_collections.gpulab.expansion.plugins.modules.log_lines_info import _read
from hypothesis import given
from hypothesis import strategies as st

GOOD = {
    "_source": {"host": {"name": "gpu1"}, "signal": {"id": "oom"}, "message": "killed", "process": {"name": "kernel"}},
    "fields": {"@timestamp": ["1795514400000"]},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=2) | st.dictionaries(st.text(max_size=9), each, max_size=3),
)
PARTS = st.fixed_dictionaries({}, optional=dict.fromkeys(("host", "signal", "message", "process", "device", "slurm", "container", "gpu", "host.name"), JSON))


class Client:
    def __init__(self, rows: list[t.Any]) -> None:
        self.rows, self.asked = rows, list[str]()

    def search(self, path: str, body: t.Any) -> t.Any:
        self.asked.append(path)
        return {"hits": {"hits": self.rows if "sort" in body else [], "total": {"value": len(self.rows)}}}


@given(odd=st.lists(PARTS, max_size=4), index=st.sampled_from(["logs-*", "a,b-*", "x?q=1", "../_cluster", "a#b"]))
def test_a_line_in_another_form_is_left_out_and_the_others_are_told(odd: list[dict[str, t.Any]], index: str) -> None:
    rows = [*({"_source": source, "fields": GOOD["fields"]} for source in odd), GOOD]
    client = Client(rows)
    found = _read(t.cast("t.Any", client), {"index": index, "host": "gpu1", "alerts": ""}, 0.0, 1.0)
    assert found["lines"][-1]["message"] == "killed" and found["left_out"] == len(rows) - len(found["lines"])
    assert {(path.count("/"), path.count("?"), path.count("#")) for path in client.asked} == {(2, 1, 0)}


@given(st.text(max_size=255))
def test_the_page_of_a_host_stays_in_its_directory(host: str) -> None:
    name = _file_name(host)
    assert "/" not in name and name.isascii() and name.isprintable() and len(name) <= 100
