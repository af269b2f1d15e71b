# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells Prometheus how the lab's registry is, and gives back the space of what was deleted. Timers run it on the registry's host.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t

try:
    import prometheus_client
    from cryptography import x509
except ImportError:  # only hosts have them
    prometheus_client = x509 = None  # type: ignore[assignment]

from .registry import Access, Registry, RegistryError

Config = t.Mapping[str, t.Any]


def certificate_end(path: str) -> float:
    """Seconds since the epoch."""
    with open(path, "rb") as handle:
        certificate = x509.load_pem_x509_certificate(handle.read())
    with contextlib.suppress(AttributeError):  # before cryptography 42
        return certificate.not_valid_after_utc.timestamp()
    return certificate.not_valid_after.timestamp() - time.timezone


def look(config: Config, state: t.Mapping[str, t.Any]) -> str:
    """Write how it is; what is wrong, as a sentence, or nothing."""
    failed, images = "", {}
    try:
        registry = Registry(Access(**config["origin"]))
        images = {name: len(registry.tags(name)) for name in registry.repositories()}
    except RegistryError as exc:
        failed = str(exc)
    out = prometheus_client.CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        prometheus_client.Gauge(f"gpulab_harbor_{name}", text, registry=out).set(value)

    disk = shutil.disk_usage(config["directory"])
    gauge("up", "1 when the registry answered all that it was asked", 0.0 if failed else 1.0)
    gauge("looked_timestamp_seconds", "When the registry was last looked at", time.time())
    gauge("disk_available_ratio", "Share of the registry's disk that is free", disk.free / disk.total)
    gauge("certificate_end_timestamp_seconds", "When the registry's certificate ends", certificate_end(config["certificate"]))
    if not failed:
        gauge("repositories", "Names of images", float(len(images)))
        gauge("tags", "Tags of all images", float(sum(images.values())))
    if "collected" in state:
        gauge("collected_timestamp_seconds", "When space was last given back", state["collected"])
        gauge("collected_bytes", "Space that was then given back", state["freed"])
    prometheus_client.write_to_textfile(config["textfile"], out)
    os.chmod(config["textfile"], 0o644)
    return failed


def collect(config: Config, run: t.Callable[..., t.Any] = subprocess.run, popen: t.Callable[..., t.Any] = subprocess.Popen) -> dict[str, float]:
    """Remove the layers that no image has any more. A layer that is pushed meanwhile would be one, so until then images can only be pulled.

    Source: https://distribution.github.io/distribution/about/garbage-collection/. The unit starts the registry again, whatever becomes of this.
    """
    before = shutil.disk_usage(config["directory"]).free
    run(["systemctl", "stop", config["unit"]], check=True)
    reading = popen(config["serve_read_only"])
    try:
        # without --delete-untagged, which removes the images of an index for several processors
        run(config["collect"], check=True, capture_output=True)
    finally:
        reading.terminate()
        reading.wait(30)
    return {"collected": time.time(), "freed": float(max(0, shutil.disk_usage(config["directory"]).free - before))}


def main() -> int:
    verb, path = sys.argv[1:]
    with open(path, encoding="utf-8") as handle:
        config = json.load(handle)
    state: dict[str, t.Any] = {}
    with contextlib.suppress(OSError, ValueError), open(config["state"], encoding="utf-8") as handle:
        state = json.load(handle)
    if verb == "collect":
        with open(config["state"], "w", encoding="utf-8") as handle:
            json.dump(collect(config), handle)
        return 0
    failed = look(config, state)
    if failed:
        sys.stderr.write(f"{failed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
