# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.plugin_utils._networks import NetworkError, load
from hypothesis import given
from hypothesis import strategies as st

HOSTS = {"gpu1": "10.1.0.11", "store1": "store1.lab.example"}
MANAGEMENT = {"cidr": "10.1.0.0/24", "hosts": {"store1": "10.1.0.21"}}
STORAGE = {"cidr": "10.2.0.0/24", "hosts": {"gpu1": "10.2.0.11", "store1": "10.2.0.21"}}


def test_what_is_declared_and_what_is_derived() -> None:
    found = load({"management": MANAGEMENT, "storage": STORAGE, "pods": {"cidr": "fd00::/64"}}, HOSTS)
    assert found.addresses == {"gpu1": {"storage": "10.2.0.11", "management": "10.1.0.11"}, "store1": {"management": "10.1.0.21", "storage": "10.2.0.21"}}
    assert found.cidrs["pods"] == "fd00::/64" and found.derived == ["gpu1 has 10.1.0.11 in management, from its ansible_host."]
    assert load({}, HOSTS).addresses == {"gpu1": {}, "store1": {}}, "nothing declared, nothing checked"


@pytest.mark.parametrize(
    ("networks", "hosts", "sentence"),
    [
        ({"a": {"cidr": "10.1.0.0/16"}, "b": {"cidr": "10.1.2.0/24"}}, {}, "The networks a (10.1.0.0/16) and b (10.1.2.0/24) are expected to have no address"),
        ({"a": {"cidr": "10.1.0.5/24"}}, {}, "a: a cidr as 10.1.0.0/24 is expected, but it is '10.1.0.5/24', an address in it."),
        ({"a": {"cidr": "10.1.0.0"}}, {}, "a: a cidr as 10.1.0.0/32 is expected, but it is '10.1.0.0', an address in it."),
        ({"a": {"cidr": "lab"}}, {}, "a: a cidr as 10.20.0.0/24 is expected, but it is 'lab'."),
        ({"a": {"hosts": {}}}, {}, "a: a cidr as 10.20.0.0/24 is expected, but it is None."),
        ({"a": {"cidr": "10.1.0.0/24", "host": {}}}, {}, "a is expected to have cidr and hosts, addresses by host, but has host."),
        ({"a": {"cidr": "10.1.0.0/24", "hosts": ["gpu1"]}}, {}, "a is expected to have cidr and hosts, addresses by host, but has other hosts."),
        ({"a": {"cidr": "10.1.0.0/24", "hosts": {"gpu9": "10.1.0.9"}}}, {}, "a: hosts of the inventory are expected, but gpu9 is none."),
        ({"a": {"cidr": "10.1.0.0/24", "hosts": {"g": "10.9.0.9"}}}, {"g": "g"}, "a: an address of a host in 10.1.0.0/24 is expected for g, but 10.9.0.9"),
        ({"a": {"cidr": "10.1.0.0/24", "hosts": {"g": "10.1.0.255"}}}, {"g": "g"}, "is expected for g, but 10.1.0.255 is none."),
        ({"a": {"cidr": "10.1.0.0/24", "hosts": {"g": "gpu"}}}, {"g": "g"}, "a: an address is expected for g, but it is 'gpu'."),
        ({"a": {"cidr": "10.1.0.0/24"}}, {"g": "10.9.0.9"}, "ansible_host of g is expected in one of a, but 10.9.0.9 is in none."),
        ({"a": {"cidr": "10.1.0.0/24"}}, {"g": "gpu"}, "g is expected to have an address in one of a, but has none: add it to the hosts of one of them."),
        ({"a": {"cidr": "10.1.0.0/24"}}, {"g": "10.1.0.9", "h": "10.1.0.9"}, "10.1.0.9 is expected to belong to one host, but belongs to g and h."),
        (["a"], {}, "lab_networks is expected to have a mapping with cidr and hosts for each network"),
    ],
)
def test_each_wrong_address_is_told(networks: t.Any, hosts: dict[str, str], sentence: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(sentence)):
        load(networks, hosts)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(NetworkError) as caught:
        load({"a": {"cidr": "x"}, "b": {"cidr": "10.1.0.0/24", "hosts": {"gpu9": "10.1.0.9"}}}, {"gpu1": "gpu1"})
    assert str(caught.value).count("is expected") + str(caught.value).count("are expected") == 3
    assert str(caught.value).endswith("Correct lab_networks or ansible_host in the inventory.")


@given(st.dictionaries(st.text(max_size=5), st.dictionaries(st.sampled_from(["cidr", "hosts"]), st.text(max_size=20) | st.none() | st.integers()), max_size=3))
def test_whatever_is_declared_is_taken_or_refused_by_a_sentence(networks: dict[str, t.Any]) -> None:
    try:
        load(networks, HOSTS)
    except NetworkError as exc:
        assert "expected" in str(exc)
