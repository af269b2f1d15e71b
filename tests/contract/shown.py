# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host shows before and after a run, against what was predicted: leaf by leaf, in both directions. Pure: no I/O.

A difference that nobody predicted is silent, whatever the run says of itself; a predicted leaf that was the same before is an empty promise.
Left out is only what moves by itself, by name and with the reason (`ALWAYS_MOVING`, and `moving` of a role), and what the scripts of a package make
(`PACKAGE_SCRIPTS`, and `brings` of a role), where a package was predicted.
"""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import posixpath
import re
import stat
import typing as t

Thing = dict[str, t.Any]  # the attributes of a file, unit, package, ...
Shown = dict[str, Thing]  # of one host: key -> thing
UNKNOWN = "__unknown__"

# What moves on an idle host by itself, or because somebody logged in. Of a directory only its times, and that it is there.
ALWAYS_MOVING = {
    "/tmp": "Ansible and programs of the host make and remove their own here, so its times move",
    "/var/tmp": "as /tmp: what is large goes here, and goes away",
    "/tmp/.ansible": "where Ansible puts its modules",
    "/tmp/.ansible/*": "where Ansible puts its modules",
    "/run": "systemd, dbus and sshd make and remove their own here, so its times move",
    "/run/utmp": "who is logged in",
    "/run/lock": "locks come and go",
    "/run/credentials": "systemd mounts one for a unit that it starts",
    "/run/credentials/*": "systemd mounts one for a unit that it starts",
    "/run/motd.dynamic": "what who logs in by ssh is greeted with",
    "/run/mount": "mount notes here what it mounts",
    "/run/mount/utab*": "mount notes here what it mounts",
    "/run/log/journal*": "the journal",
    "/var/log/journal*": "the journal",
    "/run/systemd/units": "which run a unit is in",
    "/run/systemd/units/*": "which run a unit is in",
    "/run/systemd/journal/streams*": "one for each unit that writes to the journal",
    "/run/systemd/propagate/*": "systemd makes one for a unit with a view of the file system of its own",
    "/run/systemd/propagate": "systemd makes one for a unit with a view of the file system of its own",
    "/tmp/systemd-private-*": "systemd makes one for a unit with a /tmp of its own, and takes it away with the unit",
    "/var/tmp/systemd-private-*": "systemd makes one for a unit with a /tmp of its own, and takes it away with the unit",
    "/run/systemd/unit-root": "systemd prepares here the view of a unit of its own",
    "/run/systemd/sessions*": "who is logged in",
    "/run/systemd/users*": "who is logged in",
    "/run/systemd/seats*": "who is logged in",
    "/run/systemd/inhibit*": "who delays a shutdown",
    "/run/systemd/notify": "its times move",
    "/run/user*": "who is logged in",
    "/var/log/wtmp": "who was logged in",
    "/var/log/lastlog": "who was logged in",
    "/var/log/btmp": "who failed to log in",
    "/var/lib/systemd/timers*": "when a timer was last due",
    "/var/lib/systemd/random-seed": "systemd keeps it for the next start",
    "/var/backups": "at midnight a timer of the host copies dpkg's books here",
    "/var/backups/dpkg.*": "at midnight a timer of the host copies dpkg's books here",
    "/var/backups/alternatives.tar.*": "at midnight a timer of the host copies dpkg's books here",
    "/var/backups/apt.extended_states.*": "once a day a timer of the host copies APT's books here",
    "/var/lib/apt/daily_lock": "the same timer's lock",
    "/var/lib/dpkg/lock*": "the same timer takes the locks",
    "/var/cache/apt/*pkgcache.bin": "the same timer reads the lists",
    "/dev/ptmx": "its times move when a terminal is opened",
    "/dev/null": "its times move when it is written to",
    "/dev/tty": "its times move when a terminal is opened",
}
ALWAYS_MOVING_UNITS = {
    "systemd-tmpfiles-clean.*": "a timer of the host",
    "apt-daily*": "a timer of the host",
    "dpkg-db-backup*": "a timer of the host",
    "e2scrub*": "a timer of the host",
    "fstrim*": "a timer of the host",
    "user@*": "who is logged in",
    "user-*": "who is logged in",
    "session-*": "who is logged in",
    "systemd-logind.service": "started by the first who logs in",
    "systemd-hostnamed.service": "started by who asks for the host's name, and stops by itself",
    "systemd-timedated.service": "started by who asks for the time zone, and stops by itself",
    "system-*.slice": "made when the first instance of a template starts, as timers do it",
}
# What dpkg, APT and the scripts of packages make, where a package was predicted on the host.
PACKAGE_SCRIPTS = {
    "/var/lib/dpkg/*": "dpkg's own books",
    "/var/lib/dpkg": "dpkg's own books",
    "/var/lib/apt/*": "APT's own books",
    "/var/cache/apt*": "APT's own cache",
    "/var/log/apt*": "APT's own log",
    "/var/log/dpkg.log": "dpkg's own log",
    "/var/log/alternatives.log": "log of update-alternatives",
    "/etc/alternatives/*": "update-alternatives, which a package's script calls",
    "/usr/sbin": "policy-rc.d, which forbids starts, is there while a package comes",
    "/run/adduser": "lock of adduser, which a package's script calls",
    "/etc/ld.so.cache": "ldconfig, after a library came",
    "/var/cache/ldconfig/*": "ldconfig, after a library came",
    "/var/cache/debconf/*": "debconf's own books",
    "/usr/*/__pycache__*": "py3compile",
    "/var/lib/ucf/*": "ucf's own books",
    "/etc/rc[0-6S].d/*": "update-rc.d, which a package's script calls",
    "/var/lib/systemd/deb-systemd-helper-*": "books of the helper that enables a package's units",
    "/var/lib/systemd/deb-systemd-user-helper-*": "books of the helper that enables a package's units",
    "*.dpkg-new": "what dpkg had unpacked when it was killed, and finishes",
    "/tmp/apt-key.*.asc": "APT writes the key of a source here to look at a signature, and does not always remove it",
}
AT_TIMES = "at times: "  # begins the reason of what moves in some runs only
ACCOUNT_FILES = {f"/etc/{name}{end}" for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid") for end in ("", "-")} | {"/etc/.pwd.lock"}
FILES = ("file", "directory", "download", "repository", "private_key", "certificate_request", "certificate")
IDLE: Thing = {"active": "inactive", "enabled": "", "since": "", "need_daemon_reload": False}  # a unit that systemd has forgotten
ROOTS = {"owner": "root", "group": "root"}


@dataclasses.dataclass(frozen=True)
class Difference:
    """C(leaves) of the thing C(key) that are not as they were."""

    key: str
    what: str  # made, removed, changed
    leaves: tuple[str, ...]


class Noise:
    """Patterns with their reasons, and which of them were needed."""

    def __init__(self, moving: t.Mapping[str, str], units: t.Mapping[str, str], brings: t.Mapping[str, str]) -> None:
        self._moving = _compiled({**ALWAYS_MOVING, **moving})
        self._units = _compiled({**{f"unit:{p}": why for p, why in ALWAYS_MOVING_UNITS.items()}, **{f"unit:{p}": why for p, why in units.items()}})
        self._brings = _compiled({**PACKAGE_SCRIPTS, **brings})
        mine = {**moving, **{f"unit:{u}": why for u, why in units.items()}, **brings}
        self.own = {pattern for pattern, why in mine.items() if not why.startswith(AT_TIMES)}  # these move in every run of the contract
        self.used: set[str] = set()

    def moves(self, key: str) -> bool:
        return self._matches(key, self._units if key.startswith("unit:") else self._moving)

    def brought(self, key: str) -> bool:
        return self._matches(key, self._brings)

    def unused(self, own: bool) -> list[str]:
        every = {p for p, _c in (*self._moving, *self._units, *self._brings)}
        return sorted(((self.own & every) if own else every - self.own) - self.used)

    def _matches(self, key: str, patterns: list[tuple[str, re.Pattern[str]]]) -> bool:
        found = [pattern for pattern, compiled in patterns if compiled.match(key)]
        self.used |= set(found)
        return bool(found)


def _compiled(patterns: t.Mapping[str, str]) -> list[tuple[str, re.Pattern[str]]]:
    return [(pattern, re.compile(fnmatch.translate(pattern))) for pattern in patterns]


# -- what differs


def differing(old: Thing | None, new: Thing | None, key: str) -> tuple[str, ...]:
    """The leaves of one thing that differ; C(times) when it was only touched, or written and put back."""
    if not key.startswith("/"):
        a, b = old or {}, new or {}
        return tuple(sorted(name for name in {*a, *b} if a.get(name) != b.get(name)))
    if old == new:
        return ()
    a, b = leaves_of(old), leaves_of(new)
    names = {name for name in {*a, *b} if a.get(name) != b.get(name)}
    if old and new and ("details" not in old or "details" not in new):
        # what it was before is not known in detail, so its size and times tell
        names.discard("sha256")
        if stat.S_ISREG(new["mode"]) and any(old.get(n) != new.get(n) for n in ("size", "mtime", "inode")):
            names.add("sha256")
    if old and new and old.get("inode") != new.get("inode") and "sha256" not in names and old["ctime"] == new["ctime"]:
        names.add("inode")
    return tuple(sorted(names)) or ("times",)


def leaves_of(thing: Thing | None) -> dict[str, t.Any]:
    """A file in the words of a prediction, and what predictions have no word for."""
    if thing is None:
        return {}
    kind = stat.S_IFMT(thing["mode"])
    out = {"type": _TYPES.get(kind, "special"), "owner": thing["uid"], "group": thing["gid"]}
    if kind != stat.S_IFLNK:
        out["mode"] = format(stat.S_IMODE(thing["mode"]), "04o")
    if kind == stat.S_IFREG:
        out["hard links"] = thing["links"]
        out["sha256"] = thing.get("details", {}).get("sha256", f"of {thing['size']} bytes at {thing['mtime']}")
    if "device" in thing:
        out["device"] = thing["device"]
    details = thing.get("details", {})
    return {**out, **{name: details[name] for name in ("target", "xattrs", "flags") if name in details}}


_TYPES = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


def differences(before: Shown, after: Shown) -> dict[str, Difference]:
    out = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if key.startswith("unit:"):
            # systemd forgets a unit that does not run, and reads it again when asked; that it is there is a file, that it is enabled a link
            old, new = old or {**IDLE, "enabled": (new or IDLE)["enabled"]}, new or {**IDLE, "enabled": (old or IDLE)["enabled"]}
        leaves = differing(old, new, key)
        if leaves:
            out[key] = Difference(key, "made" if old is None else "removed" if new is None else "changed", leaves)
    return out


# -- what was predicted


class Expected:
    """What the predictions for one host let one expect of what it shows."""

    def __init__(self, predictions: t.Iterable[Thing], world: World) -> None:
        self._world = world
        self.things: dict[str, dict[str, t.Any]] = collections.defaultdict(dict)  # key -> leaf -> value or unknown
        self.before: dict[str, dict[str, t.Any] | None] = {}
        self.folders: list[str] = []
        self.packages = False
        self.units = False
        for one in predictions:
            key = self._world.place(one["key"]) if one["key"].startswith("/") else one["key"]
            self._take(one["kind"], key, one["before"], one["after"])

    def _take(self, kind: str, key: str, before: t.Any, after: Thing) -> None:
        if kind in FILES:
            self._thing(key, before, after)
        elif kind in ("leftover", "absent"):
            self._thing(key, {}, {"type": None, "mode": None, "sha256": None, "owner": None, "group": None, "hard links": None})
        elif kind == "ssh_key":
            self.things[key] |= {"type": "file", **ROOTS, **after, "sha256": after.get("public_key")}
            self.things[key + ".pub"] |= {"type": "file", **ROOTS, "mode": "0644", "sha256": after.get("public_key")}
        elif kind == "deployed_marker":
            for folder in ("/etc/ansible", "/etc/ansible/facts.d"):
                self.things[folder] |= {"type": "directory", **ROOTS, "mode": "0755"}
            self.things[f"/etc/ansible/facts.d/gpulab_{key}.fact"] |= {"type": "file", **ROOTS, "mode": "0644", "sha256": {UNKNOWN: "time"}}
        elif kind == "python_env":
            self.folders.append(key)
        elif kind == "packages":
            self.packages = True
            for name, version in after.get("packages", {}).items():
                was = (before or {}).get("packages", {}).get(name)
                self._thing(f"package:{name}", {"version": was}, {"version": version})
        elif kind == "user":
            self._thing(f"user:{key}", before, after)
        elif kind == "unit":
            self.units = True
            self._thing(f"unit:{key}", before, after)

    def _thing(self, key: str, before: t.Any, after: Thing) -> None:
        self.before.setdefault(key, before)
        self.things[key] |= after

    def missing(self, difference: Difference, after: Shown) -> list[str]:
        """The leaves of C(difference) that no prediction names."""
        named = set(self.things.get(difference.key, ()))
        key, left = difference.key, [leaf for leaf in difference.leaves if leaf not in named]
        if named and key.startswith("/"):
            # a new inode or a time is how any of the others is written
            left = [leaf for leaf in left if leaf not in ("times", "inode")]
            if difference.what == "removed" or (difference.what == "made" and after[key].get("links") == 1):
                left = [leaf for leaf in left if leaf != "hard links"]
        if key.startswith("package:") and "version" in named:
            left = [leaf for leaf in left if not (leaf == "status" and after.get(key, {}).get("status") in ("install ok installed", None))]
        if key.startswith("unit:"):
            if "active" in named:
                left = [leaf for leaf in left if leaf != "since"]
            if not after.get(key, {}).get("need_daemon_reload") and self.units:
                left = [leaf for leaf in left if leaf != "need_daemon_reload"]  # who reads one unit's file again reads all
        if key.startswith("user:") and difference.what == "made":
            left = [leaf for leaf in left if after[key].get(leaf) not in ("none", "")]
        return left


def explained(difference: Difference, expected: Expected, world: World) -> bool:
    """Whether a difference follows from another one, which is judged by itself, or belongs to what was predicted."""
    key = difference.key
    if key in ACCOUNT_FILES:
        kept = difference.what != "changed" or not {"mode", "owner", "group", "type"} & set(difference.leaves)
        return kept and any(k.startswith(("user:", "group:")) for k in world.found)
    if key.startswith("group:"):
        return difference.what == "made" and expected.things.get("user:" + key[6:], {}).get("group") == key[6:] and not world.after[key].get("members")
    if key == "systemd:units read":
        return expected.units or expected.packages
    if key.startswith("socket:"):
        unit = (world.after.get(key) or world.before.get(key) or {}).get("unit", "")
        return bool(unit) and (bool(expected.things.get(f"unit:{unit}")) or world.noise.moves(f"unit:{unit}"))
    if not key.startswith("/"):
        return False
    if any(key == folder or key.startswith(folder + "/") for folder in expected.folders):
        return True
    if difference.leaves == ("times",) and stat.S_ISDIR(world.after[key]["mode"]) and world.children[key]:
        return True
    if difference.leaves == ("times",) and key.startswith(("/run/systemd/generator", "/run/systemd/systemd-units-load")):
        return expected.units or expected.packages  # made anew, and the same, whenever systemd reads its units
    if expected.packages and (key in world.packaged or (world.noise.brought(key) and not _more_than_times(difference, world))):
        return True
    target = (world.after.get(key) or {}).get("details", {}).get("target", "")
    if expected.packages and difference.what == "made" and target.startswith("/etc/alternatives/"):
        return True  # update-alternatives, which a package's script calls
    return _link_of_unit(key, expected)


def _link_of_unit(key: str, expected: Expected) -> bool:
    """To enable a unit is to make a link to it."""
    if not key.startswith("/etc/systemd/system/"):
        return False
    name = posixpath.basename(key)
    if name.endswith((".wants", ".requires")):
        return any("enabled" in leaves for k, leaves in expected.things.items() if k.startswith("unit:"))
    return "enabled" in expected.things.get(f"unit:{name}", {})


@dataclasses.dataclass
class World:
    """One host before and after."""

    before: Shown
    after: Shown
    noise: Noise
    packaged: t.Collection[str] = ()  # files of the packages that came
    found: dict[str, Difference] = dataclasses.field(default_factory=dict)
    children: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def __post_init__(self) -> None:
        self.found = differences(self.before, self.after)
        self.children = collections.Counter(posixpath.dirname(key) for key in self.found if key.startswith("/"))

    def place(self, path: str) -> str:
        """Where C(path) lies: a directory above it may be a link."""
        *above, name = path.split("/")
        where = ""
        for part in above[1:]:
            where = f"{where}/{part}"
            thing = self.before.get(where) or {}
            target = thing.get("details", {}).get("target")
            if target:
                where = self.place(posixpath.normpath(posixpath.join(posixpath.dirname(where), target)))
        return f"{where}/{name}"

    def came(self) -> list[str]:
        """Packages that were not there before in this version."""
        return [k[8:] for k, d in self.found.items() if k.startswith("package:") and "version" in d.leaves and self.after.get(k, {}).get("version")]


def silent(world: World, predictions: t.Iterable[Thing]) -> t.Iterator[Difference]:
    """What differs, and neither was predicted, nor follows from what was, nor moves by itself."""
    expected = Expected(predictions, world)
    for key in sorted(world.found):
        difference = world.found[key]
        left = expected.missing(difference, world.after)
        if not left:
            continue
        difference = dataclasses.replace(difference, leaves=tuple(left))
        if explained(difference, expected, world):
            continue
        if world.noise.moves(key) and not _more_than_times(difference, world):
            continue
        if expected.packages and not key.startswith("/") and world.noise.brought(key):
            continue
        yield difference


def _more_than_times(difference: Difference, world: World) -> bool:
    """A directory in which things move keeps its mode and owner."""
    new = world.after.get(difference.key)
    is_directory = difference.key.startswith("/") and difference.what == "changed" and new is not None and stat.S_ISDIR(new["mode"])
    return is_directory and difference.leaves != ("times",)


def empty_promises(world: World, predictions: t.Iterable[Thing]) -> t.Iterator[str]:
    """The other direction: predicted leaves that were so before, and what a prediction says of before that was not so."""
    expected = Expected(predictions, world)
    names: dict[str, str] = {}
    for kind, number, name in _names(world):
        names.setdefault(f"{kind}:{number}", name)  # the first account of a number gives it its name
    for key, was in sorted(expected.before.items()):
        old, new = _in_words(world.before.get(key), key, names), _in_words(world.after.get(key), key, names)
        for leaf, value in sorted(expected.things[key].items()):
            known = not (isinstance(value, dict) and UNKNOWN in value)
            # a file that is only going to be written makes its unit be read again
            if known and leaf != "need_daemon_reload" and leaf in old and leaf in new and old[leaf] == new[leaf] == value and world.before.get(key) is not None:
                yield f"{key}: {leaf} was predicted to become {value!r}, but was {old[leaf]!r} before"
        for leaf, value in sorted((was or {}).items()):
            if leaf in old and not isinstance(value, dict) and leaf != "since" and old[leaf] != value:
                yield f"{key}: {leaf} is said to have been {value!r}, but was {old[leaf]!r}"
        if was is None and old and not key.startswith("unit:"):
            yield f"{key}: it is said not to have been there, but was"


def _names(world: World) -> t.Iterator[tuple[str, t.Any, str]]:
    for shown in (world.before, world.after):
        for key, thing in shown.items():
            if key.startswith("user:"):
                yield "owner", thing["uid"], key[5:]
            elif key.startswith("group:") and "gid" in thing:
                yield "group", int(thing["gid"]), key[6:]


def _in_words(thing: Thing | None, key: str, names: t.Mapping[str, str]) -> dict[str, t.Any]:
    if thing is None:
        return {}
    if key.startswith("/"):
        leaves = leaves_of(thing)
        return {**leaves, **{n: names.get(f"{n}:{leaves[n]}", leaves[n]) for n in ("owner", "group")}}
    if key.startswith("unit:"):
        return {**thing, "active": "active" if thing["active"] in ("active", "activating", "reloading") else "inactive"}
    return thing
