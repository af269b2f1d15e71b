# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._logs.retention import DAY, GIB, Index, Policy, actions, policy_of
from hypothesis import given
from hypothesis import strategies as st

NOW = 100 * DAY


def stream(*indices: tuple[float, float]) -> list[Index]:
    """Indices by age in days and GiB."""
    return [Index(f"i{number}", NOW - age * DAY, int(size * GIB)) for number, (age, size) in enumerate(indices)]


@pytest.mark.parametrize(
    ("indices", "policy", "due"),
    [
        ([(0.5, 1)], Policy("*", 7), []),
        ([(1.5, 1)], Policy("*", 7), [("rollover", "s")]),
        ([(1.5, 0)], Policy("*", 7), []),  # an empty one stays what is written to
        ([(0.1, 20)], Policy("*", 7), [("rollover", "s")]),
        # its youngest line is as old as the index after it
        ([(9, 1), (6.9, 1), (0.1, 1)], Policy("*", 7), []),
        ([(9, 1), (7.1, 1), (0.1, 1)], Policy("*", 7), [("delete", "i0")]),
        ([(9, 1), (8, 1), (7.5, 1), (0.1, 1)], Policy("*", 7), [("delete", "i0"), ("delete", "i1")]),
        ([(3, 4), (2, 4), (0.1, 4)], Policy("*", 7, gib=12), []),
        ([(3, 4), (2, 4), (0.1, 4)], Policy("*", 7, gib=11), [("delete", "i0")]),
        # what is written to stays, however large
        ([(0.1, 19)], Policy("*", 7, gib=1), []),
    ],
)
def test_what_is_due(indices: list[tuple[float, float]], policy: Policy, due: list[tuple[str, str]]) -> None:
    assert [(action.what, action.name) for action in actions("s", stream(*indices), policy, NOW)] == due


def test_the_first_policy_that_matches_counts() -> None:
    policies = [Policy("logs-lab-job", 14), Policy("logs-lab-*", 30)]
    assert policy_of("logs-lab-job", policies) == policies[0]
    assert policy_of("logs-lab-system", policies) == policies[1]
    assert policy_of("another", policies) is None


ages = st.lists(st.tuples(st.floats(0, 60), st.floats(0, 5)), min_size=1, max_size=8).map(lambda rows: sorted(rows, reverse=True))


@given(ages, st.floats(1, 60), st.floats(0, 60), st.floats(0, 10))
def test_more_days_never_remove_more_and_what_is_written_to_stays(rows: list[tuple[float, float]], days: float, more: float, gib: float) -> None:
    indices = stream(*rows)

    def removed(policy: Policy) -> set[str]:
        return {action.name for action in actions("s", indices, policy, NOW) if action.what == "delete"}

    assert indices[-1].name not in removed(Policy("*", days, gib))
    assert removed(Policy("*", days + more)) <= removed(Policy("*", days))
    assert removed(Policy("*", days)) <= removed(Policy("*", days, gib))
    # the oldest go first
    gone = removed(Policy("*", days, gib))
    assert gone == {index.name for index in indices[: len(gone)]}
