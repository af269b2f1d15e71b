# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells Prometheus how the lab's registry is, gives back the space of what was deleted, and reads all images, to see that they are whole. By timers.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t

try:
    from cryptography import x509
except ImportError:  # only hosts have it
    x509 = None  # type: ignore[assignment]

from ..._textfile import Textfile
from ..registry import BLOCK, Access, Registry, RegistryError

Config = t.Mapping[str, t.Any]


def certificate_end(path: str) -> float:
    """Seconds since the epoch."""
    with open(path, "rb") as handle:
        certificate = x509.load_pem_x509_certificate(handle.read())
    with contextlib.suppress(AttributeError):  # before cryptography 42
        return certificate.not_valid_after_utc.timestamp()
    return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()


def allocated(directory: str) -> int:
    """Bytes that the files below C(directory) take from their disk, each once. What others write to that disk is not among them."""
    seen: dict[tuple[int, int], int] = {}
    for folder, _folders, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # removed a moment ago
                found = os.lstat(os.path.join(folder, name))
                seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def look(config: Config, state: t.Mapping[str, t.Any]) -> list[str]:
    """Write how it is; what is wrong, as sentences. A name that the registry does not answer for leaves the others as they are."""
    failed: list[str] = []
    names: list[str] | None = None
    tags = 0
    try:
        registry = Registry(Access(**config["origin"]))
        names = registry.repositories()
    except RegistryError as exc:
        failed.append(str(exc))
    for name in names or []:
        try:
            tags += len(registry.tags(name))
        except RegistryError as exc:
            failed.append(str(exc))
    out = Textfile("gpulab_harbor")
    disk = shutil.disk_usage(config["directory"])
    out.gauge("up", "1 when the registry answered all that it was asked", 0.0 if failed else 1.0)
    out.gauge("looked_timestamp_seconds", "When the registry was last looked at", time.time())
    out.gauge("disk_available_ratio", "Share of the registry's disk that is free", disk.free / disk.total)
    out.gauge("certificate_end_timestamp_seconds", "When the registry's certificate ends", certificate_end(config["certificate"]))
    if names is not None:
        out.gauge("repositories", "Names of images", float(len(names)))
        out.gauge("tags", "Tags of all images that the registry answered for", float(tags))
    if "collected" in state:
        out.gauge("collected_timestamp_seconds", "When space was last given back", state["collected"])
        if state.get("freed") is not None:
            out.gauge("collected_bytes", "Space that was then given back", state["freed"])
    if "verified" in state:
        out.gauge("verified_timestamp_seconds", "When all images were last read", state["verified"])
        out.gauge("damaged", "Layers and manifests that were not what their digest says", state["damaged"])
    out.write(config["textfile"])
    return failed


def collect(config: Config, run: t.Callable[..., t.Any] = subprocess.run, popen: t.Callable[..., t.Any] = subprocess.Popen) -> dict[str, float | None]:
    """Remove the layers that no image has any more. A layer that is pushed meanwhile would be one, so until then images can only be pulled.

    Source: https://distribution.github.io/distribution/about/garbage-collection/. The unit starts the registry again, whatever becomes of this.
    """
    storage = config["storage"]  # its directory; empty for a bucket, of which nobody here can say what it takes
    run(["systemctl", "stop", "--", config["unit"]], check=True)
    before = allocated(storage) if storage else 0  # while nobody pushes
    reading = popen(config["serve_read_only"])
    try:
        # without --delete-untagged, which removes the images of an index for several processors
        run(config["collect"], check=True, capture_output=True)
    finally:
        reading.terminate()
        reading.wait(30)
    return {"collected": time.time(), "freed": float(max(0, before - allocated(storage))) if storage else None}


def verify(registry: Registry) -> tuple[int, list[str]]:
    """How many layers and manifests were read, and a line for each that is not what its digest says, or is gone.

    A disk that forgets is found here, and not by the job that needs the image.
    """
    read: dict[str, bool] = {}
    damaged: list[str] = []
    for repository in registry.repositories():
        try:
            tags = registry.tags(repository)
        except RegistryError as exc:
            damaged.append(f"{repository!r}: {exc}")
            continue
        for tag in tags:
            try:
                digest = registry.digest(repository, tag)
            except RegistryError as exc:
                damaged.append(f"{repository!r}: {exc}")
                continue
            damaged += _read(registry, repository, digest, read) if digest else []
    if damaged:
        registry.answers()  # of one that has gone away meanwhile nothing is known
    return len(read), damaged


def _read(registry: Registry, repository: str, digest: str, read: dict[str, bool]) -> list[str]:
    damaged, waiting = [], [digest]
    while waiting:
        digest = waiting.pop()
        if digest in read:
            continue
        try:
            manifest = registry.manifest(repository, digest)
            read[digest] = manifest is not None
            children = manifest.children() if manifest and manifest.is_index else []
            blobs = manifest.blobs() if manifest and not manifest.is_index else []
        except RegistryError:
            manifest, read[digest] = None, False
        if manifest is None:
            damaged.append(f"{repository}: manifest {digest} is damaged or gone")
            continue
        waiting += children
        for blob, _size in blobs:
            if blob not in read:
                read[blob] = _whole(registry, repository, blob)
                damaged += [] if read[blob] else [f"{repository}: layer {blob} is damaged or gone"]
    return damaged


def _whole(registry: Registry, repository: str, blob: str) -> bool:
    found = hashlib.sha256()
    try:
        answer = registry.blob(repository, blob)
        if answer is None:
            return False
        with answer:
            while block := answer.read(BLOCK):
                found.update(block)
    except RegistryError:
        return False
    return f"sha256:{found.hexdigest()}" == blob


def _verified(config: Config) -> dict[str, float | None]:
    _number, damaged = verify(Registry(Access(**config["origin"])))
    for line in damaged:
        sys.stderr.write(f"{line}\n")
    return {"verified": time.time(), "damaged": float(len(damaged))}


def _state(config: Config) -> dict[str, t.Any]:
    with contextlib.suppress(OSError, ValueError), open(config["state"], encoding="utf-8") as handle:
        return t.cast("dict[str, t.Any]", json.load(handle))
    return {}


def main() -> int:
    verb, path = sys.argv[1:]
    with open(path, encoding="utf-8") as handle:
        config = json.load(handle)
    if verb != "look":
        try:
            done = collect(config) if verb == "collect" else _verified(config)
        except RegistryError as exc:
            sys.stderr.write(f"{exc}\n")
            return 1
        # read only now, because the other one may have ended meanwhile
        state = {**_state(config), **done}
        with open(config["state"], "w", encoding="utf-8") as handle:
            json.dump(state, handle)
        return 1 if done.get("damaged") else 0
    failed = look(config, _state(config))
    for sentence in failed:
        sys.stderr.write(f"{sentence}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
