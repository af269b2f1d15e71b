# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prometheus through its HTTP API, https://prometheus.io/docs/prometheus/latest/querying/api/

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import math
import socket
import time
import typing as t
import urllib.error
import urllib.parse

from ._window import CLOCKS

SAMPLES = 120  # of a window: enough for a share to the percent, and light for 1,600 GPUs


class PrometheusError(Exception):
    """A sentence for the admin."""


class Prometheus:
    """C(get) takes a URL and a timeout in seconds and returns the body; C(until) is when all must be done, by the monotonic clock."""

    def __init__(self, get: t.Callable[[str, float], bytes], url: str, until: float) -> None:
        self._get = get
        self._url = url.rstrip("/")
        self._until = until

    def check_clock(self, now: float) -> None:
        """PrometheusError when it cannot be asked, or when its clock is another than ours."""
        told = float(self._api("query", query="time()")[1])
        if abs(told - now) > CLOCKS:
            raise PrometheusError(
                f"The clocks of {self._url} and of this host are expected to agree, but differ by {told - now:+.0f} s: set both by NTP, then ask again."
            )

    def ask(self, query: str, window: float, now: float) -> dict[str, t.Any]:
        """C(series) over the last C(window) seconds, or their last value when it is 0; C(reason) says why there are none."""
        try:
            if window:
                step = max(window / SAMPLES, 1.0)
                found = self._api("query_range", query=query, start=now - window, end=now, step=step)
            else:
                found = self._api("query", query=query)
        except PrometheusError as exc:
            return {"series": [], "reason": str(exc)}
        series = [{"labels": row["metric"], "samples": numbers(row.get("values") or [row["value"]])} for row in found]
        told = [row for row in series if row["samples"]]
        reason = "" if told else "Prometheus has no such series" if not series else "Prometheus says that it is not a number"
        return {"series": told, "reason": reason}

    def _api(self, call: str, **params: t.Any) -> t.Any:
        left = self._until - time.monotonic()
        if left <= 0:
            raise PrometheusError(self._late())
        try:
            body = json.loads(self._get(f"{self._url}/api/v1/{call}?{urllib.parse.urlencode(params)}", left))
        except urllib.error.HTTPError as exc:
            raise PrometheusError(self._refusal(exc)) from exc
        except (socket.timeout, TimeoutError) as exc:
            raise PrometheusError(self._late()) from exc
        except (OSError, ValueError) as exc:
            told = getattr(exc, "reason", exc)
            if isinstance(told, (socket.timeout, TimeoutError)):
                raise PrometheusError(self._late()) from exc
            raise PrometheusError(f"Prometheus is expected at {self._url}, but does not answer as one: {told}. Correct lab_prometheus_url.") from exc
        if body.get("status") != "success":
            raise PrometheusError(f"{self._url} is expected to answer {params.get('query')!r}, but says: {body.get('error')}. Correct the query.")
        return body["data"]["result"]

    def _late(self) -> str:
        return f"{self._url} is expected to answer in time, but does not: see its load, or give it more seconds in lab_prometheus_timeout."

    def _refusal(self, exc: urllib.error.HTTPError) -> str:
        if exc.code in (401, 403):
            return f"{self._url} is expected to let us in, but answers {exc.code}: set lab_prometheus_token to a token that may read."
        try:
            told = json.loads(exc.read()).get("error", "")
        except (ValueError, OSError):
            told = ""
        return f"{self._url} is expected to answer, but says {exc.code}{': ' + told if told else ''}: see its log."


def numbers(values: t.Iterable[t.Sequence[t.Any]]) -> list[tuple[float, float]]:
    """Prometheus writes numbers as text; NaN and infinities are left out, because they say nothing."""
    return [(float(when), float(value)) for when, value in values if math.isfinite(float(value))]
