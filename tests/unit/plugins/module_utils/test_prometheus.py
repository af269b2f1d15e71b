# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that a real Prometheus cannot be made to give at will; the rest is asked of a real one in the scenario audit."""

from __future__ import annotations

import io
import json
import time
import typing as t
import urllib.error

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._prometheus import Prometheus, PrometheusError

NOW = 1_795_514_400.0


def server(answer: t.Any, left: float = 10.0) -> Prometheus:
    def get(_url: str, _timeout: float) -> bytes:
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps({"status": "success", "data": {"result": answer}}).encode()

    return Prometheus(get, "http://prometheus:9090/", time.monotonic() + left)


def refusal(code: int, body: bytes = b"") -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://prometheus:9090", code, "no", None, io.BytesIO(body))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "left", "said"),
    [
        (refusal(401), 10, "is expected to let us in, but answers 401: set lab_prometheus_token"),
        (refusal(503, b'{"error": "starting"}'), 10, "says 503: starting: see its log"),
        (refusal(422, b'{"error": "parse error"}'), 10, "says 422: parse error"),
        (TimeoutError(), 10, "is expected to answer in time, but does not"),
        (urllib.error.URLError(TimeoutError("timed out")), 10, "is expected to answer in time, but does not"),
        (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")), 10, "Connection refused. Correct lab_prometheus_url"),
        (b"<html>welcome</html>", 10, "does not answer as one"),
        (b'{"status": "error", "error": "too many samples"}', 10, "says: too many samples. Correct the query."),
        ([], 0, "is expected to answer in time, but does not"),
    ],
)
def test_what_goes_wrong_is_a_reason(answer: t.Any, left: float, said: str) -> None:
    asked = server(answer, left).ask("up", 600, NOW)
    assert asked["series"] == [] and said in asked["reason"]


def test_what_is_not_a_number_is_left_out() -> None:
    row = {"metric": {"instance": "gpu1:9100"}, "values": [[NOW - 10, "NaN"], [NOW - 5, "1.5"], [NOW, "+Inf"]]}
    assert server([row]).ask("x", 600, NOW)["series"] == [{"labels": {"instance": "gpu1:9100"}, "samples": [(NOW - 5, 1.5)]}]
    assert "not a number" in server([{"metric": {}, "value": [NOW, "NaN"]}]).ask("x", 0, NOW)["reason"]
    assert "no such series" in server([]).ask("x", 0, NOW)["reason"]


def test_a_clock_that_differs_is_told() -> None:
    server([NOW, str(NOW + 299)]).check_clock(NOW)
    with pytest.raises(PrometheusError, match=r"differ by \+301 s: set both by NTP"):
        server([NOW, str(NOW + 301)]).check_clock(NOW)
