# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module gpu_image_check, as Ansible runs it."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gpulab.expansion.plugins.modules import gpu_image_check

NODES = {
    "gpu1": {"driver_version": "535.54.03", "gpus": [{"name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9", "state": "ok"}]},
    "gpu2": {"driver_version": "580.65.06", "gpus": [{"name": "NVIDIA GeForce RTX 4090", "compute_capability": "8.9", "state": "ok"}]},
}


def image(name: str, cuda: str) -> dict[str, t.Any]:
    return {"name": name, "config": {"architecture": "amd64", "config": {"Env": [f"CUDA_VERSION={cuda}"]}}}


def check(capsys: pytest.CaptureFixture[str], **args: t.Any) -> dict[str, t.Any]:
    with patch_module_args({"nodes": NODES, **args}), pytest.raises(SystemExit):
        gpu_image_check.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out.strip().splitlines()[-1]))


def test_each_image_is_judged_on_each_node(capsys: pytest.CaptureFixture[str]) -> None:
    told = check(capsys, images=[image("old", "12.2.0"), image("new", "13.0.0")])
    assert [(row["image"], row["node"], row["runs"]) for row in told["verdicts"]] == [
        ("old", "gpu1", True),
        ("old", "gpu2", True),
        ("new", "gpu1", False),
        ("new", "gpu2", True),
    ]
    assert told["misfits"] == 1 and not told["changed"] and not told.get("failed")


def test_a_misfit_fails_where_it_shall_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    told = check(capsys, images=[image("new", "13.0.0")], on_misfit="fail")
    assert told["failed"] and told["msg"].startswith("image new is expected to run on gpu1, but has CUDA 13.0, which needs driver 580.65.06 or newer")
    assert not check(capsys, images=[image("old", "12.2.0")], on_misfit="fail").get("failed")


def test_a_node_that_was_not_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = check(capsys, images=[image("new", "13.0.0")], nodes={"gpu1": {}})
    assert told["failed"] and "node gpu1: what gpu_info returned is expected" in told["msg"]
