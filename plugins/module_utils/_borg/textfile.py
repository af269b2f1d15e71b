# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gauges for Prometheus, written by the programs on clients, server and admin host.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os

try:
    import prometheus_client
except ImportError:  # only the host's own environment has it
    prometheus_client = None  # type: ignore[assignment]


class Textfile:
    """Gauges that become one textfile."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()

    def gauge(self, name: str, text: str, value: float | None, **labels: str) -> None:
        """A value that is not known has no line, so that an alert on absence or age fires."""
        if value is not None:
            metric = prometheus_client.Gauge(f"gpulab_borg_{name}", text, list(labels), registry=self.registry)
            (metric.labels(**labels) if labels else metric).set(value)

    def write(self, path: str) -> None:
        prometheus_client.write_to_textfile(path, self.registry)
        os.chmod(path, 0o644)
