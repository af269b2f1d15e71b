# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of a host is used, by whom: users, processors, memory, storage, and links.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import time
import typing as t

from .sudoers import Accounts, rules


def members(groups: t.Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the users in C(groups), by primary group too; and the groups that do not exist here."""
    names: set[str] = set()
    missing = []
    for group in groups:
        try:
            found = grp.getgrnam(group)
        except KeyError:
            missing.append(group)
            continue
        names |= set(found.gr_mem) | {user.pw_name for user in pwd.getpwall() if user.pw_gid == found.gr_gid}
    return sorted(names), missing


# Whoever is in one of these is root when he likes: docker, lxd, incus and libvirt start what runs as root with any directory of the host, disk writes to it.
ROOT_GROUPS = ("admin", "disk", "docker", "incus", "incus-admin", "libvirt", "lxd", "sudo", "wheel")


def administrators(sudoers: t.Mapping[str, t.Any] | None = None) -> list[dict[str, t.Any]]:
    """C(user) and C(by) of each account beside root that is root, or can be: C(uid 0), the groups that it is in, and its rules in C(sudoers)."""
    found: dict[str, list[str]] = {user.pw_name: ["uid 0"] for user in pwd.getpwall() if user.pw_uid == 0 and user.pw_name != "root"}
    for group in ROOT_GROUPS:
        for user in members([group])[0]:
            if user != "root":
                found.setdefault(user, []).append(group)
    accounts = Accounts(_user_name, _group_name, lambda group: members([group])[0])
    for user, why in rules(sudoers or {}, os.uname().nodename, accounts, set(found), ROOT_GROUPS).items():
        found.setdefault(user, []).extend(why)
    return [{"user": user, "by": found[user]} for user in sorted(found)]


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return ""


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return ""


def memory_bytes(meminfo: str = "/proc/meminfo") -> int:
    with open(meminfo, encoding="ascii") as handle:
        return next(int(line.split()[1]) * 1024 for line in handle if line.startswith("MemTotal:"))


def max_map_count(setting: str = "/proc/sys/vm/max_map_count") -> int:
    """How many memory maps a process may have, https://docs.kernel.org/admin-guide/sysctl/vm.html#max-map-count"""
    with open(setting, encoding="ascii") as handle:
        return int(handle.read())


def storage(paths: t.Sequence[str], mounts: str = "/proc/self/mounts") -> list[dict[str, t.Any]]:
    """C(source), C(used_bytes) and C(size_bytes) of each file system that C(paths) are on; a path that is not there is left out."""
    # a user may mount, and names the place; the kernel writes its spaces and line breaks as octal numbers, and nothing else is changed
    with open(mounts, "rb") as handle:
        rows = [line.split(b" ") for line in handle.read().split(b"\n")]
    points = {_plain(row[1]): _plain(row[0]) for row in rows if len(row) > 1}
    found = {}
    for path in paths:
        try:
            real = os.path.realpath(path)
            stat, device = os.statvfs(real), os.stat(real).st_dev
        except OSError:
            continue
        point = real
        while point not in points and point != "/":
            point = os.path.dirname(point)
        found[device] = {
            "path": path,
            "source": points.get(point, "").encode("utf-8", "replace").decode(),
            "used_bytes": (stat.f_blocks - stat.f_bfree) * stat.f_frsize,
            "size_bytes": stat.f_blocks * stat.f_frsize,
        }
    return list(found.values())


def _plain(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-3][0-7]{2})", lambda found: bytes([int(found[1], 8)]), field))


def _text(*path: str) -> str:
    try:
        with open(os.path.join(*path), encoding="ascii", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def links(interfaces: t.Sequence[str] = (), sys: str = "/sys") -> list[dict[str, t.Any]]:
    """The network links that can carry traffic between nodes, with their counters in bytes.

    C(kind) is ethernet, infiniband or roce; C(speed_gbps) None when the driver does not tell. Without C(interfaces) those of hardware, and of
    virtual ones only what is named.
    """
    found = []
    rdma = {os.path.basename(net): path for path in glob.glob(f"{sys}/class/infiniband/*") for net in glob.glob(f"{path}/device/net/*")}
    for path in sorted(glob.glob(f"{sys}/class/net/*")):
        name = os.path.basename(path)
        if name not in interfaces and (interfaces or not os.path.exists(f"{path}/device")):
            continue
        speed = _text(path, "speed")
        kind = "infiniband" if _text(path, "type") == "32" else "roce" if name in rdma else "ethernet"
        up = _text(path, "operstate") in ("up", "unknown")
        port = next(iter(glob.glob(f"{rdma.get(name, '/nowhere')}/ports/*/counters")), "")
        # traffic by RDMA passes the interface's own counters by; the port counts it in words of four bytes
        received, sent = (
            4 * int(_text(port, f"port_{way}_data") or 0) if port else int(_text(path, "statistics", f"{way_net}_bytes") or 0)
            for way, way_net in (("rcv", "rx"), ("xmit", "tx"))
        )
        found.append(
            {
                "name": name,
                "kind": kind,
                "up": up,
                "speed_gbps": int(speed) / 1000 if speed.isdigit() and int(speed) > 0 else None,
                "received_bytes": received,
                "sent_bytes": sent,
            }
        )
    return found


def rates(read: t.Callable[[], list[dict[str, t.Any]]], seconds: float, every: float) -> tuple[list[dict[str, t.Any]], dict[str, list[tuple[float, float]]]]:
    """The links last read, and by name samples of (seconds since the epoch, Gbit/s of the busier direction) over C(seconds)."""
    samples: dict[str, list[tuple[float, float]]] = {}
    before, then = read(), time.monotonic()
    until = then + seconds
    while True:
        time.sleep(min(every, max(until - time.monotonic(), 0.05)))
        now_links, now = read(), time.monotonic()
        old = {link["name"]: link for link in before}
        for link in now_links:
            if link["name"] in old:
                grown = max(link[way] - old[link["name"]][way] for way in ("received_bytes", "sent_bytes"))
                samples.setdefault(link["name"], []).append((time.time(), max(grown, 0) * 8e-9 / (now - then)))
        before, then = now_links, now
        if now >= until:
            return now_links, samples
