# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways in which a module can be wrong: what it does, what it says, and the sentence that it must be caught with.

C(SILENT) act and say nothing; C(DRY) act in a dry run; C(WRONG) say something else than they do. The first two were written down before the harness
was read, from what root can do to a host.
"""

from __future__ import annotations

import typing as t

AT = "/srv/bad"

# What they find: a file for each, units, and an account's group.
PREPARED = f"""
mkdir -p {AT}/mount /etc/cron.d /root/.ssh
for name in acl xattr capability flags back swap link owner setuid removed inode restored value leaf before-a before-b more promise honest-mode; do
  echo x > {AT}/$name
done
chmod 0640 {AT}/before-b
for name in restart stop enable mask dropin property dryrestart wrongrestart; do
  printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/bad-$name.service
done
systemctl daemon-reload
systemctl start bad-restart bad-stop bad-dropin bad-dryrestart bad-wrongrestart bad-property
cp /bin/true {AT}/capability
"""
PUT_BACK = f"umount {AT}/mount; hostname gpu1; rm -f /run/systemd/transient/bad*"

NFT_TABLE = """python3 -c '
import socket, struct
def message(kind, flags, family, resource, more=b""):
    return struct.pack("=IHHIIBBH", 20 + len(more), kind, flags, 1, 0, family, 0, socket.htons(resource)) + more
name = struct.pack("=HH", 8, 1) + b"bad\\0"
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.send(message(16, 1, 0, 10) + message(0xA00, 0x401, 2, 0, name) + message(17, 1, 0, 10))
'"""

SILENT: dict[str, tuple[str, str]] = {
    "sets an access list": (
        f'python3 -c \'import os; os.setxattr("{AT}/acl", "system.posix_acl_access", bytes.fromhex('
        '"02000000" "01000600ffffffff" "0200060002000000" "04000400ffffffff" "10000600ffffffff" "20000400ffffffff"))\'',
        f"mode, xattrs of {AT}/acl",
    ),
    "sets an extended attribute": (f'python3 -c \'import os; os.setxattr("{AT}/xattr", "user.bad", b"1")\'', f"changed xattrs of {AT}/xattr"),
    "gives a program a capability": (f"setcap cap_net_raw+ep {AT}/capability", f"changed xattrs of {AT}/capability"),
    "sets a flag of a file": (f"chattr +d {AT}/flags", f"changed flags of {AT}/flags"),
    "writes and puts size and time back": (
        f"touch -r {AT}/back /tmp/bad.t; echo y > {AT}/back; touch -r /tmp/bad.t {AT}/back; rm /tmp/bad.t",
        f"sha256 of {AT}/back",
    ),
    "puts a hard link for a file": (f"ln -f {AT}/owner {AT}/swap", f"hard links of {AT}/swap"),
    "puts a link for a file": (f"cp {AT}/link {AT}/link-to; ln -sf link-to {AT}/link", f"target, type of {AT}/link,"),
    "gives a file away": (f"chown daemon {AT}/setuid", f"mode, owner of {AT}/setuid"),
    "lets a program run as its owner": (f"chmod 4755 {AT}/setuid", f"mode, owner of {AT}/setuid"),
    "removes a file": (f"rm {AT}/removed", f"removed {AT}/removed"),
    "makes a pipe": (f"mkfifo {AT}/pipe", f"made {AT}/pipe ("),
    "makes an empty directory": (f"mkdir {AT}/empty", f"made {AT}/empty ("),
    "puts a file into a cache": ("mkdir -p /root/.cache; echo x > /root/.cache/bad", "made /root/.cache/bad ("),
    "lets a key log in": ("echo ssh-ed25519 AAAA >> /root/.ssh/authorized_keys", "made /root/.ssh/authorized_keys ("),
    "changes an account's shell": ("usermod -s /bin/sh games", "changed shell of user:games"),
    "puts an account into a group": ("usermod -aG disk games", "changed members of group:disk"),
    "sets a password": ("usermod -p '$6$x$y' news", "changed password of user:news"),
    "lets a password expire": ("chage -M 30 lp", "changed ageing of user:lp"),
    "makes a second root": ("echo 'toor:x:0:0::/root:/bin/sh' >> /etc/passwd", "made user:toor ("),
    "makes a cron job": ("echo '* * * * * root true' > /etc/cron.d/bad", "made /etc/cron.d/bad ("),
    "holds a package": ("apt-mark hold procps", "changed status of package:procps"),
    "selects a package for removal": ("echo curl deinstall | dpkg --set-selections", "changed status of package:curl"),
    "adds an alternative": ("update-alternatives --install /usr/bin/bad bad /bin/true 1", "made /etc/alternatives/bad ("),
    "sets the time zone": ("ln -sf /usr/share/zoneinfo/Asia/Shanghai /etc/localtime", "of /etc/localtime"),
    "names the host anew": ("hostname bad", "changed is of setting:kernel/hostname"),
    "sets a kernel setting": (
        "mount -o remount,rw /proc/sys; echo 900 > /proc/sys/net/ipv4/ip_unprivileged_port_start; mount -o remount,ro /proc/sys",
        "changed is of setting:net/ipv4/ip_unprivileged_port_start",
    ),
    "adds a route": ("ip route add 203.0.113.0/24 dev lo", "made route:203.0.113.0/24 dev lo"),
    "adds an address": ("ip address add 192.0.2.7/32 dev lo", "made address:lo inet 192.0.2.7/32"),
    "adds a table to the firewall": (NFT_TABLE, "made firewall:table 2 bad"),
    "mounts something": (f"mount --bind /opt {AT}/mount", f"made mount:{AT}/mount"),
    "leaves a file in shared memory": ("echo x > /dev/shm/bad", "made /dev/shm/bad ("),
    "leaves a segment of shared memory": ("ipcmk -M 4096", "made ipc:shm"),
    "leaves a port open": (
        "setsid python3 -c 'import socket, time; s = socket.create_server((\"\", 4711)); time.sleep(900)' >/dev/null 2>&1 </dev/null &",
        "made socket:tcp 0.0.0.0 4711",
    ),
    "leaves a process behind": ("setsid sleep 901 >/dev/null 2>&1 </dev/null &", "made process:sleep 901"),
    "restarts a unit": ("systemctl restart bad-restart", "changed since of unit:bad-restart.service"),
    "stops a unit": ("systemctl stop bad-stop", "active, since of unit:bad-stop.service"),
    "enables a unit": ("systemctl enable bad-enable", "made /etc/systemd/system/multi-user.target.wants/bad-enable.service ("),
    "masks a unit": ("rm /etc/systemd/system/bad-mask.service; systemctl mask bad-mask", "target, type of /etc/systemd/system/bad-mask.service"),
    "puts a drop-in where it lasts until the next start": (
        "mkdir -p /run/systemd/system/bad-dropin.service.d; echo '[Service]' > /run/systemd/system/bad-dropin.service.d/x.conf",
        "made /run/systemd/system/bad-dropin.service.d/x.conf (",
    ),
    "sets a property of a unit": ("systemctl set-property --runtime bad-property CPUWeight=50", "made /run/systemd/system.control/bad-property.service.d ("),
    "starts a unit of its own": ("systemd-run --unit=bad-transient sleep 902", "active, since of unit:bad-transient.service"),
    "sets the environment of services": ("systemctl set-environment BAD=1", "changed is of systemd:environment"),
    "writes a log": ("echo x > /var/log/bad.log", "made /var/log/bad.log ("),
    "writes where timers remember": ("echo x > /var/lib/systemd/bad", "made /var/lib/systemd/bad ("),
    "leaves a file in /tmp": ("echo x > /tmp/bad", "made /tmp/bad ("),
    "leaves a file in /run": ("echo x > /run/bad", "made /run/bad ("),
    "leaves a file of APT": ("echo 'Bad \"1\";' > /etc/apt/apt.conf.d/99bad", "made /etc/apt/apt.conf.d/99bad ("),
    "installs a package": ("apt-get -qq update; apt-get -qq install -y --no-install-recommends xxhash", "made package:xxhash ("),
    "is another machine from now on": ("echo 0123456789abcdef0123456789abcdef > /etc/machine-id", "of /etc/machine-id"),
    "edits a unit and reads it not": ("echo '# x' >> /etc/systemd/system/bad-dropin.service", "need_daemon_reload of unit:bad-dropin.service"),
}
DRY: dict[str, tuple[str, str]] = {
    "writes in the dry run": ("echo y > /etc/bad", "the dry run made /etc/bad"),
    "writes and puts all back": (
        f"touch -r {AT}/restored /tmp/bad.t; echo y > {AT}/restored; echo x > {AT}/restored; touch -r /tmp/bad.t {AT}/restored; rm /tmp/bad.t",
        f"the dry run wrote {AT}/restored",
    ),
    "makes a file and removes it": ("echo x > /etc/apt/bad; rm /etc/apt/bad", "the dry run wrote /etc/apt"),
    "restarts in the dry run": ("systemctl restart bad-dryrestart", "the dry run wrote unit:bad-dryrestart.service"),
    "reads units in the dry run": (
        "mkdir -p /run/systemd/system/bad-dry.service.d; echo '[Service]' > /run/systemd/system/bad-dry.service.d/x.conf; systemctl daemon-reload",
        "the dry run made /run/systemd/system/bad-dry.service.d/x.conf",
    ),
}


def said(key: str, after: dict[str, t.Any], before: t.Any = None, kind: str = "file") -> dict[str, t.Any]:
    return {"kind": kind, "key": key, "before": before, "after": after, "impact": []}


X = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"  # of "x\n"
FILE = {"type": "file", "mode": "0644", "owner": "root", "group": "root", "sha256": X}


def makes(name: str) -> str:
    return f"echo x > {AT}/{name}; chmod 0644 {AT}/{name}"


Wrong = tuple[str, list[dict[str, t.Any]], list[dict[str, t.Any]], str]  # what it does, predicts and tells, and the sentence
LISTED = [said(f"{AT}/listed", FILE)]
WITHOUT_MODE = [said(f"{AT}/modeless", {k: v for k, v in FILE.items() if k != "mode"})]
WRONG: dict[str, Wrong] = {
    "writes a file beside the one it lists": (makes("listed") + ";" + makes("beside"), LISTED, LISTED, f"the run made {AT}/beside ("),
    "leaves out the mode that it sets": (makes("modeless"), WITHOUT_MODE, WITHOUT_MODE, f"the run made {AT}/modeless (mode), but that was not predicted"),
    "writes and says that nothing changed": (makes("denied"), [], [], f"the run made {AT}/denied ("),
    "predicted it and says that nothing changed": (
        makes("promised"),
        [said(f"{AT}/promised", FILE)],
        [],
        f"file {AT}/promised was predicted, but does not change",
    ),
    "predicts nothing and tells it": (makes("late"), [], [said(f"{AT}/late", FILE)], f"file {AT}/late changes, but was not predicted"),
    "cries wolf": ("", [said(f"{AT}/wolf", FILE)], [], f"file {AT}/wolf was predicted, but does not change"),
    "tells what it did not do": ("", *[[said(f"{AT}/nothing", FILE)]] * 2, f"{AT}/nothing: mode was predicted as '0644', but is None"),
    "predicts a wrong value": (
        f"chmod 0600 {AT}/value",
        *[[said(f"{AT}/value", {"mode": "0640"}, {"mode": "0644"})]] * 2,
        f"file {AT}/value: mode was predicted as '0640', but is '0600'",
    ),
    "predicts a leaf that was so before": (
        f"chmod 0600 {AT}/leaf",
        *[[said(f"{AT}/leaf", {"mode": "0600", "owner": "root"}, {"mode": "0644", "owner": "root"})]] * 2,
        f"{AT}/leaf: owner was predicted to become 'root', but was 'root' before",
    ),
    "is wrong about what was": (
        f"chmod 0600 {AT}/before-a",
        *[[said(f"{AT}/before-a", {"mode": "0600"}, {"mode": "0755"})]] * 2,
        f"{AT}/before-a: mode is said to have been '0755', but was '0644'",
    ),
    "knows not what was there": (
        f"chmod 0644 {AT}/before-b",
        *[[said(f"{AT}/before-b", FILE)]] * 2,
        f"{AT}/before-b: it is said not to have been there, but was",
    ),
    "changes more than it predicts": (
        f"chmod 0600 {AT}/more; chown daemon {AT}/more",
        *[[said(f"{AT}/more", {"mode": "0600"}, {"mode": "0644"})]] * 2,
        f"the run changed owner of {AT}/more, but that was not predicted",
    ),
    "names the wrong thing": (makes("key-b"), *[[said(f"{AT}/key-a", FILE)]] * 2, f"the run made {AT}/key-b ("),
    "calls known what is unknown": (
        makes("unknown"),
        *[[said(f"{AT}/unknown", {**FILE, "sha256": {"__unknown__": "generated"}})]] * 2,
        f"file {AT}/unknown: file/{AT}/unknown/sha256:generated is unknown, which is not allowed",
    ),
    "restarts a unit and predicts its file": (
        "systemctl restart bad-wrongrestart",
        *[[said("bad-wrongrestart.service", {"need_daemon_reload": False}, {"need_daemon_reload": True}, "unit")]] * 2,
        "the run changed since of unit:bad-wrongrestart.service, but that was not predicted",
    ),
}
