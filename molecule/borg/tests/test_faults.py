# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What breaks, what the admin then sees, what is lost (nothing), and how long it takes to be within the RPO again.

A hostile client and a killed backup always, all of them in the soak. The table goes to reports/faults-borg.txt.
"""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import shlex
import subprocess
import time
import typing as t

import pytest
from harness import ROOT, Lab, by_turns, soak
from lab_backups import ADMIN, CLIENT, Backups

REPOSITORY = "/srv/borg/repos/gpu1"
COPY = "gpulab-borg-offsite@gpu1.service"
TABLE: list[tuple[str, str, int, float]] = []


@pytest.fixture(scope="module", autouse=True)
def table(backups: Backups) -> t.Iterator[None]:
    backups.lab.sh("gpu1", "mkdir -p /home/alice")
    assert backups.backup() and backups.copy() and backups.watch()
    yield
    lines = [f"{'fault':46} {'archives lost':>13} {'s to be within RPO':>19}  seen by the admin"]
    lines += [f"{fault:46} {gone:13} {seconds:19.1f}  {seen}" for fault, seen, gone, seconds in TABLE]
    (ROOT / "reports" / "faults-borg.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Fault:
    """Brackets a fault: archives before it, and afterwards a backup, a copy and a watch that must all end well."""

    def __init__(self, backups: Backups, name: str) -> None:
        self.backups = backups
        self.name = name
        self.seen = ""
        backups.lab.sh("gpu1", "head -c 3000000 /dev/urandom > /home/alice/work.bin")
        assert backups.backup() and backups.copy() and backups.watch()
        self.before = backups.archives()

    def only_newest(self) -> None:
        """Retention ran, and was right to remove all but the newest of an hour."""
        self.before = dict(list(self.before.items())[-1:])

    def recovered(self, seen: str, since: float) -> None:
        backups = self.backups
        backups.lab.sh("gpu1", "head -c 100000 /dev/urandom > /home/alice/after.bin")
        assert backups.backup(), backups.said("gpu1", "gpulab-borg.service")
        assert backups.copy(), backups.said("store1", "gpulab-borg-offsite@gpu1.service")
        assert backups.watch(), backups.said("mgmt1", "gpulab-borg-watch.service")
        seconds = time.monotonic() - since
        assert backups.metric("mgmt1", "admin_missing_archives") == 0
        lost = backups.lost(self.before)
        TABLE.append((self.name, seen, lost, seconds))
        assert lost == 0
        assert len(set(backups.archives()) - set(self.before)) >= 1


def not_running(unit: str) -> str:
    # not only no longer activating: what it writes when it stops is part of it
    return f'systemctl show -p ActiveState --value {unit} | grep -qxE "inactive|failed"'


def wait_for(lab: Lab, host: str, condition: str, seconds: int = 20) -> None:
    lab.sh(host, f"timeout {seconds} sh -c 'until {condition}; do sleep 0.02; done'")


@contextlib.contextmanager
def paused(lab: Lab, host: str) -> t.Iterator[None]:
    subprocess.run(["docker", "pause", f"{lab.prefix}-{host}"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "unpause", f"{lab.prefix}-{host}"], check=True, capture_output=True)


def bring_back(lab: Lab) -> None:
    """By the play, whose dry run has said how much it moves."""
    predicted = lab.play(ROOT / "playbooks" / "borg_unhide.yml", check=True, variables={"unhide_client": "gpu1"})
    assert predicted.rc == 0, predicted.output
    (rollback,) = [p for (_h, kind, _k), p in predicted.changes().items() if kind == "borg_rollback"]
    real = lab.play(ROOT / "playbooks" / "borg_unhide.yml", variables={"unhide_client": "gpu1"})
    assert real.rc == 0, real.output
    (rolled_back,) = [p for (_h, kind, _k), p in real.changes().items() if kind == "borg_rollback"]
    assert rollback["after"] == rolled_back["after"] and rollback["after"]["segments_aside"] > 0


# -- hostile


@by_turns("hostile client")
def test_hostile_client_deletes_all_it_can(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "a hostile client deletes all it can")
    names = " ".join(fault.before.values())
    lab.sh("gpu1", CLIENT + f"borg delete --force :: {names} && borg compact ::")
    lab.sh("gpu1", CLIENT + "echo YES | BORG_DELETE_I_KNOW_WHAT_I_AM_DOING=YES borg delete ::", check=False)
    lab.sh("gpu1", CLIENT + "BORG_NEW_PASSPHRASE=stolen-passphrase borg key change-passphrase ::", check=False)
    ssh = "ssh -i /etc/gpulab/borg/id_ed25519 -o UserKnownHostsFile=/etc/gpulab/borg/known_hosts -o BatchMode=yes borg@store1"
    lab.sh("gpu1", f"timeout 5 {ssh} rm -rf {REPOSITORY}; timeout 5 {ssh} hold gpu1 </dev/null", check=False)
    started = time.monotonic()
    assert lab.sh("store1", f"ls {REPOSITORY}/config").returncode == 0

    # the key that it changed in the repository was kept by the admin host, and opens it again
    assert not backups.watch() and "passphrase" in backups.said("mgmt1", "gpulab-borg-watch.service")
    (kept,) = lab.sh("mgmt1", "ls /etc/gpulab/borg-admin/keys/gpu1").stdout.split()
    lab.sh("mgmt1", ADMIN + f"borg key import :: /etc/gpulab/borg-admin/keys/gpu1/{kept}")

    # what it hid is missed, and nothing makes the loss final
    assert not backups.watch()
    assert backups.metric("mgmt1", "admin_missing_archives") == len(fault.before)
    assert not backups.retain()
    refused = backups.said("mgmt1", "gpulab-borg-retain.service")
    assert f"{len(fault.before)} archives are expected that this host has seen and not removed" in refused and "playbooks/borg_unhide.yml" in refused

    predicted = lab.play(ROOT / "playbooks" / "borg_unhide.yml", check=True, variables={"unhide_client": "gpu1"})
    assert predicted.rc == 0, predicted.output
    (rollback,) = [p for (_h, kind, _k), p in predicted.changes().items() if kind == "borg_rollback"]
    assert not backups.watch(), "the dry run brought nothing back"
    backups.play("borg_unhide.yml", unhide_client="gpu1")
    assert set(fault.before) <= set(backups.archives())
    aside = lab.sh("store1", "ls /srv/borg/aside/*/ | grep -c '^[0-9]*$'").stdout.strip()
    assert int(aside) == rollback["after"]["segments_aside"], "nothing is deleted, and as much is moved as was predicted"
    fault.recovered("BorgArchivesMissing; retention refuses; one play brings them back", started)


@by_turns("hostile client")
def test_hostile_client_deletes_what_archives_need(backups: Backups) -> None:
    """Its list of archives stays whole, and an innocent backup follows: only the log tells."""
    lab, fault = backups.lab, Fault(backups, "a hostile client deletes chunks of old files")
    newest = list(fault.before.values())[-1]
    began = time.time()
    assert backups.hostile("delete", "/home/alice/work.bin") > 0
    lab.sh("gpu1", "date > /home/innocent")
    assert backups.backup(), "it looks innocent"
    started = time.monotonic()
    size = lab.sh("store1", f"du -sk {REPOSITORY}").stdout
    assert not backups.watch()
    said = backups.said("mgmt1", "gpulab-borg-watch.service")
    assert "objects that were there were deleted or overwritten by its client" in said and newest in said and "playbooks/borg_unhide.yml" in said
    (lost,) = [(name, value) for name, value in backups.told().items() if name.startswith("lost_objects")]
    assert lost[1] > 0 and f'archives="{newest}' in lost[0] and 'client="gpu1"' in lost[0], "the alert names client and archives"
    since = time.strptime(lost[0].split('since="')[1][:16], "%Y-%m-%d %H:%M")
    assert abs(calendar.timegm(since) - began) < 120, "and since when"
    assert not backups.retain()
    assert "Nothing is pruned or compacted" in backups.said("mgmt1", "gpulab-borg-retain.service")
    assert lab.sh("store1", f"du -sk {REPOSITORY}").stdout == size

    bring_back(lab)
    for name in fault.before.values():
        lab.sh("mgmt1", ADMIN + f"borg extract --bypass-lock --dry-run ::{name}")
    fault.recovered("BorgObjectsLost; retention refuses; one play brings them back", started)


@by_turns("hostile client")
@pytest.mark.parametrize("words", [["spoil", "gpu1-x"], ["scrawl"]], ids=["an entry", "all of it"])
def test_hostile_client_spoils_the_list_of_archives(backups: Backups, words: list[str]) -> None:
    """Borg lists nothing then: neither what is missing nor what is there. The log still says where it was good."""
    fault = Fault(backups, f"a hostile client spoils its list of archives: {words[0]}")
    backups.hostile(*words)
    started = time.monotonic()
    assert not backups.watch()
    assert (backups.metric("mgmt1", "admin_list_readable"), backups.metric("mgmt1", "admin_repository_readable")) == (0, 0)
    assert not backups.retain() and not backups.backup()
    bring_back(backups.lab)
    backups.quiet()
    fault.recovered("BorgRepositoryUnreadable; retention refuses; one play brings it back", started)


# Verb of hostile.py, its words ({0} is the newest archive), and what the watch says; None where there is nothing to say
ATTACKS = [
    ("overwrite", ["/home/alice/work.bin"], "deleted or overwritten"),
    ("garbage", ["/home/alice/work.bin"], "deleted or overwritten"),
    ("twice", ["/home/alice/work.bin"], "deleted or overwritten"),
    ("list", ["{0}"], "deleted or overwritten"),
    ("archive", ["{0}"], "deleted or overwritten"),
    ("checkpoint", ["{0}"], "deleted or overwritten"),
    ("forget", ["{0}"], "deleted or overwritten"),
    ("stale", ["/home/alice/work.bin"], "deleted or overwritten"),
    ("rename", ["{0}", "a/b"], "(now a/b)"),
    ("mask", ["{0}", "gpu1-x"], "have another name in themselves"),
    ("incomplete", ["gpu1-made-up"], "archives lack objects"),
    ("bogus", [], None),
]


@soak
@pytest.mark.parametrize(("verb", "words", "says"), ATTACKS, ids=[attack[0] for attack in ATTACKS])
def test_attacks_on_the_past(backups: Backups, three_days_later: t.Callable[[], None], verb: str, words: list[str], says: str | None) -> None:
    fault = Fault(backups, f"a hostile client: {verb}")
    newest = list(fault.before.values())[-1]
    with backups.undone():
        backups.hostile(verb, *(word.replace("{0}", newest) for word in words))
        backups.lab.sh("gpu1", "date > /home/innocent")
        backups.backup()
        well = backups.watch()
        said = backups.said("mgmt1", "gpulab-borg-watch.service")
        assert (well, says or "") == (says is None, says or "") and (says or "") in said, said
        three_days_later()
        assert backups.retain() == (says is None), backups.said("mgmt1", "gpulab-borg-retain.service")
    TABLE.append((fault.name, says or "nothing: no harm is done", 0, 0.0))


OWNED = "--rsh=python3 -c \"open(chr(47) + 'run' + chr(47) + 'owned', 'w')\""  # a name has no slash
NAMES = [OWNED, "-a", "--", "{now}", "{", "%s", "a b", "a\nb", "$HOME", "~root", "'", '"', "é", "z" * 150]


def test_names_of_archives_are_data(backups: Backups, three_days_later: t.Callable[[], None]) -> None:
    """Each is listed, retained and deleted like any other; none is an option, a placeholder or a reason to stop."""
    lab = backups.lab
    make = "".join(f"borg create -- {shlex.quote('::' + name.replace('{', '{{').replace('}', '}}'))} /etc/hostname; " for name in NAMES)
    lab.sh("gpu1", CLIENT + make)
    assert backups.backup() and backups.watch(), backups.said("mgmt1", "gpulab-borg-watch.service")
    assert set(NAMES) <= set(backups.archives().values())
    three_days_later()
    assert backups.retain(), backups.said("mgmt1", "gpulab-borg-retain.service")
    assert not set(NAMES) & set(backups.archives().values()), "all of them were expired"
    assert lab.sh("mgmt1", "ls /run/owned", check=False).returncode, "nothing ran"


@soak
def test_ordinary_backups_raise_no_alarm(backups: Backups) -> None:
    """Also interrupted ones, by all that interrupts, with checkpoints each second, and a backup that goes on under the same name."""
    lab, count = backups.lab, int(os.environ.get("ORDINARY_BACKUPS", "100"))
    lab.sh("gpu1", "cat > /root/ordinary", stdin=ORDINARY)
    alarms = []
    for number in range(count // 10):
        lab.sh("gpu1", CLIENT + f"sh /root/ordinary {number * 10} 10", check=False)
        if not backups.watch():
            alarms.append(backups.said("mgmt1", "gpulab-borg-watch.service"))
    TABLE.append((f"{count} ordinary and interrupted backups", f"{len(alarms)} false alarms", 0, 0.0))
    assert not alarms, alarms[:3]


ORDINARY = """
for n in $(seq $1 $(($1 + $2 - 1))); do
  head -c 30000000 /dev/urandom > /home/alice/ordinary.bin
  case $((n % 5)) in
    0) borg create ::gpu1-o$n /home/alice ;;
    1) timeout -s INT 1 borg create -c 1 ::gpu1-o$n /home/alice; borg create -c 1 ::gpu1-o$n /home/alice ;;
    2) timeout -s KILL 1.4 borg create -c 1 ::gpu1-o$n /home/alice ;;
    3) borg create -c 1 --upload-ratelimit 9000 ::gpu1-o$n /home/alice ;;
    4) timeout -s TERM 1.2 borg create -c 1 ::gpu1-o$n /home/alice; rm -rf /var/lib/gpulab/borg/.cache/borg; borg create ::gpu1-o$n /home/alice ;;
  esac
done >/dev/null 2>&1
"""


@soak
def test_repository_replaced_by_an_empty_one(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the repository is replaced by an empty one")
    lab.sh("store1", f"mv {REPOSITORY} /srv/borg/away")
    started = time.monotonic()
    lab.sh("gpu1", CLIENT.replace("/var/lib/gpulab/borg ", "$(mktemp -d) ") + "borg init -e repokey-blake2")
    assert not backups.copy() and "expected to be the repository" in backups.said("store1", "gpulab-borg-offsite@gpu1.service")
    assert not backups.watch() and backups.metric("mgmt1", "admin_missing_archives") == len(fault.before)
    run = lab.play(ROOT / "playbooks" / "borg.yml")
    (sentence,) = [r["message"] for r in run.records if r["failed"] and r["host"] == "gpu1"]
    assert "is expected, whose archives are in the bucket, but found is" in sentence and "playbooks/borg_recover.yml" in sentence
    lab.sh("store1", f"rm -rf {REPOSITORY} && mv /srv/borg/away {REPOSITORY}")
    fault.recovered("BorgArchivesMissing, BorgOffsiteLag; play and copy refuse", started)
    segments = int(lab.sh("store1", f"find {REPOSITORY}/data -type f | wc -l").stdout)
    assert json.loads(lab.sh("store1", "cat /var/lib/gpulab/borg-offsite/gpu1.json").stdout)["objects"] >= segments, "nothing of it left the bucket"


# -- the bucket


@soak
def test_bucket_has_a_flipped_byte_and_loses_an_object(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the bucket loses an object, and flips a byte")
    rclone = "rclone --config /etc/gpulab/borg-offsite/rclone.conf"
    target = "offsite:lab-backups/borg/gpu1"
    # two that belong to the repository; obsolete ones may lie beside them
    listed = lab.sh("store1", f"cd {REPOSITORY}/data && {rclone} cat {target}/gpulab-segments | xargs ls -S").stdout.split()
    flipped, gone = listed[:2]
    verify = "gpulab-borg-offsite-verify@gpu1.service"
    assert backups.run("store1", verify), backups.said("store1", verify)
    flip = f"cp -p {REPOSITORY}/data/{flipped} /tmp/f && printf x | dd of=/tmp/f bs=1 seek=1000 conv=notrunc && touch -r {REPOSITORY}/data/{flipped} /tmp/f"
    lab.sh("store1", f"{flip} && {rclone} copyto --ignore-times /tmp/f {target}/data/{flipped} && rm /tmp/f")
    lab.sh("store1", f"{rclone} deletefile {target}/data/{gone}")
    started = time.monotonic()
    assert not backups.run("store1", verify)
    said = backups.said("store1", verify)
    assert flipped in said and gone in said
    assert backups.copy() and backups.metric("store1", "offsite_verify_succeeded") == 0
    # a lost object is copied again with the next backup; a damaged one is never overwritten, so the copy is begun anew beside it
    backups.agreed("borg_reseed.yml", reseed_client="gpu1", reseed_stamp="damaged")
    aside = lab.sh("store1", f"{rclone} lsf -R --files-only offsite:lab-backups/borg-aside/gpu1-damaged/data").stdout.split()
    assert flipped in aside, "the old copy is kept"
    assert backups.backup() and backups.copy()
    assert backups.run("store1", verify), backups.said("store1", verify)
    fault.recovered("BorgOffsiteDiffers names both; reseed makes a new copy", started)


@soak
def test_bucket_refuses(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the bucket refuses")
    lab.sh("store1", "cp -p /etc/gpulab/borg-offsite/rclone.conf /root/ && sed -i s/box-secret-key/wrong-secret-key/ /etc/gpulab/borg-offsite/rclone.conf")
    started = time.monotonic()
    assert backups.backup(), "a bucket that is away costs no backup"
    assert not backups.copy() and "rclone" in backups.said("store1", "gpulab-borg-offsite@gpu1.service")
    assert backups.metric("store1", "offsite_last_run_succeeded") == 0
    lab.sh("store1", "cp -p /root/rclone.conf /etc/gpulab/borg-offsite/rclone.conf")
    fault.recovered("BorgOffsiteLag, journal with rclone's reason", started)


@contextlib.contextmanager
def slow_bucket(lab: Lab) -> t.Iterator[None]:
    dropin = f"/run/systemd/system/{COPY}.d"
    lab.sh("store1", f"mkdir -p {dropin} && printf '[Service]\\nEnvironment=RCLONE_BWLIMIT=300k\\n' > {dropin}/slow.conf && systemctl daemon-reload")
    try:
        yield
    finally:
        lab.sh("store1", f"rm -r {dropin}; systemctl daemon-reload")


@soak
def test_bucket_is_slow(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the bucket is slow")
    started = time.monotonic()
    with slow_bucket(lab):
        lab.sh("gpu1", "head -c 6000000 /dev/urandom > /home/alice/slow.bin")
        assert backups.backup()
        lab.sh("store1", f"systemctl start --no-block {COPY}")
        wait_for(lab, "store1", "pgrep -x rclone")
        assert backups.backup(), "the copy sends segments without a lock"
        assert lab.sh("store1", f"systemctl is-active {COPY}", check=False).stdout.strip() == "activating"
        wait_for(lab, "store1", f"{not_running(COPY)}", 60)
    fault.recovered("BorgOffsiteLag if it went on; backups go on meanwhile", started)


# -- killed


def test_backup_is_killed(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "kill -9 during a backup")
    lab.sh("gpu1", "head -c 80000000 /dev/urandom > /home/alice/big.bin; systemctl start --no-block gpulab-borg.service")
    wait_for(lab, "gpu1", "pgrep -x borg && test -e /proc/$(pgrep -xo borg)/fd/5")
    wait_for(lab, "store1", f"test -e {REPOSITORY}/lock.exclusive")
    lab.sh("gpu1", "systemctl kill -s KILL gpulab-borg.service")
    started = time.monotonic()
    wait_for(lab, "gpu1", f"{not_running('gpulab-borg.service')} && grep -q last_run_succeeded.0 /var/lib/gpulab/metrics/gpulab_borg.prom")
    lab.sh("gpu1", "rm /home/alice/big.bin")
    fault.recovered("BorgBackupFailed", started)


@soak
def test_copy_is_killed(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "kill -9 during an off-site copy")
    with slow_bucket(lab):
        lab.sh("gpu1", "head -c 6000000 /dev/urandom > /home/alice/slow.bin")
        assert backups.backup()
        lab.sh("store1", f"systemctl start --no-block {COPY}")
        wait_for(lab, "store1", "pgrep -x rclone")
        time.sleep(2)
        lab.sh("store1", f"systemctl kill -s KILL {COPY}")
    started = time.monotonic()
    fault.recovered("BorgOffsiteLag if it went on", started)
    assert backups.run("store1", "gpulab-borg-offsite-verify@gpu1.service")


@soak
def test_retention_is_killed(backups: Backups, three_days_later: t.Callable[[], None]) -> None:
    lab, fault = backups.lab, Fault(backups, "kill -9 during prune")
    three_days_later()
    few = 's/"hourly": [0-9]*/"hourly": 1/; s/"daily": [0-9]*/"daily": 1/'
    lab.sh("mgmt1", f"cp /etc/gpulab/borg-admin/clients.json /root/ && sed -i '{few}' /etc/gpulab/borg-admin/clients.json")
    lab.sh("mgmt1", "systemctl start --no-block gpulab-borg-retain.service")
    wait_for(lab, "mgmt1", 'pgrep -f "borg.*delete"')
    lab.sh("mgmt1", "systemctl kill -s KILL gpulab-borg-retain.service")
    started = time.monotonic()
    assert backups.watch(), backups.said("mgmt1", "gpulab-borg-watch.service")
    assert backups.retain(), backups.said("mgmt1", "gpulab-borg-retain.service")
    assert backups.metric("mgmt1", "admin_missing_archives") == 0
    lab.sh("mgmt1", "mv /root/clients.json /etc/gpulab/borg-admin/clients.json")
    fault.only_newest()
    fault.recovered("nothing is missing, the next run goes on", started)


@soak
def test_server_loses_power_mid_segment(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "power-off of the server mid-segment")
    lab.sh("gpu1", "head -c 80000000 /dev/urandom > /home/alice/big.bin; systemctl start --no-block gpulab-borg.service")
    wait_for(lab, "store1", f"test -e {REPOSITORY}/lock.exclusive && test $(du -s {REPOSITORY}/data | cut -f1) -gt 8000")
    subprocess.run(["docker", "kill", f"{lab.prefix}-store1"], check=True, capture_output=True)
    started = time.monotonic()
    lab.box("up", "store1")
    lab.sh("store1", "systemctl stop 'gpulab-borg-offsite@gpu1.timer'")
    wait_for(lab, "gpu1", not_running("gpulab-borg.service"), 120)
    lab.sh("gpu1", "rm /home/alice/big.bin")
    fault.recovered("BorgBackupFailed", started)
    lab.sh("mgmt1", ADMIN + "borg check --repository-only")


# -- full, away, wrong


@soak
def test_server_disk_is_full(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the server's disk is full")
    size = int(lab.sh("store1", f"du -sm {REPOSITORY}").stdout.split()[0]) + 700  # borg itself wants half a gigabyte to be free
    small = f"mount -t tmpfs -o size={size}m,mode=0700,uid=$(id -u borg),gid=$(id -g borg) tmpfs /srv/borg/repos"
    lab.sh("store1", f"mkdir /srv/borg/moved && mv {REPOSITORY} /srv/borg/moved/ && {small} && cp -a /srv/borg/moved/gpu1 /srv/borg/repos/")
    lab.sh("store1", "dd if=/dev/zero of=/srv/borg/repos/filler bs=1M 2>/dev/null; truncate -s -2M /srv/borg/repos/filler")
    lab.sh("gpu1", "head -c 9000000 /dev/urandom > /home/alice/nine.bin")
    started = time.monotonic()
    try:
        assert not backups.backup()
        assert backups.metric("gpu1", "last_run_succeeded") == 0 and backups.metric("mgmt1", "admin_archives") == len(fault.before)
        backups.copy()
        assert backups.metric("store1", "server_available_ratio") < 0.05
        lab.sh("store1", "rm /srv/borg/repos/filler")
        lab.sh("gpu1", "rm /home/alice/nine.bin")
        fault.recovered("BorgServerDiskFull, BorgBackupFailed", started)
    finally:
        lab.sh("store1", f"cp -a {REPOSITORY} /srv/borg/new && umount /srv/borg/repos && mv /srv/borg/new {REPOSITORY} && rm -r /srv/borg/moved")


@soak
def test_client_disk_is_full(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the client's disk is full")
    lab.sh("gpu1", "mount -t tmpfs -o size=1m,mode=0700 tmpfs /var/lib/gpulab/borg && dd if=/dev/zero of=/var/lib/gpulab/borg/filler bs=1k 2>/dev/null; true")
    started = time.monotonic()
    try:
        assert not backups.backup()
        assert backups.metric("gpu1", "last_run_succeeded") == 0
    finally:
        lab.sh("gpu1", "umount /var/lib/gpulab/borg")
    fault.recovered("BorgBackupFailed", started)


@soak
def test_server_is_down_for_three_cycles(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the server is down for three cycles")
    with paused(lab, "store1"):
        for _cycle in range(3):
            assert not backups.backup()
        assert not backups.watch()
    started = time.monotonic()
    assert backups.metric("gpu1", "last_run_succeeded") == 0 and backups.metric("mgmt1", "admin_repository_readable") == 0
    unhide = lab.play(ROOT / "playbooks" / "borg_unhide.yml", variables={"unhide_client": "gpu1"})
    assert unhide.rc and "missed none, and could not look at it the last time" in unhide.output, "nothing is rolled back because a server was away"
    fault.recovered("BorgBackupFailed, BorgRepositoryUnreadable, BorgRpoPast", started)


@soak
def test_clock_jumps(backups: Backups) -> None:
    """A client's clock shows in the times of its archives, forward and backward; neither displaces an archive."""
    lab, fault = backups.lab, Fault(backups, "the client's clock jumps")
    started = time.monotonic()
    for stamp in ("2037-01-01T00:00:00", "2001-01-01T00:00:00"):
        lab.sh("gpu1", CLIENT + f"borg create --timestamp {stamp} ::gpu1-{stamp} /home/alice")
    assert backups.watch()
    assert abs(backups.metric("mgmt1", "admin_archive_start_timestamp_seconds") - time.time()) < 900
    fault.recovered("nothing: the admin host counts from when it saw an archive", started)
    # an admin takes them away on purpose, and says so
    lab.sh("mgmt1", ADMIN + "borg delete ::gpu1-2037-01-01T00:00:00 gpu1-2001-01-01T00:00:00")
    assert not backups.watch() and backups.metric("mgmt1", "admin_missing_archives") == 2
    accept = "gpulab-borg-admin accept --client gpu1"
    lab.sh("mgmt1", f"{accept} --lost --archive gpu1-2037-01-01T00:00:00 --archive gpu1-2001-01-01T00:00:00")
    assert backups.watch(), backups.said("mgmt1", "gpulab-borg-watch.service")


@soak
def test_passphrase_is_wrong(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the client's passphrase is wrong")
    lab.sh("gpu1", "echo wrong-passphrase > /etc/gpulab/borg/passphrase")
    started = time.monotonic()
    assert not backups.backup() and "passphrase" in backups.said("gpu1", "gpulab-borg.service")
    run = lab.play(ROOT / "playbooks" / "borg.yml")
    assert run.rc == 0 and ("gpu1", "file", "/etc/gpulab/borg/passphrase") in run.changes()
    backups.quiet()
    fault.recovered("BorgBackupFailed; the dry run names the file", started)


@soak
def test_two_clients_at_once(backups: Backups) -> None:
    """One of them a clone of the other, with its key and its repository: they take turns."""
    lab, fault = backups.lab, Fault(backups, "two clients at once, on one repository")
    lab.sh("gpu1", "head -c 60000000 /dev/urandom > /home/alice/sixty.bin")
    started = time.monotonic()
    lab.sh("gpu1", "systemctl start --no-block gpulab-borg.service")
    wait_for(lab, "store1", f"test -e {REPOSITORY}/lock.exclusive")
    lab.sh("gpu1", CLIENT.replace("/var/lib/gpulab/borg ", "/run/clone ") + "borg create --lock-wait 120 ::gpu1-clone /home/alice && rm -r /run/clone")
    wait_for(lab, "gpu1", f"{not_running('gpulab-borg.service')} && test $(systemctl show -p Result --value gpulab-borg.service) = success", 120)
    assert "gpu1-clone" in backups.archives().values()
    lab.sh("gpu1", "rm /home/alice/sixty.bin")
    fault.recovered("nothing: one waits for the other", started)


@soak
def test_backup_copy_and_retention_at_once(backups: Backups, three_days_later: t.Callable[[], None]) -> None:
    lab, fault = backups.lab, Fault(backups, "backup, copy and retention at once")
    three_days_later()
    lab.sh("gpu1", "head -c 30000000 /dev/urandom > /home/alice/thirty.bin")
    started = time.monotonic()
    lab.sh("gpu1", "systemctl start --no-block gpulab-borg.service")
    lab.sh("store1", "systemctl start --no-block gpulab-borg-offsite@gpu1.service")
    assert backups.retain(), backups.said("mgmt1", "gpulab-borg-retain.service")
    for host, unit in (("gpu1", "gpulab-borg.service"), ("store1", "gpulab-borg-offsite@gpu1.service")):
        wait_for(lab, host, f"{not_running(unit)} && test $(systemctl show -p Result --value {unit}) = success", 120)
    fault.only_newest()
    fault.recovered("nothing: each waits for the other", started)


@soak
def test_timer_is_disabled_by_hand(backups: Backups) -> None:
    lab, fault = backups.lab, Fault(backups, "the timer is disabled by hand")
    seen = backups.metric("mgmt1", "admin_archive_start_timestamp_seconds")
    lab.sh("gpu1", "systemctl disable --now gpulab-borg.timer")
    started = time.monotonic()
    dry = lab.play(ROOT / "playbooks" / "borg.yml", check=True)
    assert ("gpu1", "unit", "gpulab-borg.timer") in dry.changes()
    assert backups.watch() and backups.metric("mgmt1", "admin_archive_start_timestamp_seconds") == seen, "its age goes on, whatever the client says"
    lab.sh("gpu1", "systemctl enable gpulab-borg.timer")
    fault.recovered("BorgRpoNear, BorgRpoPast; the dry run names the timer", started)


# -- a dead session


@soak
def test_stale_lock_of_a_dead_session(backups: Backups) -> None:
    """A lock whose session is gone is broken by the next copy; that of a living one is not."""
    lab, fault = backups.lab, Fault(backups, "a dead session's lock")
    lock = f"mkdir {REPOSITORY}/lock.exclusive && touch {REPOSITORY}/lock.exclusive/elsewhere@1.4711-0 && chown -R borg: {REPOSITORY}/lock.exclusive"
    lab.sh("store1", f"{lock} && systemd-run --unit session flock --shared /srv/borg/holds/gpu1 sleep 300")
    started = time.monotonic()
    wait_for(lab, "store1", "! flock -n -x /srv/borg/holds/gpu1 true")
    broken = 'import sys; sys.path.insert(0, "/usr/local/lib/gpulab"); from gpulab._borg.programs.offsite import break_stale_lock as b'
    tried = f'runuser -u borg -- python3 -B -c \'{broken}; print(b("{REPOSITORY}", "/srv/borg/holds/gpu1"))\''
    assert lab.sh("store1", tried).stdout.strip() == "False"
    lab.sh("store1", "systemctl stop session")
    assert backups.copy()
    assert "was broken" in backups.said("store1", "gpulab-borg-offsite@gpu1.service") and backups.metric("store1", "stale_locks_broken") >= 1
    fault.recovered("BorgStaleLock", started)


@soak
def test_no_session_begins_while_retention_holds(backups: Backups) -> None:
    """Without the hold a client could hide archives between the last look and the compaction."""
    lab = backups.lab
    ssh = "ssh -i /etc/gpulab/borg-admin/id_ed25519 -o UserKnownHostsFile=/etc/gpulab/borg-admin/known_hosts -o BatchMode=yes borg@store1 hold gpu1"
    lab.sh("mgmt1", f"rm -f /run/held; systemd-run --unit holder sh -c 'sleep 12 | {ssh} > /run/held'")
    wait_for(lab, "mgmt1", "grep -q held /run/held")
    list_archives = CLIENT + "timeout {0} borg list --bypass-lock"
    assert lab.sh("gpu1", list_archives.format(4), check=False).returncode == 124, "the session waits"
    assert lab.sh("gpu1", list_archives.format(30)).returncode == 0, "and goes on when the hold is gone"
    # and the other way round: retention gets nothing while a session lives
    lab.sh("store1", "systemd-run --unit session flock --shared /srv/borg/holds/gpu1 sleep 8")
    wait_for(lab, "store1", "! flock -n -x /srv/borg/holds/gpu1 true")
    assert "held" not in lab.sh("mgmt1", f"sleep 3 | timeout 3 {ssh}", check=False).stdout
    lab.sh("store1", "systemctl stop session")


# -- the whole way back


@soak
def test_everything_from_the_bucket_on_a_new_server(backups: Backups) -> None:
    """Two commands for the server, one for a directory of the client: the server is gone with all its disks."""
    lab, fault = backups.lab, Fault(backups, "the server is gone; recovered from the bucket")
    lab.sh("gpu1", "cp -a /usr/bin /home/alice/ && mkdir -p '/home/alice/thesis/ch 1' && cd /home/alice/thesis/ch* && echo draft > a.tex && ln -sf a.tex b")
    assert backups.backup() and backups.copy()
    fault.before = backups.archives()
    wanted_time = began(lab)
    # one more backup never reached the bucket: the clients have seen a newer repository than what comes back
    lab.sh("gpu1", "echo x > /home/alice/late")
    assert backups.backup()
    started = time.monotonic()
    lab.box("fresh", "store1")
    backups.agreed("borg_recover.yml")
    backups.agreed("borg.yml")
    backups.quiet()
    wanted = {"restore_host": "gpu1", "restore_paths": "/home/alice", "restore_to": "/var/tmp/back"}
    output = lab.play(ROOT / "playbooks" / "restore.yml", check=True, variables=wanted)
    assert output.rc == 0 and "/var/tmp/back/home/alice/thesis/ch 1/a.tex" in output.output, output.output
    assert lab.sh("gpu1", "ls /var/tmp/back", check=False).returncode != 0
    backups.play("restore.yml", **wanted, restore_before=wanted_time)
    lab.sh("gpu1", "rm /home/alice/late && diff -r --no-dereference /home/alice /var/tmp/back/home/alice && rm -r /var/tmp/back")
    fault.recovered("BorgRpoPast until two plays are run", started)


def began(lab: Lab) -> str:
    """When the newest archive began, as a person writes it."""
    listed = json.loads(lab.sh("mgmt1", ADMIN + "borg list --bypass-lock --json").stdout)
    return str(listed["archives"][-1]["start"]).replace("T", " ")[:19]


@soak
def test_restore_to_its_place_keeps_what_is_there(backups: Backups) -> None:
    lab = backups.lab
    lab.sh("gpu1", "rm -rf /home/bob && mkdir -p /home/bob && echo right > /home/bob/paper && chown 1234:1234 /home/bob/paper && chmod 0640 /home/bob/paper")
    assert backups.backup()
    lab.sh("gpu1", "echo ruined > /home/bob/paper")
    variables = {"restore_host": "gpu1", "restore_paths": "/home/bob/paper", "restore_in_place": "gpu2"}
    refused = lab.play(ROOT / "playbooks" / "restore.yml", variables=variables)
    assert refused.rc and "restore_in_place to be gpu1, but neither is" in refused.output, "another host's name confirms nothing"
    backups.play("restore.yml", **{**variables, "restore_in_place": "gpu1"})
    assert lab.sh("gpu1", "cat /home/bob/paper; stat -c '%u %a' /home/bob/paper").stdout == "right\n1234 640\n"
    assert lab.sh("gpu1", "cat /home/bob/paper.before-gpu1-*").stdout == "ruined\n"
    assert lab.sh("gpu1", "ls -A /home/bob | wc -l").stdout.strip() == "2"
