# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the chosen images of the lab's registry in a cache near the nodes. A timer runs it on each cache.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A cache that fetches what is asked for fetches it as often as it is asked at the same time. So this one has only what this program brought, each layer once,
from the cache above it where that has it. The manifest comes last: what a cache tells to have, it has whole. What a tag no longer means it forgets first,
so that nobody gets yesterday's image by today's name.
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

from ..._textfile import Textfile
from ..registry import Access, Body, Manifest, Registry, RegistryError, chosen, split

SPARE = 0.05  # share of the disk that stays free
LEAST = 10e6  # bytes a second that a cache above is trusted to get
GRACE = 60.0  # seconds, beside that


class Pace:
    """At most C(rate) bytes a second, over all that it lets through; 0 is as fast as it goes."""

    def __init__(self, rate: float, now: t.Callable[[], float] = time.monotonic, sleep: t.Callable[[float], None] = time.sleep) -> None:
        self._rate, self._now, self._sleep, self._free = rate, now, sleep, now()

    def passed(self, count: int) -> None:
        if self._rate:
            self._free = max(self._free, self._now()) + count / self._rate
            self._sleep(max(0.0, self._free - self._now()))


class Stream:
    """What is read from one registry while it is written to another."""

    def __init__(self, source: Body, pace: Pace, passed: t.Callable[[int], None]) -> None:
        self._source, self._pace, self._passed = source, pace, passed

    def read(self, count: int = -1) -> bytes:
        block = self._source.read(count)
        self._pace.passed(len(block))
        self._passed(len(block))
        return block


def open_now(hours: str, hour: float) -> bool:
    """Whether C(hour), 0 to 24, lies in C(hours), as 20-7; always, without any."""
    if not hours:
        return True
    begin, end = (float(part) for part in hours.split("-"))
    return begin <= hour < end if begin <= end else hour >= begin or hour < end


def patience(size: int, rate: float) -> float:
    """Seconds in which the cache above must have a blob of C(size) bytes, before it is fetched from the registry itself."""
    return GRACE + 1.5 * size / min(LEAST, rate or LEAST)


class Cache:
    """C(above) is the cache that this one is filled from, if any."""

    def __init__(
        self,
        local: Registry,
        origin: Registry,
        above: Registry | None,
        rate: float = 0.0,
        wait: t.Callable[[float], None] = time.sleep,
        now: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._local, self._origin, self._above, self._rate, self._wait, self._now = local, origin, above, rate, wait, now
        self._pace = Pace(rate)
        self.received = {"origin": 0, "cache": 0}
        self.forgotten = 0

    def forget(self, wanted: t.Mapping[str, str], unknown: t.Container[str] = ()) -> list[str]:
        """Have no manifest that is not the one that C(wanted), digest by name:tag, says; sentences of names at which that failed.

        Of a name or name:tag in C(unknown), nobody can say now what it means.
        """
        failed = []
        for repository in self._local.repositories():
            if repository in unknown:
                continue
            try:
                for tag in self._local.tags(repository):
                    if f"{repository}:{tag}" in unknown:
                        continue
                    digest = self._local.digest(repository, tag)
                    if digest and wanted.get(f"{repository}:{tag}") != digest:
                        self._local.delete_manifest(repository, digest)
                        self.forgotten += 1
            except RegistryError as exc:
                failed.append(f"{repository!r}: {exc}")
        return failed

    def missing(self, wanted: t.Mapping[str, str]) -> list[str]:
        return [image for image, digest in wanted.items() if self._local.digest(*split(image)) != digest]

    def warm(self, image: str, digest: str, space: t.Callable[[], float] = lambda: float("inf")) -> None:
        """Have it whole; C(space) are the bytes that may still be written."""
        repository, tag = split(image)
        *children, manifest = self._whole(repository, digest, {}).values()
        blobs = {digest: size for each in (manifest, *children) if not each.is_index for digest, size in each.blobs()}
        lacking = {blob: size for blob, size in blobs.items() if self._local.blob_size(repository, blob) is None}
        for other in [name for name in self._local.repositories() if name != repository] if lacking else []:
            for blob in list(lacking):
                if self._local.blob_size(other, blob) is not None and self._local.mount(repository, blob, other):
                    del lacking[blob]
        if sum(lacking.values()) > space():
            raise RegistryError(
                f"{sum(lacking.values()) / 1e9:.1f} GB are expected to be free for {image}, but its disk would have less than {SPARE:.0%} left: "
                "make room, or choose fewer images."
            )
        for blob, size in lacking.items():
            self._fetch(repository, blob, size)
        for child in children:
            self._local.put_manifest(repository, child.digest, child)
        self._local.put_manifest(repository, tag, manifest)

    def _whole(self, repository: str, digest: str, found: dict[str, Manifest]) -> dict[str, Manifest]:
        """The manifest and those that it names, which may be indexes again; each once, and after those that it names."""
        manifest = self._origin.manifest(repository, digest)
        if manifest is None:
            raise RegistryError(f"{repository}@{digest} is expected in the registry, but is gone: it was removed a moment ago.")
        for child in manifest.children() if manifest.is_index else []:
            if child not in found:
                self._whole(repository, child, found)
        found[digest] = manifest
        return found

    def _fetch(self, repository: str, digest: str, size: int) -> None:
        if self._above is not None:
            given_up = self._now() + patience(size, self._rate)
            with contextlib.suppress(RegistryError):  # it is away: the registry has it, too
                while self._now() < given_up:
                    blob = self._above.blob(repository, digest)
                    if blob is not None:
                        return self._keep(repository, digest, size, blob, "cache", Pace(0))
                    self._wait(1.0)
        blob = self._origin.blob(repository, digest)
        if blob is None:
            raise RegistryError(f"{repository}@{digest} is expected in the registry, but is not there: push the image anew.")
        return self._keep(repository, digest, size, blob, "origin", self._pace)

    def _keep(self, repository: str, digest: str, size: int, blob: Body, where: str, pace: Pace) -> None:
        def passed(count: int) -> None:
            self.received[where] += count

        with blob:
            self._local.upload(repository, digest, size, Stream(blob, pace, passed))


def _read(path: str) -> dict[str, t.Any]:
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as handle:
        return t.cast("dict[str, t.Any]", json.load(handle))
    return {}


def look(config: t.Mapping[str, t.Any], state: dict[str, t.Any], write: t.Callable[[], None]) -> list[str]:
    """Bring what is lacking; sentences of what could not be brought."""
    origin, local = Registry(Access(**config["origin"])), Registry(Access(**config["local"]))
    above = Registry(Access(**config["above"])) if config["above"] else None
    cache = Cache(local, origin, above, config["rate"])
    began = time.time()
    origin.answers()  # of one that is away, no name is asked for
    unknown: dict[str, str] = {}
    wanted: dict[str, str] = {}
    failed: list[str] = []
    for image in chosen(config["images"], origin, unknown):
        try:
            digest = origin.digest(*split(image))
        except RegistryError as exc:
            unknown[image] = str(exc)
            continue
        wanted.update({image: digest} if digest else {})
    failed += [f"{name!r}: {why}" for name, why in unknown.items()]
    known = state.setdefault("known", {})
    for image, digest in wanted.items():
        if known.get(image, {}).get("digest") != digest:
            known[image] = {"digest": digest, "seen": began, "warm": None}
    for image in [image for image in known if image not in wanted and not {image, image.rpartition(":")[0]} & set(unknown)]:
        del known[image]
    failed += cache.forget(wanted, unknown)
    missing, lacking = cache.missing(wanted), len(failed)
    for image, entry in known.items():
        if image in missing:
            entry["warm"] = None
        elif image in wanted and entry["warm"] is None:
            entry["warm"] = began
    state.update(looked=began, deleted=state.get("deleted", 0) + cache.forgotten)
    write()
    received = state.setdefault("received", {"origin": 0, "cache": 0})
    before = dict(received)
    for image in missing:
        if not open_now(config["hours"], time.localtime().tm_hour + time.localtime().tm_min / 60):
            break
        try:
            cache.warm(image, wanted[image], lambda: _space(config["directory"]))
            known[image]["warm"] = time.time()
            sys.stderr.write(f"{image} is here after {known[image]['warm'] - known[image]['seen']:.0f} s\n")  # into the journal
        except RegistryError as exc:
            failed.append(f"{image}: {exc}")
        received.update({where: before[where] + count for where, count in cache.received.items()})
        write()
    # what came of an image that is not whole yet would go, too, and come again
    if state["deleted"] and len(failed) == lacking:
        subprocess.run(config["collect"], check=True, capture_output=True)
        state["deleted"] = 0
        write()
    return failed


def _space(directory: str) -> float:
    disk = shutil.disk_usage(directory)
    return disk.free - SPARE * disk.total


def told(config: t.Mapping[str, t.Any], state: t.Mapping[str, t.Any], up: bool) -> None:
    out = Textfile("gpulab_harbor")
    known, now = state.get("known", {}), time.time()
    waiting = [entry["seen"] for entry in known.values() if entry["warm"] is None]
    disk = shutil.disk_usage(config["directory"])
    out.gauge("cache_up", "1 when the registry and this cache answered all that they were asked", 1.0 if up else 0.0)
    out.gauge("cache_looked_timestamp_seconds", "When the registry was last asked for its images", state.get("looked", 0.0))
    out.gauge("cache_images", "Images that are to be here", float(len(known)))
    out.gauge("cache_images_lacking", "Images that are not here yet", float(len(waiting)))
    out.gauge("cache_longest_wait_seconds", "For how long the image that waits longest has waited", now - min(waiting) if waiting else 0.0)
    out.gauge("cache_disk_available_ratio", "Share of the cache's disk that is free", disk.free / disk.total)
    for image, entry in known.items():
        took = None if entry["warm"] is None else entry["warm"] - entry["seen"]
        out.gauge("cache_warm_seconds", "From when an image was seen in the registry until it was here", took, image=image)
    for where, count in state.get("received", {}).items():
        out.gauge("cache_received_bytes", "Bytes of layers that came, by where from", float(count), source=where)
    out.write(config["textfile"])


def main() -> int:
    config = _read(sys.argv[1])
    state = _read(config["state"])

    def write(up: bool = True) -> None:
        temporary = config["state"] + ".new"
        with open(temporary, "w", encoding="utf-8") as handle:
            json.dump(state, handle)
        os.replace(temporary, config["state"])
        told(config, state, up)

    try:
        failed = look(config, state, write)
    except (RegistryError, subprocess.CalledProcessError) as exc:
        failed = [str(exc)]
    write(not failed)
    for sentence in failed:
        sys.stderr.write(f"{sentence}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
