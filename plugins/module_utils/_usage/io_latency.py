# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Latency of each request to the disks, from the kernel's own block events.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Source: https://docs.kernel.org/trace/events.html and https://docs.kernel.org/trace/ftrace.html (instances).

A mean hides what matters: the plan asks for the share of requests slower than 5 ms. The events are taken in an instance of our own, with
buffers of its own, so that nobody else's tracing is touched, and the instance is removed.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import time
import typing as t
import uuid

_EVENT = re.compile(r"(\d+\.\d+): block_rq_(issue|complete): (\d+),(\d+) (\S+) (?:\d+ )?\(.*?\) (\d+) \+ (\d+)")
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 0x4000, 0x40000
BUFFER_KB = 4096  # for each processor


class NotTraceable(Exception):
    """Why the kernel gives no block events here."""


def latencies(events: str) -> dict[str, list[float]]:
    """Seconds of each request that began and ended within C(events), by device as C(8:0). A flush carries no data and is left out."""
    begun: dict[tuple[str, str], float] = {}
    found: dict[str, list[float]] = {}
    for when, what, major, minor, _kind, sector, count in _EVENT.findall(events):
        if count == "0":
            continue
        request = (f"{major}:{minor}", sector)
        if what == "issue":
            begun[request] = float(when)
        elif request in begun:
            found.setdefault(request[0], []).append(float(when) - begun.pop(request))
    return found


def summary(device: str, name: str, seconds: t.Sequence[float], slower_than: float) -> dict[str, t.Any]:
    """C(slow_percent) of C(seconds) that are above C(slower_than) (seconds), and percentiles in ms."""
    ordered = sorted(seconds)

    def percentile(part: float) -> float:
        return round(1000 * ordered[min(int(part * len(ordered)), len(ordered) - 1)], 3)

    slow = sum(value > slower_than for value in ordered)
    return {
        "device": device,
        "name": name,
        "requests": len(ordered),
        "slow": slow,
        "slow_percent": 100.0 * slow / len(ordered),
        "p50_ms": percentile(0.5),
        "p99_ms": percentile(0.99),
        "max_ms": percentile(1.0),
    }


def disk_name(device: str, sys: str = "/sys") -> str:
    """Of C(8:0), as the kernel calls it."""
    try:
        return os.path.basename(os.readlink(os.path.join(sys, "dev", "block", device)))
    except OSError:
        return device


def trace(seconds: float) -> tuple[str, int]:
    """Block events of C(seconds), and how many were lost because the buffer was full. NotTraceable says why there are none."""
    tracing = _tracefs()
    instance = os.path.join(tracing, "instances", f"gpulab-{uuid.uuid4().hex[:12]}")  # containers share the kernel, but not their process ids
    try:
        os.mkdir(instance)
    except OSError as exc:
        raise NotTraceable(f"the kernel refuses a trace instance: {exc.strerror}") from exc
    try:
        _write(instance, "buffer_size_kb", BUFFER_KB)
        _write(instance, "trace_clock", "mono")
        for event in ("block_rq_issue", "block_rq_complete"):
            _write(instance, f"events/block/{event}/enable", 1)
        text = _read_pipe(os.path.join(instance, "trace_pipe"), seconds)
        for event in ("block_rq_issue", "block_rq_complete"):
            _write(instance, f"events/block/{event}/enable", 0)
        return text, _lost(instance)
    except OSError as exc:
        raise NotTraceable(f"the kernel gives no block events: {exc.strerror}") from exc
    finally:
        os.rmdir(instance)


def _write(instance: str, name: str, value: t.Any) -> None:
    with open(os.path.join(instance, name), "w", encoding="ascii") as handle:
        handle.write(str(value))


def _read_pipe(path: str, seconds: float) -> str:
    parts = []
    until = time.monotonic() + seconds
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while time.monotonic() < until:
            # read now and then, so that the reading itself costs the processor little
            time.sleep(min(0.2, max(until - time.monotonic(), 0)))
            while select.select([descriptor], [], [], 0)[0]:
                try:
                    got = os.read(descriptor, 1 << 20)
                except BlockingIOError:
                    break
                if not got:
                    break
                parts.append(got)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode("ascii", "replace")


def _lost(instance: str) -> int:
    lost = 0
    for name in os.listdir(os.path.join(instance, "per_cpu")):
        with open(os.path.join(instance, "per_cpu", name, "stats"), encoding="ascii") as handle:
            lost += sum(int(line.split()[-1]) for line in handle if line.startswith(("overrun:", "dropped events:")))
    return lost


def _tracefs() -> str:
    """Where tracefs is; when nobody has mounted it, mounted where only this process sees it."""
    for path in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        if os.path.isdir(os.path.join(path, "instances")):
            return path
    place = "/sys/kernel/tracing"  # the kernel makes this directory for it
    if not os.path.isdir(place):
        raise NotTraceable("this kernel is built without tracing")
    libc = ctypes.CDLL(None, use_errno=True)
    private = libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    if private or libc.mount(b"tracefs", place.encode(), b"tracefs", 0, None):
        raise NotTraceable(f"tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}")
    return place
