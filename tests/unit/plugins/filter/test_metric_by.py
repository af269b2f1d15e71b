# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gpulab.expansion.plugins.filter.metric_by import metric_by

TEXT = """# HELP a_seconds Something
# TYPE a_seconds gauge
a_seconds{client="gpu1"} 1.7e+09
a_seconds{kind="x",client="gpu2"} 3.0
a_seconds_total{client="gpu3"} 4.0
b_seconds{client="gpu4"} 5.0
"""


def test_values_by_label() -> None:
    assert metric_by(TEXT, "a_seconds", "client") == {"gpu1": 1.7e9, "gpu2": 3.0}


def test_absent_metric_has_no_values() -> None:
    assert metric_by(TEXT, "c_seconds", "client") == {} and metric_by("", "a_seconds", "client") == {}
