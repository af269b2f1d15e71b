# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gauges for Prometheus, written by the programs of hosts for the node exporter.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

try:
    import prometheus_client
except ImportError:  # only the host's own environment has it
    prometheus_client = None  # type: ignore[assignment]


class Textfile:
    """Gauges that become one textfile; their names begin with C(prefix)."""

    def __init__(self, prefix: str) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._prefix = prefix
        self._known: dict[str, t.Any] = {}

    def gauge(self, name: str, text: str, value: float | None, **labels: str) -> None:
        """A value that is not known has no line, so that an alert on absence or age fires. One name can be told with other labels each."""
        if value is None:
            return
        if name not in self._known:
            self._known[name] = prometheus_client.Gauge(f"{self._prefix}_{name}", text, list(labels), registry=self.registry)
        # whoever names a host, an image or a user may choose what is no text
        told = {key: label.encode("utf-8", "replace").decode() for key, label in labels.items()}
        (self._known[name].labels(**told) if told else self._known[name]).set(value)

    def write(self, path: str) -> None:
        prometheus_client.write_to_textfile(path, self.registry)
        os.chmod(path, 0o644)
