# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Age of a client's backups as a Prometheus textfile. The backup service runs it when a backup has ended, well or not.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import typing as t

from .client import Access, Borg, BorgError, Repository

try:
    import prometheus_client
except ImportError:  # only the host's own environment has it
    prometheus_client = None  # type: ignore[assignment]


def registry_of(repository: Repository | None, succeeded: bool) -> t.Any:
    """No archive yet, or a repository that cannot be read, has no time: an alert on absence or age then fires."""
    registry = prometheus_client.CollectorRegistry()

    def gauge(name: str, text: str) -> t.Any:
        return prometheus_client.Gauge(name, text, registry=registry)

    gauge("gpulab_borg_last_run_succeeded", "Whether the last run of the backup ended well").set(succeeded)
    gauge("gpulab_borg_repository_readable", "Whether the repository could be read after the last run").set(repository is not None)
    if repository and repository.archives:
        newest = repository.archives[-1]
        gauge("gpulab_borg_archive_start_timestamp_seconds", "When the newest archive began; its age is the recovery point").set(newest.start)
        gauge("gpulab_borg_archive_end_timestamp_seconds", "When the newest archive was complete").set(newest.end)
    return registry


def run_program(argv: t.Sequence[str], environ_update: t.Mapping[str, str], cwd: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(argv, env={**os.environ, **environ_update}, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("repository", "passphrase-file", "ssh-command", "base-directory", "textfile"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    access = Access(args.repository, args.passphrase_file, args.ssh_command, args.base_directory)
    repository = None
    try:
        repository = Borg(run_program, access).read(last=1)
    except BorgError as exc:
        sys.stderr.write(f"{exc}\n")  # into the journal
    # systemd tells a service's ExecStopPost how it ended
    registry = registry_of(repository, os.environ.get("SERVICE_RESULT") == "success")
    prometheus_client.write_to_textfile(args.textfile, registry)


if __name__ == "__main__":
    main()
