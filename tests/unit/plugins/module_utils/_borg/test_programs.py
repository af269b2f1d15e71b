# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import subprocess

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._borg import metrics, offsite
from ansible_collections.gpulab.expansion.plugins.module_utils._borg.client import Archive, Repository
from prometheus_client import generate_latest


def repository(tmp_path: pathlib.Path, number: int) -> str:
    (tmp_path / "repo").mkdir(exist_ok=True)
    for old in (tmp_path / "repo").glob("index.*"):
        old.unlink()
    (tmp_path / "repo" / f"index.{number}").touch()
    return str(tmp_path / "repo")


def test_segments_go_first_and_unlocked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(offsite.subprocess, "run", lambda argv, check: calls.append(argv))
    state = offsite.copy(repository(tmp_path, 5), "offsite:b/gpu1", {"transaction": 3, "synced": 1.0})
    assert [("borg" in c[0], c[0 if c[0] == "borg" else 6]) for c in calls] == [(False, "copy"), (True, "borg")]
    assert calls[1][:2] == ["borg", "with-lock"] and "sync" in calls[1] and "--delete-after" in calls[1]
    assert state["transaction"] == 5 and state["synced"] > 1.0


def test_unchanged_repository_is_left_alone(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsite.subprocess, "run", lambda argv, check: pytest.fail("nothing is to be run"))
    state = offsite.copy(repository(tmp_path, 5), "x", {"transaction": 5, "synced": 1.0, "seconds": 3})
    assert state["synced"] > 1.0 and state["seconds"] == 3


def test_failed_copy_keeps_the_old_state(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str], check: bool) -> None:
        raise subprocess.CalledProcessError(1, argv)

    monkeypatch.setattr(offsite.subprocess, "run", fail)
    path = str(tmp_path / "state")
    offsite.write_state(path, {"transaction": 3, "synced": 1.0})
    monkeypatch.setattr(offsite.sys, "argv", ["x", "--state", path, "--repository", repository(tmp_path, 5), "--target", "x"])
    assert offsite.main() == 1 and offsite.read_state(path)["synced"] == 1.0


def test_damaged_state_is_no_state(tmp_path: pathlib.Path) -> None:
    (tmp_path / "state").write_text("{", encoding="ascii")
    assert offsite.read_state(str(tmp_path / "state")) == {} == offsite.read_state(str(tmp_path / "none"))


def test_no_archive_has_no_time() -> None:
    """An alert on a missing series fires; one on time() - 0 would tell nonsense, and one on a made-up time would be silent."""
    empty = generate_latest(metrics.registry_of(Repository("i", "e", ()), False)).decode()
    assert "archive_start" not in empty and "gpulab_borg_last_run_succeeded 0.0" in empty and "readable 1.0" in empty
    full = generate_latest(metrics.registry_of(Repository("i", "e", (Archive("a", 5.0, 9.0),)), True)).decode()
    assert "gpulab_borg_archive_start_timestamp_seconds 5.0" in full and "end_timestamp_seconds 9.0" in full
    assert "readable 0.0" in generate_latest(metrics.registry_of(None, False)).decode()
