# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what a host shows, as JSON: one key for each thing, one dictionary of attributes for each key.

Runs on the host with `python3 -B -`, and needs nothing there that is not always there. Keys of files are their paths, all others have their kind
before a colon. What costs (digest, extended attributes, flags) is read of files whose status changed since $SINCE, in nanoseconds of the
host's clock: nobody can set the time of a status change, so what is older is as it was.
"""

from __future__ import annotations

import array
import fcntl
import hashlib
import json
import os
import re
import socket
import stat
import struct
import subprocess
import sys

ELSEWHERE = ("/proc", "/sys", "/mirror", "/weed", "/dev/pts")  # shown by other means, or not the host's
DIGEST_BYTES = 4 << 20
FLAGS = 0x80086601  # FS_IOC_GETFLAGS
SEEN_FLAGS = 0xFF  # those that chattr sets; the others tell how a file system stores it
MOVING_SETTINGS = re.compile(
    # counters and random numbers
    r"^(fs/(dentry-state|file-nr|inode-nr|inode-state|aio-nr|quota/.*)|kernel/(random/.*|ns_last_pid|pty/nr|perf_.*|keys/.*)"
    # a cleared route cache is asked for by writing here
    r"|net/netfilter/nf_conntrack_(count|max|buckets)|net/ipv[46]/(route|conf/.*/stable_secret).*|vm/stat_refresh|vm/compact_memory|sunrpc/.*)$"
)
UNIT = re.compile(r"([^/]+\.(?:service|socket|scope))(?:/|$)")
PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "InvocationID", "NeedDaemonReload")


def text(*argv: str) -> str:
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace", check=False).stdout
    except OSError:
        return ""


def content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def files(since: int) -> dict:
    out = {}
    waiting = ["/"]
    out["/"] = status("/", since)
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            path = entry.path
            if path in ELSEWHERE:
                continue
            try:
                out[path] = status(path, since)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
            except OSError:
                continue  # it has just gone
    return out


def status(path: str, since: int) -> dict:
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    seen = {"mode": info.st_mode, "uid": info.st_uid, "gid": info.st_gid, "mtime": info.st_mtime_ns, "ctime": info.st_ctime_ns}
    if kind != stat.S_IFDIR:
        seen["size"], seen["links"], seen["inode"] = info.st_size, info.st_nlink, info.st_ino
    if info.st_rdev:
        seen["device"] = info.st_rdev
    # what has not changed since needs no second look
    if info.st_ctime_ns >= since:
        seen["details"] = details(path, info, kind)
    return seen


def details(path: str, info: os.stat_result, kind: int) -> dict:
    out: dict = {}
    try:
        if kind == stat.S_IFLNK:
            return {"target": os.readlink(path)}
        names = os.listxattr(path)
        if names:
            out["xattrs"] = {name: os.getxattr(path, name).hex() for name in names}
        if kind in (stat.S_IFREG, stat.S_IFDIR):
            place = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOATIME)
            try:
                flags = array.array("l", [0])
                try:
                    fcntl.ioctl(place, FLAGS, flags)
                    if flags[0] & SEEN_FLAGS:
                        out["flags"] = flags[0] & SEEN_FLAGS
                except OSError:
                    pass  # this file system has none
                if kind == stat.S_IFREG and info.st_size <= DIGEST_BYTES:
                    digest = hashlib.sha256()
                    while True:
                        part = os.read(place, 1 << 20)
                        if not part:
                            break
                        digest.update(part)
                    out["sha256"] = digest.hexdigest()
            finally:
                os.close(place)
    except OSError:
        pass  # it has just gone
    return out


def packages() -> dict:
    out = {}
    for entry in content("/var/lib/dpkg/status").split("\n\n"):
        fields = dict(re.findall(r"(?m)^(Package|Status|Version|Architecture): (.*)$", entry))
        if "Package" in fields and "Status" in fields:
            installed = fields["Status"].endswith(" installed")
            out["package:" + fields["Package"]] = {"version": fields.get("Version") if installed else None, "status": fields["Status"]}
    return out


def accounts() -> dict:
    out: dict = {}
    groups = {}
    for line in content("/etc/group").splitlines():
        name, _x, gid, members = line.split(":")
        groups[gid] = name
        out["group:" + name] = {"gid": gid, "members": members}
    for line in content("/etc/gshadow").splitlines():
        name, password, admins, _members = line.split(":")
        if password.strip("!*") or admins:
            out.setdefault("group:" + name, {})["password"] = hashlib.sha256(line.encode()).hexdigest()
    for line in content("/etc/passwd").splitlines():
        name, _x, uid, gid, comment, home, shell = line.split(":")
        out["user:" + name] = {"uid": int(uid), "group": groups.get(gid, gid), "comment": comment, "home": home, "shell": shell}
    for line in content("/etc/shadow").splitlines():
        fields = line.split(":")
        if "user:" + fields[0] in out:
            # a locked one is no password; what it is stays here
            locked = not fields[1].strip("!*")
            out["user:" + fields[0]]["password"] = "none" if locked else hashlib.sha256(fields[1].encode()).hexdigest()
            out["user:" + fields[0]]["ageing"] = ":".join(fields[3:8]) if fields[3:8] not in (["0", "99999", "7", "", ""], ["", "", "", "", ""]) else ""
    return out


def units() -> dict:
    out = {}
    shown = text("systemctl", "show", "*", "--no-pager", "-p", ",".join(PROPERTIES))
    for block in shown.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = fields.get("Id", "")
        if name and not name.endswith((".device", ".mount", ".swap", ".target")):
            out["unit:" + name] = {
                "active": fields.get("ActiveState", ""),
                "enabled": fields.get("UnitFileState", ""),
                "since": fields.get("InvocationID", ""),
                "need_daemon_reload": fields.get("NeedDaemonReload") == "yes",
            }
    manager = dict(line.split("=", 1) for line in text("systemctl", "show", "-p", "UnitsLoadTimestampMonotonic,Environment").splitlines() if "=" in line)
    out["systemd:units read"] = {"since": manager.get("UnitsLoadTimestampMonotonic", "")}
    out["systemd:environment"] = {"is": manager.get("Environment", "")}
    return out


def mounts() -> dict:
    out: dict = {}
    for line in content("/proc/self/mountinfo").splitlines():
        before, _sep, after = line.partition(" - ")
        _id, _parent, _device, root, target, options = before.split(" ")[:6]
        if not target.startswith(("/proc/", "/sys/")):
            out.setdefault("mount:" + target, {"is": []})["is"].append([root, options, *after.split(" ")[:2]])
    return out


def settings() -> dict:
    out = {}
    for folder, _folders, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            key = path[len("/proc/sys/") :]
            if not MOVING_SETTINGS.match(key):
                out["setting:" + key] = {"is": content(path).strip()}
    return out


def unit_of(pid: str) -> str:
    found = UNIT.findall(content(f"/proc/{pid}/cgroup").replace("\n", "/"))
    return found[-1] if found else ""


def sockets_and_processes() -> dict:
    out: dict = {}
    owners: dict = {}
    mine = set()
    pid = os.getpid()
    while pid > 1:
        mine.add(str(pid))
        pid = int(re.sub(r".*\) \S (\d+) .*", r"\1", content(f"/proc/{pid}/stat"), flags=re.S) or 0)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        unit = unit_of(pid)
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
                # systemd holds the sockets of its units, too
                if found and (unit != "init.scope" or found.group(1) not in owners):
                    owners[found.group(1)] = unit
        except OSError:
            continue
        if not unit and pid not in mine:
            line = content(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
            if line:
                out.setdefault("process:" + line[:120], {"number": 0})["number"] += 1
    for protocol, listens in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"), ("raw", "07")):
        for line in content("/proc/net/" + protocol).splitlines()[1:]:
            fields = line.split()
            if fields[3] == listens:
                address, port = fields[1].split(":")
                packed = b"".join(struct.pack("=I", int(address[i : i + 8], 16)) for i in range(0, len(address), 8))
                shown = socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)
                if shown != "127.0.0.11":  # docker's own resolver
                    out[f"socket:{protocol} {shown} {int(port, 16)}"] = {"unit": owners.get(fields[9], "")}
    for line in content("/proc/net/unix").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and int(fields[3], 16) & 0x10000:
            out["socket:unix " + fields[7]] = {"unit": owners.get(fields[6], "")}
    return out


def network() -> dict:
    out = {}
    for what, argv in {
        "route": ("route", "show", "table", "all"),
        "rule": ("rule",),
        "address": ("-o", "address"),
        "link": ("-o", "link"),
        "route6": ("-6", "route", "show", "table", "all"),
    }.items():
        for line in text("ip", *argv).splitlines():
            out[f"{what}:{' '.join(re.sub(r'^[0-9]+:', '', line).split())}"] = {"is": "there"}
    return out


def firewall() -> dict:
    """Tables, chains and rules of nf_tables from the kernel, so that no program for them is needed: each has a handle, a changed one gets a new one."""
    out = {}
    for name in ("ip_tables_names", "ip6_tables_names", "arp_tables_names"):
        for table in content("/proc/net/" + name).split():
            out[f"firewall:{name} {table}"] = {"is": text(name.split("_", maxsplit=1)[0] + "tables-save", "-t", table)}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as asked:
            asked.settimeout(2)
            for what, message, named in (("table", 1, (1,)), ("chain", 4, (1, 3)), ("rule", 7, (1, 2, 3)), ("set", 10, (1, 2))):
                asked.send(struct.pack("=IHHII", 20, (10 << 8) | message, 0x301, 1, 0) + struct.pack("=BBH", 0, 0, 0))
                done = False
                while not done:
                    got = asked.recv(1 << 18)
                    while got:
                        size, kind = struct.unpack("=IH", got[:6])
                        if kind in (2, 3):
                            done = True
                            break
                        said, rest = [], got[20:size]
                        while len(rest) >= 4:
                            length, attribute = struct.unpack("=HH", rest[:4])
                            if attribute & 0x3FFF in named:
                                value = rest[4:length]
                                said.append(value.rstrip(b"\0").decode() if value.rstrip(b"\0").isascii() and value[:1].isalpha() else value.hex())
                            rest = rest[(length + 3) & ~3 :] if length else b""
                        out[f"firewall:{what} {got[16]} {' '.join(said)}"] = {"is": "there"}
                        got = got[(size + 3) & ~3 :]
    except OSError:
        pass  # a kernel without it
    return out


def others() -> dict:
    out = {"module:" + line.split()[0]: {"is": "loaded"} for line in content("/proc/modules").splitlines()}
    for kind in ("shm", "sem", "msg"):
        for line in content("/proc/sysvipc/" + kind).splitlines()[1:]:
            out[f"ipc:{kind} {' '.join(line.split()[:3])}"] = {"is": "there"}
    for line in content("/proc/swaps").splitlines()[1:]:
        out["swap:" + line.split()[0]] = {"is": "on"}
    return out


def main() -> None:
    since = int(os.environ.get("SINCE", "0"))
    out: dict = {}
    for part in (packages, accounts, units, mounts, settings, sockets_and_processes, network, firewall, others):
        out.update(part())
    out.update(files(since))
    json.dump(out, sys.stdout, separators=(",", ":"))


main()
