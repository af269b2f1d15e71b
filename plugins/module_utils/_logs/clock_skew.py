# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the beats of a host tell of its clock. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

BEATS: dict[str, t.Any] = {"term": {"event.dataset": "alive"}}
# The last of them, as an aggregation, https://docs.opensearch.org/2.19/aggregations/metric/top-hits/
LAST: dict[str, t.Any] = {
    "top_hits": {
        "size": 5,
        "sort": [{"event.ingested": "desc"}],
        "_source": False,
        "docvalue_fields": [{"field": field, "format": "epoch_millis"} for field in ("@timestamp", "event.ingested")],
    }
}


def ahead(last: t.Mapping[str, t.Any]) -> float | None:
    """Seconds by which the host's clock is ahead of the engine's, of what LAST has found; None when it found nothing.

    A beat is sent as soon as it is made, so its two times differ as the clocks do, and by what the way took: the quickest is taken.
    """
    fields = [hit["fields"] for hit in last["hits"]["hits"]]
    return max(((float(each["@timestamp"][0]) - float(each["event.ingested"][0])) / 1000 for each in fields), default=None)
