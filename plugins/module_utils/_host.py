# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a Debian-like host: packages, paths, users, units, Python environments, and what APT would do.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Nothing here changes the host; the package simulation works in a temporary directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import grp
import hashlib
import os
import pwd
import re
import shutil
import socket
import stat
import struct
import tempfile
import time
import typing as t
import urllib.error

from ansible.module_utils.urls import open_url

from ._sealed import without_login

Run = t.Callable[..., t.Tuple[int, str, str]]  # AnsibleModule.run_command
CONTENT_LIMIT = 64 * 1024
APT_AUTH = "/etc/apt/auth.conf.d"
APT_CACHE = "/var/cache/apt/archives"
APT_HOOKS = [  # programs that somebody has APT run, which a simulation must not; see apt.conf(5) and apt's json-hooks-protocol.md
    f"{binary}{name}"
    for binary in ("", "Binary::apt-get::")
    for name in ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success", "APT::Update::Post-Invoke-Stats")
    + ("DPkg::Pre-Invoke", "DPkg::Post-Invoke", "DPkg::Pre-Install-Pkgs", "AptCli::Hooks")
]
FACTS = "/etc/ansible/facts.d"
LEFT_AFTER = 600  # seconds between putting a module on a host and running it; it is not seen as a process before
MODULE_LEFT_AFTER = 86400  # no process names the directory of its own files
SCRATCH = ("/tmp", "/var/tmp")  # where _scratch.py makes its directories
POLICY_RC_D = "/usr/sbin/policy-rc.d"
POLICY_RC_D_MARK = "gpulab.expansion: no service starts while its package is being installed"


class UnreadableHost(Exception):
    """The host lacks what reading it needs; the message is a sentence for the admin."""


def unwritten(wanted: dict[str, str], younger_than: float | None) -> list[str]:
    """Paths of C(wanted) whose content does not match their regular expression, or is older than so many seconds."""
    return [path for path, pattern in wanted.items() if not _written(path, pattern, younger_than)]


def _written(path: str, pattern: str, younger_than: float | None) -> bool:
    text = read_text(path)
    if text is None or not re.search(pattern, text, re.MULTILINE):
        return False
    return younger_than is None or time.time() - os.stat(path).st_mtime <= younger_than


class HostReader:
    """C(run) executes an argv and returns (rc, stdout, stderr); C(tmp) is a directory for the simulation, C(modules) where Ansible puts modules."""

    def __init__(self, run: Run, tmp: str, modules: str = "") -> None:
        self._run = run
        self._tmp = tmp
        self._modules = modules

    def read(self, want: dict[str, t.Any]) -> dict[str, t.Any]:
        """C(want) has the keys of resources_info's options; the result has the keys of its RETURN."""
        simulate = want.get("simulate") or {}
        packages = self.packages(sorted(set(want["packages"]) | set(simulate.get("install", []))))
        interrupted = bool(packages) and dpkg_interrupted()
        contents = {path: text for path in want["contents"] for text in [read_text(path)] if text is not None}
        return {
            "now": time.time(),
            "packages": packages,
            "paths": {path: read_path(path) for path in want["paths"]},
            "contents": contents,
            "users": {name: read_user(name) for name in want["users"]},
            "groups": {name: read_group(name) for name in want["groups"]},
            "units": self.units(want["units"]),
            "python_envs": {path: read_python_env(path) for path in want["python_envs"]},
            "addresses": {name: addresses(name) for name in want["addresses"]},
            "urls": {without_login(url): probe(url) for url in want["urls"]},
            "simulation": self.simulation(simulate, packages, interrupted),
            "dpkg_interrupted": interrupted,
            "half_configured": half_configured() if interrupted else {},
            "policy_rc_d": policy_rc_d(),
            "left_modules": left_modules(self._modules, time.time()),
            "markers": markers(),
        }

    def packages(self, names: list[str]) -> dict[str, str | None]:
        out: dict[str, str | None] = dict.fromkeys(names)
        if names:
            argv = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\n", "--", *names]
            for line in self._run(argv)[1].splitlines():
                name, status, *version = line.split()
                # what somebody wants of it is another matter: a held package is installed, too
                if status[1:] == "i":
                    out[name] = version[0]
        return out

    def units(self, names: list[str]) -> dict[str, dict[str, t.Any] | None]:
        if not names:
            return {}
        if not os.path.isdir("/run/systemd/system"):
            raise UnreadableHost("systemd is expected to run this host, but /run/systemd/system is not there: boot it with systemd.")
        properties = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,ActiveEnterTimestampMonotonic"
        rc, out, err = self._run(["systemctl", "show", "-p", properties, "--", *names])
        blocks = out.strip().split("\n\n")
        if rc or len(blocks) != len(names):
            raise UnreadableHost(f"systemctl show is expected to answer for {len(names)} units, but said: {err.strip() or out.strip()}")
        boot = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        result: dict[str, dict[str, t.Any] | None] = {}
        for name, block in zip(names, blocks):
            seen = dict(line.split("=", 1) for line in block.splitlines())
            entered = int(seen.get("ActiveEnterTimestampMonotonic") or 0)
            result[name] = (
                None
                if seen["LoadState"] == "not-found"
                else {
                    "active": seen["ActiveState"],
                    "enabled": seen["UnitFileState"],
                    "need_daemon_reload": seen["NeedDaemonReload"] == "yes",
                    "since": boot + entered / 1e6 if entered else None,
                }
            )
        return result

    def simulation(self, simulate: dict[str, t.Any], packages: dict[str, str | None], interrupted: bool) -> dict[str, t.Any] | None:
        """What C(apt-get install) would do with the sources as they will be. None when nothing needs it.

        After an interrupted transaction it is C(apt-get --fix-broken satisfy), because C(install) refuses what waits for a package never unpacked.
        """
        install = simulate.get("install", [])
        sources = simulate.get("sources", {})
        changed_sources = {path: text for path, text in sources.items() if read_text(path) != text}
        if all(packages[name] for name in install) and not changed_sources and not (install and interrupted):
            return None
        with tempfile.TemporaryDirectory(dir=self._tmp, prefix="apt-") as tmp:
            for part in ("lists/partial", "cache/archives/partial", "log", "parts", "auth"):
                os.makedirs(os.path.join(tmp, part))
            parts, auth = (os.path.join(tmp, part) for part in ("parts", "auth"))
            for folder, copied in (("/etc/apt/sources.list.d", parts), (APT_AUTH, auth)):
                for path in glob.glob(f"{folder}/*"):
                    if path not in sources and os.path.isfile(path):  # apt goes over directories and dangling links, too
                        shutil.copy(path, copied)
            hooks = os.path.join(tmp, "no_hooks")
            with open(hooks, "w", encoding="ascii") as handle:
                handle.write(no_hooks())
            for path, text in sources.items():
                folder = auth if os.path.dirname(path) == APT_AUTH else parts
                with open(os.path.join(folder, os.path.basename(path)), "w", encoding="utf-8") as handle:
                    handle.write(text)
            # Dir::Log too: apt-get -s still writes eipp.log.xz
            options = [
                "-c",
                hooks,
                "-o",
                f"Dir::State::Lists={tmp}/lists",
                "-o",
                f"Dir::Cache={tmp}/cache",
                "-o",
                f"Dir::Log={tmp}/log",
                "-o",
                f"Dir::Etc::SourceParts={parts}",
                "-o",
                f"Dir::Etc::netrcparts={auth}",
                "-o",
                "Debug::NoLocking=1",
                "-o",
                "APT::Sandbox::User=root",
                "-o",
                "APT::Update::Error-Mode=any",
                "-o",
                "Acquire::Retries=1",
                "-o",
                "Acquire::http::Timeout=20",
            ]
            # TMPDIR: apt writes keys of Signed-By to files there, and does not always remove them
            env = {"LC_ALL": "C.UTF-8", "LANGUAGE": "", "DEBIAN_FRONTEND": "noninteractive", "TMPDIR": tmp}
            rc, out, err = self._run(["apt-get", *options, "-qq", "update"], environ_update=env)
            if rc:
                return {"error": "the package sources do not answer: " + first_error(err or out)}
            asked = [name for name in install if not packages[name]]  # the run asks for no more: it upgrades nothing that is there
            if interrupted:
                asked = [", ".join(install)]
                options.append("--fix-broken")
                with open("/var/lib/dpkg/status", encoding="utf-8", errors="surrogateescape") as handle:
                    status = without_halves(handle.read())
                with open(os.path.join(tmp, "status"), "w", encoding="utf-8", errors="surrogateescape") as handle:
                    handle.write(status)
                options += ["-o", f"Dir::State::status={tmp}/status"]
            # -y, because the run says it, and then a held package is an error
            argv = ["apt-get", *options, "-s", "-y", "--no-install-recommends", "satisfy" if interrupted else "install", "--", *asked]
            rc, out, err = self._run(argv, environ_update=env)
            if rc:
                return {"error": first_error(err or out), "held": held(out)}
            found = parse_simulation(out)
            chosen = [f"{package['name']}={package['version']}" for package in found["install"]]
            shown = self._run(["apt-cache", *options, "show", "--", *chosen], environ_update=env)[1] if chosen else ""
            return {**found, "sizes": sizes(shown)}


def without_halves(status: str) -> str:
    """dpkg's status without packages that have to be unpacked anew: apt finds no source for what it says of them, so they are removed first."""
    kept = [entry for entry in status.split("\n\n") if not re.search(r"(?m)^Status: \S+ reinstreq ", entry)]
    return "\n\n".join(kept)


def first_error(text: str) -> str:
    """The line of APT's output that says why."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if line.startswith("E:"):
            return line[2:].strip()
    return lines[0] if lines else "no reason given"


def no_hooks() -> str:
    """A configuration for C(apt-get -c), which is read after all others."""
    return "".join(f"#clear {name};\n" for name in APT_HOOKS)


def held(text: str) -> list[str]:
    """What apt-get would have to change though C(apt-mark hold) forbids it."""
    found = re.search(r"(?m)^The following held packages will be changed:\n((?:  .*\n)+)", text)
    return found.group(1).split() if found else []


def parse_simulation(text: str) -> dict[str, t.Any]:
    """C(Inst name [old] (new ...)) and C(Remv name [old]) lines of C(apt-get -s), see apt-get(8)."""
    install: list[dict[str, str | None]] = []
    remove: list[str] = []
    for line in text.splitlines():
        found = re.match(r"Inst (\S+) (?:\[(\S+)\] )?\((\S+)", line)
        if found:
            install.append({"name": found.group(1), "old": found.group(2), "version": found.group(3)})
        elif line.startswith("Remv "):
            remove.append(line.split()[1])
    return {"install": install, "remove": remove}


def sizes(text: str) -> dict[str, dict[str, int]]:
    """Bytes that each package needs, by place: what C(apt-cache show) says, which counts what is unpacked in KiB."""
    out = {}
    for entry in text.split("\n\n"):
        found = dict(re.findall(r"(?m)^(Package|Installed-Size|Size): (\S+)$", entry))
        if "Package" in found:
            out[found["Package"]] = {"/usr": int(found.get("Installed-Size", 0)) * 1024, APT_CACHE: int(found.get("Size", 0))}
    return out


def dpkg_interrupted() -> bool:
    """Like C(dpkg --audit), in one read: a half-installed or unconfigured package, or an unmerged update of the status file."""
    if any(name.isdigit() for name in os.listdir("/var/lib/dpkg/updates")):
        return True
    with open("/var/lib/dpkg/status", encoding="utf-8", errors="replace") as handle:
        return any(line.startswith("Status: ") and line.split()[3] not in ("installed", "config-files", "not-installed") for line in handle)


def half_configured() -> dict[str, str]:
    """Version by name of each package that C(dpkg --configure -a) would finish, whoever began it."""
    with open("/var/lib/dpkg/status", encoding="utf-8", errors="replace") as handle:
        entries = handle.read().split("\n\n")
    found: dict[str, str] = {}
    for entry in entries:
        state = re.search(r"(?m)^Status: \S+ ok (?:unpacked|half-configured|triggers-awaited|triggers-pending)$", entry)
        name, version = re.search(r"(?m)^Package: (\S+)$", entry), re.search(r"(?m)^Version: (\S+)$", entry)
        if state and name and version:
            found[name[1]] = version[1]
    return found


def markers() -> dict[str, str]:
    """Text of the deployed markers by the part they are of, see deployed_marker."""
    found = glob.glob(os.path.join(FACTS, "gpulab_*.fact"))
    return {os.path.basename(path)[len("gpulab_") : -len(".fact")]: read_text(path) or "" for path in found}


def left_modules(folder: str, now: float) -> list[str]:
    """Directories that were made for a module that nobody runs any more: they go at the end of a task, unless it is killed.

    Without pipelining ansible-core lays a module there with its arguments, secrets included. A module's own files are in a second one (_scratch.py).
    Nobody else can enter, but nobody removes them either.
    """
    if not folder:
        return []
    homes = ["~", *([f"~{os.environ['SUDO_USER']}"] if os.environ.get("SUDO_USER") else [])]
    folders = {os.path.expanduser(folder.replace("~", home, 1)) for home in homes}
    old = []
    for place, pattern, seconds in (
        *((place, "ansible-tmp-*", LEFT_AFTER) for place in folders),
        *((place, "ansible-moduletmp-*", MODULE_LEFT_AFTER) for place in {*folders, *SCRATCH}),
    ):
        for path in glob.glob(f"{glob.escape(place)}/{pattern}"):
            with contextlib.suppress(FileNotFoundError):  # its module has just ended
                info = os.lstat(path)
                # where everybody may write, only what is surely root's
                ours = place not in SCRATCH or (stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid())
                old += [path] if ours and now - info.st_mtime > seconds else []
    running = _command_lines() if old else ""
    return sorted(path for path in old if os.path.basename(path) not in running)


def _command_lines() -> str:
    out = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as handle:
            out.append(handle.read())
    return "\n".join(out)


def policy_rc_d() -> str:
    text = read_text(POLICY_RC_D)
    if text is not None and POLICY_RC_D_MARK in text:
        return "ours"
    return "foreign" if os.path.lexists(POLICY_RC_D) else "absent"  # a dangling link is somebody's, too


def read_text(path: str) -> str | None:
    """Content of a regular file up to CONTENT_LIMIT bytes, undecodable bytes replaced; None when it is none."""
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as handle:
        return handle.read(CONTENT_LIMIT).decode("utf-8", "replace")


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_path(path: str) -> dict[str, t.Any] | None:
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = next((n for n, test in (("directory", stat.S_ISDIR), ("file", stat.S_ISREG), ("link", stat.S_ISLNK)) if test(info.st_mode)), "other")
    out: dict[str, t.Any] = {
        "type": kind,
        "mode": "%04o" % stat.S_IMODE(info.st_mode),
        "owner": _name(pwd.getpwuid, info.st_uid),
        "group": _name(grp.getgrgid, info.st_gid),
        "size": info.st_size,
        "mtime": info.st_mtime,
    }
    if kind == "file":
        out["sha256"] = sha256_of(path)
    elif kind == "link":
        out["target"] = os.readlink(path)
    if kind != "file" and os.path.isdir(path):
        mounted = os.statvfs(path)
        out["read_only"] = bool(mounted.f_flag & os.ST_RDONLY)
        out["device"] = os.stat(path).st_dev
        if mounted.f_blocks:  # a file system in memory may not tell
            out["free"] = mounted.f_bfree * mounted.f_frsize  # root's, for who installs is root
    if kind in ("file", "directory") and _flags(path) & (FS_IMMUTABLE_FL | FS_APPEND_FL):
        out["immutable"] = True
    return out


FS_IOC_GETFLAGS, FS_IMMUTABLE_FL, FS_APPEND_FL = 0x80086601, 0x10, 0x20  # <linux/fs.h>, see ioctl_iflags(2)


def _flags(path: str) -> int:
    """What lsattr shows; 0 where the file system has none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(handle, FS_IOC_GETFLAGS, bytes(4)))[0])
    except OSError:
        return 0
    finally:
        os.close(handle)


def others_read(mode: str) -> bool:
    """Whether everybody on the host may read what has this mode."""
    return bool(int(mode, 8) & 0o004)


def _name(lookup: t.Callable[[int], t.Any], number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)


def read_user(name: str) -> dict[str, t.Any] | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return {
        "uid": entry.pw_uid,
        "home": entry.pw_dir,
        "shell": entry.pw_shell,
        "comment": entry.pw_gecos,
        "group": _name(grp.getgrgid, entry.pw_gid),
        "groups": sorted(g.gr_name for g in grp.getgrall() if name in g.gr_mem),
    }


def read_group(name: str) -> dict[str, t.Any] | None:
    try:
        entry = grp.getgrnam(name)
    except KeyError:
        return None
    with open("/etc/group", encoding="utf-8", errors="replace") as handle:
        local = any(line.split(":")[0] == name for line in handle)
    return {"gid": entry.gr_gid, "local": local, "members": sorted({*entry.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == entry.gr_gid)})}


def read_python_env(path: str) -> dict[str, str] | None:
    """Distributions by normalised name (PEP 503) and version, read from the C(.dist-info) folders."""
    if not os.path.exists(os.path.join(path, "bin", "python")):
        return None
    out: dict[str, str] = {}
    for folder in glob.glob(os.path.join(glob.escape(path), "lib", "python3*", "site-packages", "*.dist-info")):
        name, dash, version = os.path.basename(folder)[: -len(".dist-info")].rpartition("-")
        if dash:
            out[normalised(name)] = version
    return out


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def addresses(name: str) -> list[str]:
    """What the host's resolver says: /etc/hosts, DNS, and what else nsswitch.conf names."""
    try:
        return sorted({str(row[4][0]) for row in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)})
    except (OSError, UnicodeError):
        return []


def probe(url: str) -> str | None:
    """None when C(url) answers, else why it does not. Reads no body. User and password of the URL are sent, never told."""
    try:
        open_url(url, timeout=15).close()
    except urllib.error.HTTPError as exc:
        return f"HTTP {exc.code} {exc.reason}"
    except (OSError, ValueError) as exc:
        return str(getattr(exc, "reason", exc))
    return None
