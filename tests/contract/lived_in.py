# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dresses a bare test host with what real hosts have: what a run can live with, all at once, and what stands in its way, one at a time."""

from __future__ import annotations

import dataclasses

HOOKED = "/var/log/lab-hooks"  # a line for each time that APT ran somebody's hook
BUSY = "lab-unattended.service"

# In the order in which they are put on. Each is of a host that somebody has, or a kind of one.
LIVEABLE: dict[str, str] = {
    "hooks of APT": f"""
        for when in APT::Update::Pre-Invoke APT::Update::Post-Invoke APT::Update::Post-Invoke-Success AptCli::Hooks::Install DPkg::Pre-Invoke; do
            echo "$when {{\\"echo $when >> {HOOKED}\\";}};"
        done > /etc/apt/apt.conf.d/99lab-hooks
        printf '%s\\n' 'DPkg::Post-Invoke {{"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true";}};' 'Dir::Cache::pkgcache "";' \
            'Dir::Cache::srcpkgcache "";' > /etc/apt/apt.conf.d/docker-clean""",
    "a proxy of APT that knows its exception": """
        printf '%s\\n' 'Acquire::http::Proxy "http://127.0.0.1:9";' 'Acquire::http::Proxy::mirror "DIRECT";' > /etc/apt/apt.conf.d/01proxy""",
    "odd package sources": """
        mkdir -p /etc/apt/sources.list.d/backup.d; echo 'deb http://nowhere.invalid/ x y' > /etc/apt/sources.list.d/old.list.save
        ln -s /nowhere/vendor.list /etc/apt/sources.list.d/vendor.list; echo read me > /etc/apt/sources.list.d/README""",
    "held and pinned packages": """
        apt-mark hold ca-certificates curl >/dev/null
        printf '%s\\n' 'Package: *' 'Pin: origin mirror' 'Pin-Priority: 700' > /etc/apt/preferences.d/lab""",
    "a package that dpkg has not configured": """
        mkdir -p /tmp/driver/DEBIAN && cd /tmp/driver
        printf '%s\\n' 'Package: lab-driver' 'Version: 1' 'Architecture: all' 'Maintainer: lab <lab@lab.example>' 'Description: one' > DEBIAN/control
        printf '%s\\n' '#!/bin/sh' '[ -e /var/lib/lab-driver ] || { touch /var/lib/lab-driver; exit 1; }' > DEBIAN/postinst
        chmod 755 DEBIAN/postinst; cd /tmp; dpkg-deb -b driver >/dev/null; dpkg -i driver.deb >/dev/null 2>&1; rm -r driver driver.deb""",
    "APT that somebody holds now and then": f"""
        printf '%s\\n' 'import fcntl, time' 'handle = open("/var/lib/dpkg/lock-frontend", "w")' 'for _n in range(60):' \\
            '    fcntl.lockf(handle, fcntl.LOCK_EX)' '    time.sleep(6)' '    fcntl.lockf(handle, fcntl.LOCK_UN)' '    time.sleep(9)' > /root/unattended.py
        systemd-run -q --unit {BUSY} python3 -B /root/unattended.py""",
    "a policy-rc.d of somebody else": """
        if [ "$(($(hostname | tr -dc 0-9) % 2))" = 0 ]; then ln -s /nowhere/policy /usr/sbin/policy-rc.d
        else printf '#!/bin/sh\\nexit 0\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; fi""",
    "units that are masked, and not the roles'": "systemctl -q mask apt-daily-upgrade.timer e2scrub_all.timer",
    "places that lie elsewhere": "mkdir -p /srv/opt && cp -a /opt/. /srv/opt/ && rm -r /opt && ln -s /srv/opt /opt",
    "a file that nobody may change": "echo 'by order of the lab' > /etc/motd && chattr +i /etc/motd",
    "a /tmp that executes nothing": "mount -o remount,noexec /tmp",
    "umask 077": """
        echo 'Defaults umask=0077, umask_override' > /etc/sudoers.d/lab-umask; chmod 440 /etc/sudoers.d/lab-umask
        sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs; echo 'umask 077' > /etc/profile.d/lab.sh""",
    "another language and time": """
        printf '%s\\n' LANG=zh_CN.UTF-8 LC_ALL=zh_CN.UTF-8 LANGUAGE=zh_CN:de >> /etc/environment; cp /etc/environment /etc/default/locale
        [ ! -e /usr/share/zoneinfo/Asia/Shanghai ] || ln -sf /usr/share/zoneinfo/Asia/Shanghai /etc/localtime
        systemctl daemon-reload  # which reads the language, as at the next start""",
    "groups of the names that roles use, and numbers that are taken": """
        for name in borg gpulab-alerts; do groupadd -r $name; done
        for number in 997 998 999; do getent passwd $number >/dev/null || useradd -r -u $number -M lab-service-$number; done""",
}


@dataclasses.dataclass(frozen=True)
class Blocking:
    """What stands in the way of the play kinds/lived_in.yml: the sentence that says so, and a command by which the host itself refuses it."""

    name: str
    dress: str
    sentence: str
    refuses: str
    undress: str = "true"


DRIFTED = "mkdir -p /etc/lab; echo mine > /etc/lab/look.conf"
BLOCKING = (
    Blocking(
        "a package held before it is there", "apt-get -qq update; apt-mark hold sqlite3",
        "python3-packaging: it is expected to be free to be installed, but is held: run apt-mark",
        "apt-get -qq update && apt-get -y install sqlite3", "apt-mark unhold sqlite3",
    ),
    Blocking(
        "a masked unit", "systemctl mask lab-look.service",
        "a file is expected there, but a link to /dev/null is found, which masks the unit: ask who did it, then run systemctl unmask lab-look.service",
        "systemctl start lab-look.service", "systemctl unmask lab-look.service",
    ),
    Blocking(
        "an immutable file that drifted", f"{DRIFTED}; chattr +i /etc/lab/look.conf",
        "/etc/lab/look.conf is expected to be writable, but somebody has made it immutable", "mv /etc/motd /etc/lab/look.conf", "chattr -i /etc/lab/look.conf",
    ),
    Blocking(
        "an immutable directory", "mkdir -p /etc/lab; chattr +i /etc/lab", "/etc/lab is expected to be writable, but somebody has made it immutable",
        "touch /etc/lab/look.conf", "chattr -i /etc/lab",
    ),
    Blocking(
        "a read-only mount below a file that drifted",
        f"{DRIFTED}; mount --bind /etc/lab /etc/lab; mount -o remount,ro,bind /etc/lab",
        "/etc/lab is expected to be writable, but is mounted read-only", "touch /etc/lab/look.conf", "umount /etc/lab",
    ),
    Blocking(
        "a file system that is full", "mkdir -p /opt/lab; mount -t tmpfs -o size=4m lab /opt/lab",
        "64 MB are expected to be free on the file system of /opt/lab, but",
        "apt-get -qq update && apt-get -qq install -y python3-venv || exit 0; python3 -m venv /opt/lab/env",
        "umount /opt/lab",
    ),
    Blocking(
        "a directory where a file shall be", "mkdir -p /etc/lab/look.conf", "a file is expected there, but a directory is found", "echo > /etc/lab/look.conf",
    ),
    Blocking(
        "somebody's account of that name", "groupadd staff-lab; useradd -m -g staff-lab lab", "one is there with /home/lab and staff-lab: it is somebody's",
        "useradd -r -d /srv/lab lab",
    ),
    Blocking(
        "somebody's group of that name", "groupadd lab; useradd -m -G lab ann", "there is one with ann in it, who could then read what is the role's",
        "useradd -r -d /srv/lab lab",
    ),
    Blocking(
        "a name that the host does not know", "sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf; sed -i /mirror/d /etc/apt/sources.list.d/* || true",
        "this host is expected to find the address of mirror, but does not", "getent hosts mirror",
    ),
    Blocking(
        "a directory that only other hosts have", "rmdir /srv/textfiles", "it is expected to be a directory on this host, too, because lab_textfiles names it",
        "touch /srv/textfiles/lab.prom",
    ),
)  # fmt: skip
