# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies a repository to an object store. The backup server runs it by a timer, once for each repository.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

A Borg repository is a log of segments that never change once closed, and a small index. So the segments are copied
first, without any lock, which may take days the first time while backups go on; then the rest under Borg's lock, which
takes seconds, so that what lies in the bucket is a repository and not a moment between two.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t

try:
    import prometheus_client
except ImportError:  # only the host's own environment has it
    prometheus_client = None  # type: ignore[assignment]

RCLONE = ["rclone", "--config", "/etc/gpulab/borg-offsite/rclone.conf", "--stats", "0", "--fast-list"]


def transaction(repository: str) -> int:
    """Number of the last transaction, from the name of C(index.N); -1 for a repository that was never written to."""
    numbers = [int(name.split(".")[1]) for name in os.listdir(repository) if name.startswith("index.") and name.split(".")[1].isdigit()]
    return max(numbers, default=-1)


def read_state(path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_state(path: str, state: t.Mapping[str, t.Any]) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".state-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(state, stream, sort_keys=True)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def copy(repository: str, target: str, state: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The new state. C(synced) is a time up to which every finished backup is in the bucket.

    Raises subprocess.CalledProcessError when rclone or the lock fails; the old state then stays.
    """
    started = time.time()
    if state.get("transaction") == transaction(repository):
        return {**state, "synced": started}
    subprocess.run([*RCLONE, "copy", f"{repository}/data", f"{target}/data"], check=True)
    locked = time.time()
    # Taking the lock starts a transaction of its own, so a repository without news is left alone above.
    sync = [*RCLONE, "sync", "--delete-after", "--exclude", "/lock.*/**", "--exclude", "/lock.*", repository, target]
    subprocess.run(["borg", "with-lock", "--lock-wait", "900", repository, *sync], check=True)
    return {"transaction": transaction(repository), "synced": locked, "seconds": round(time.time() - started, 1)}


def write_metrics(path: str, client: str, state: t.Mapping[str, t.Any], succeeded: bool) -> None:
    registry = prometheus_client.CollectorRegistry()

    def gauge(name: str, text: str) -> t.Any:
        return prometheus_client.Gauge(name, text, ["client"], registry=registry).labels(client)

    gauge("gpulab_borg_offsite_last_run_succeeded", "Whether the last off-site copy ended well").set(succeeded)
    if "synced" in state:
        gauge("gpulab_borg_offsite_synced_timestamp_seconds", "Every backup finished by then is in the bucket").set(state["synced"])
    if "seconds" in state:
        gauge("gpulab_borg_offsite_seconds", "Duration of the last copy that had something to do").set(state["seconds"])
    prometheus_client.write_to_textfile(path, registry)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True)
    parser.add_argument("--repository")
    parser.add_argument("--target")
    parser.add_argument("--client", help="write the metrics of this client instead of copying")
    parser.add_argument("--textfile")
    args = parser.parse_args()
    if args.client:
        # systemd tells a service's ExecStopPost how it ended
        write_metrics(args.textfile, args.client, read_state(args.state), os.environ.get("SERVICE_RESULT") == "success")
        return 0
    if not os.path.isdir(args.repository):
        sys.stderr.write(f"{args.repository}: the client has not made its repository yet, nothing to copy\n")
        return 0
    try:
        write_state(args.state, copy(args.repository, args.target, read_state(args.state)))
    except subprocess.CalledProcessError as exc:
        sys.stderr.write(f"{args.repository}: {exc.cmd[0]} is expected to end well, but ended with {exc.returncode}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
