# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics of a client's backups as Prometheus textfiles. Services run it when they have ended, well or not.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import typing as t

from ..._textfile import Textfile
from ..client import Access, Archive, Borg, BorgError, add_access, newest, run_program


def succeeded() -> bool:
    """systemd tells a service's ExecStopPost how it ended."""
    return os.environ.get("SERVICE_RESULT") == "success"


def created(path: str) -> Archive | None:
    """What borg says that it has made, in borgmatic's JSON, which it writes once the archive is in the repository; None when it made none.

    Its times are those of the host's time zone. Source: https://borgbackup.readthedocs.io/en/1.2-maint/internals/frontends.html
    """
    try:
        with open(path, encoding="utf-8") as handle:
            archive = json.load(handle)[0]["archive"]
        start, end = (time.mktime(time.strptime(archive[name][:19], "%Y-%m-%dT%H:%M:%S")) for name in ("start", "end"))
        return Archive(archive["name"], start, end, archive["id"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def of_backup(archives: t.Sequence[Archive] | None, well: bool, rpo_minutes: int, before: bool | None, now: float) -> Textfile:
    """No archive yet, or a repository that cannot be read (None), has no time. C(before) is how the dumps before the backup ended."""
    out = Textfile("gpulab_borg")
    out.gauge("rpo_seconds", "How old the newest archive may ever be", rpo_minutes * 60)
    out.gauge("last_run_succeeded", "Whether the last run of the backup ended well", well)
    out.gauge("before_succeeded", "Whether all programs in before.d ended well", before)
    out.gauge("repository_readable", "Whether the repository could be read after the last run", archives is not None)
    young = newest(archives or (), now)
    out.gauge("archive_start_timestamp_seconds", "When the newest archive began; its age is the recovery point", young.start if young else None)
    out.gauge("archive_end_timestamp_seconds", "When the newest archive was complete", young.end if young else None)
    return out


def of_job(job: str, well: bool) -> Textfile:
    out = Textfile("gpulab_borg")
    out.gauge("job_succeeded", "Whether the last run ended well", well, task=job)
    out.gauge("job_timestamp_seconds", "When the last run ended", time.time(), task=job)
    return out


def read_status(path: str) -> bool | None:
    try:
        with open(path, encoding="ascii") as handle:
            return handle.read().strip() == "0"
    except FileNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    backup, outcome = verbs.add_parser("backup"), verbs.add_parser("outcome")
    add_access(backup)
    backup.add_argument("--rpo-minutes", type=int, required=True)
    backup.add_argument("--created", required=True, help="file with what borgmatic says of the archive that it made")
    backup.add_argument("--before", required=True, help="file with the exit status of the programs before the backup")
    outcome.add_argument("--job", required=True)
    for verb in (backup, outcome):
        verb.add_argument("--textfile", required=True)
    args = parser.parse_args()
    if args.verb == "outcome":
        of_job(args.job, succeeded()).write(args.textfile)
        return
    made = created(args.created) if succeeded() else None
    archives: t.Sequence[Archive] | None = [made] if made else None
    if not made:
        try:
            archives = Borg(run_program, Access.of(args)).read().archives
        except BorgError as exc:
            sys.stderr.write(f"{exc}\n")  # into the journal
    of_backup(archives, succeeded(), args.rpo_minutes, read_status(args.before), time.time()).write(args.textfile)


if __name__ == "__main__":
    main()
