# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays of other days: their dry runs agree with them, and backups go on afterwards."""

from __future__ import annotations

import pathlib
import typing as t

import yaml
from harness import Lab, soak
from lab_backups import CLIENT, Backups

NEW = "another-box-passphrase"


def goes_on(backups: Backups) -> None:
    backups.quiet()
    backups.lab.sh("gpu1", "head -c 100000 /dev/urandom > /home/after.bin")
    for step, host, unit in (
        (backups.backup, "gpu1", "gpulab-borg.service"),
        (backups.copy, "store1", "gpulab-borg-offsite@gpu1.service"),
        (backups.watch, "mgmt1", "gpulab-borg-watch.service"),
    ):
        assert step(), backups.said(host, unit)
    assert backups.metric("mgmt1", "admin_missing_archives") == 0


@soak
def test_a_passphrase_is_rotated(backups: Backups) -> None:
    backups.agreed("borg_rotate.yml", rotate_client="gpu1", borg_passphrase=NEW)
    goes_on(backups)
    old = CLIENT.replace("BORG_PASSCOMMAND='cat /etc/gpulab/borg/passphrase'", "BORG_PASSPHRASE=gpu1-box-passphrase")
    refused = backups.lab.sh("gpu1", old + "borg list --bypass-lock", check=False)
    assert refused.returncode == 2 and "passphrase supplied in" in refused.stderr, "the old one opens nothing any more"
    backups.agreed("borg_rotate.yml", rotate_client="gpu1", borg_passphrase="gpu1-box-passphrase")
    goes_on(backups)


@soak
def test_a_client_comes_and_leaves(lab: Lab, backups: Backups, tmp_path: pathlib.Path, host_of: t.Callable[[str], t.Any]) -> None:
    inventory = lab.inventory
    groups = yaml.safe_load(inventory.read_text(encoding="utf-8"))
    groups["borg_clients"]["hosts"]["mgmt1"] = None
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(groups), encoding="utf-8")
    lab.inventory = tmp_path / "hosts.yml"
    try:
        backups.agreed("borg.yml")
    finally:
        lab.inventory = inventory
    server, host = host_of("store1"), host_of("mgmt1")
    assert "repos/mgmt1" in server.file("/srv/borg/.ssh/authorized_keys").content_string
    # the group has lost it, the rest of the lab goes on
    backups.agreed("borg_remove_client.yml", removed_client="mgmt1")
    assert "repos/mgmt1" not in server.file("/srv/borg/.ssh/authorized_keys").content_string
    assert server.file("/srv/borg/repos/mgmt1/config").exists, "what was backed up stays"
    assert not host.file("/etc/gpulab/borg-admin/passphrases/mgmt1").exists
    for there, unit in ((host, "gpulab-borg.timer"), (server, "gpulab-borg-offsite@mgmt1.timer")):
        assert there.run(f"systemctl is-active {unit}; systemctl is-enabled {unit}").stdout.split() == ["inactive", "disabled"]
    goes_on(backups)


DATABASES = {
    "sqlite": [{"name": "lite", "path": "/srv/lite.db"}],
    "mariadb": [{"name": "maria"}],
    "postgresql": [{"name": "post", **{f"{c}_command": f"runuser -u postgres -- {c}" for c in ("pg_dump", "pg_restore", "psql")}}],
}
QUERY = {
    "lite": 'python3 -c \'import sqlite3, sys; c = sqlite3.connect("/srv/lite.db"); print(*c.execute(sys.argv[1]).fetchall()); c.commit()\' "$1"',
    "maria": 'mariadb -N maria -e "$1"',
    "post": 'cd / && runuser -u postgres -- psql -qAt post -c "$1"',
}


@soak
def test_databases_come_back(lab: Lab, backups: Backups) -> None:
    """MariaDB, PostgreSQL and SQLite: dumped into the backup while they run, emptied, and restored from it."""

    def ask(name: str, query: str) -> str:
        return lab.sh("gpu1", f"set -- '{query}'; {QUERY[name]}").stdout.strip()

    install = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mariadb-server postgresql"
    lab.sh("gpu1", f"{install} >/dev/null 2>&1 && systemctl start mariadb postgresql && mariadb -e 'create database maria'")
    lab.sh("gpu1", "cd / && timeout 30 sh -c 'until runuser -u postgres -- createdb post; do sleep 1; done'")
    for name in QUERY:
        ask(name, "create table runs (loss integer)")
        ask(name, "insert into runs values (25)")
    backups.play("borg.yml", borg_databases=DATABASES)
    backups.quiet()
    assert backups.backup(), backups.said("gpu1", "gpulab-borg.service")
    for name in QUERY:
        ask(name, "delete from runs")
        assert "25" not in ask(name, "select loss from runs")
    restore = "/opt/gpulab/borg/bin/borgmatic --config /etc/gpulab/borg/config.yaml restore --archive latest"
    lab.sh("gpu1", f"cd / && export BORG_HOST_ID=gpu1 HOME=/var/lib/gpulab/borg; {restore}")
    for name in QUERY:
        assert "25" in ask(name, "select loss from runs"), name
    lab.sh("gpu1", "systemctl stop mariadb postgresql")
    backups.play("borg.yml")
    goes_on(backups)


@soak
def test_quota_and_storage_class(lab: Lab, backups: Backups) -> None:
    """A client that is over its quota is told so; what it had stays."""
    bucket = {"provider": "Other", "endpoint": "http://oss:8333", "bucket": "lab-backups", "access_key_id": "box-access-key", "path_style": True}
    before = backups.archives()
    used = int(lab.sh("store1", "du -s --block-size=1000000 /srv/borg/repos/gpu1").stdout.split()[0])  # borg's M is a million
    backups.play("borg.yml", borg_server_quota=f"{used + 20}M", borg_offsite={**bucket, "storage_class": "STANDARD_IA"})
    backups.quiet()
    assert "storage_class = STANDARD_IA" in lab.sh("store1", "cat /etc/gpulab/borg-offsite/rclone.conf").stdout
    lab.sh("gpu1", "head -c 60000000 /dev/urandom > /home/too-much.bin")
    assert not backups.backup() and "quota" in backups.said("gpu1", "gpulab-borg.service").lower()
    lab.sh("gpu1", "rm /home/too-much.bin")
    goes_on(backups)
    assert set(before) <= set(backups.archives())
    backups.play("borg.yml")
    goes_on(backups)


@soak
def test_repositories_move(lab: Lab, backups: Backups) -> None:
    """To another directory; to another server it is the same. Last, because it stays there."""
    goes_on(backups)
    before = backups.archives()
    backups.agreed("borg_pause.yml")
    assert lab.sh("gpu1", "systemctl is-active gpulab-borg.timer", check=False).stdout.strip() == "inactive"
    moved = {"borg_server_directory": "/srv/moved"}
    backups.agreed("borg_recover.yml", **moved)
    backups.agreed("borg.yml", **moved)
    there = lab.sh("gpu1", CLIENT.replace("/srv/borg/", "/srv/moved/") + "borg list --bypass-lock --short").stdout.split()
    assert set(before.values()) <= set(there)
    backups.quiet()
    assert backups.backup() and backups.copy() and backups.watch()
    assert backups.metric("mgmt1", "admin_missing_archives") == 0
    assert lab.sh("store1", "ls /srv/borg/repos/gpu1/config").returncode == 0, "the old place stays"
    backups.contract.subject.variables.update(moved)  # for what comes after
