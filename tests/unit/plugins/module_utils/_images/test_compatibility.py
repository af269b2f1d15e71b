# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images as they are published, on nodes as there are: which runs where, and why not."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images.compatibility import DRIVERS, FLOORS, KNOWN, SOURCES, judge, node_of, page, required
from ansible_collections.gpulab.expansion.plugins.module_utils._images.image import LABELS, ImageError, archs_of, image_of
from hypothesis import given
from hypothesis import strategies as st


def image(name: str, labels: dict[str, str] | None = None, architecture: str = "amd64", **env: str) -> t.Any:
    config = {"architecture": architecture, "config": {"Env": [f"{k}={v}" for k, v in env.items()], "Labels": labels}}
    return image_of(name, config)


def node(name: str, driver: str, *gpus: tuple[str, str], machine: str = "x86_64") -> t.Any:
    read = [{"name": gpu, "compute_capability": capability, "state": "ok"} for gpu, capability in gpus]
    return node_of(name, {"driver_version": driver, "gpus": read, "machine": machine})


# What the base images of CUDA 12.4 say, https://hub.docker.com/r/nvidia/cuda
REQUIRE_124 = (
    "cuda>=12.4 brand=tesla,driver>=470,driver<471 brand=unknown,driver>=470,driver<471 brand=nvidia,driver>=470,driver<471 "
    "brand=geforce,driver>=470,driver<471 brand=geforcertx,driver>=470,driver<471 brand=tesla,driver>=525,driver<526 brand=geforce,driver>=525,driver<526 "
    "brand=geforcertx,driver>=525,driver<526 brand=tesla,driver>=535,driver<536 brand=geforce,driver>=535,driver<536 brand=geforcertx,driver>=535,driver<536"
)
ADA, TURING, VOLTA, PASCAL = (
    ("NVIDIA GeForce RTX 4090", "8.9"),
    ("NVIDIA GeForce RTX 2080 Ti", "7.5"),
    ("Tesla V100-SXM2-32GB", "7.0"),
    ("Tesla P100-PCIE-16GB", "6.0"),
)
AMPERE, HOPPER, BLACKWELL, GB200 = (
    ("NVIDIA A100-SXM4-80GB", "8.0"),
    ("NVIDIA H100 80GB HBM3", "9.0"),
    ("NVIDIA GeForce RTX 5090", "12.0"),
    ("NVIDIA GB200", "10.0"),
)
TORCH_118 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_37 sm_90"
TORCH_124 = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
TORCH_128 = "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120"
IMAGES = {
    "cuda 11.8": image("cuda 11.8", CUDA_VERSION="11.8.0"),
    "cuda 12.4": image("cuda 12.4", CUDA_VERSION="12.4.1", NVIDIA_REQUIRE_CUDA=REQUIRE_124),
    "cuda 12.4, unchecked": image("cuda 12.4, unchecked", CUDA_VERSION="12.4.1", NVIDIA_REQUIRE_CUDA=REQUIRE_124, NVIDIA_DISABLE_REQUIRE="true"),
    "cuda 12.8": image("cuda 12.8", CUDA_VERSION="12.8.0"),
    "cuda 13.0": image("cuda 13.0", CUDA_VERSION="13.0.0"),
    "cuda 10.2": image("cuda 10.2", CUDA_VERSION="10.2"),
    "torch 2.5 cu118": image("torch 2.5 cu118", {"gpulab.sm": TORCH_118}, CUDA_VERSION="11.8.0"),
    "torch 2.5 cu124": image("torch 2.5 cu124", {"gpulab.cuda": "12.4", "gpulab.sm": TORCH_124}),
    "torch 2.8 cu128": image("torch 2.8 cu128", {"gpulab.cuda": "12.8", "gpulab.sm": TORCH_128}),
    "ngc 24.03": image(
        "ngc 24.03", CUDA_VERSION="12.4.0.41", TORCH_CUDA_ARCH_LIST="5.2 6.0 6.1 7.0 7.2 7.5 8.0 8.6 8.7 9.0+PTX", _CUDA_COMPAT_PATH="/usr/local/cuda/compat"
    ),
    "own, for 4090": image("own, for 4090", {"gpulab.cuda": "12.4", "gpulab.sm": "sm_89"}),
    "own, PTX": image("own, PTX", {"gpulab.cuda": "12.4", "gpulab.sm": "compute_80"}),
    "own, sm_90a": image("own, sm_90a", {"gpulab.cuda": "12.4", "gpulab.sm": "sm_90a"}),
    "own, wants 550": image("own, wants 550", {"gpulab.cuda": "12.1", "gpulab.driver": "550", "gpulab.sm": "sm_89"}),
    "says nothing": image("says nothing"),
    "arm": image("arm", architecture="arm64", CUDA_VERSION="12.8.0"),
}
NODES = {
    "4090, 525": node("gpu1", "525.60.13", ADA),
    "4090, 535": node("gpu1", "535.54.03", ADA),
    "4090, 550": node("gpu1", "550.54.14", ADA),
    "4090, 580": node("gpu1", "580.65.06", ADA),
    "4090, 470": node("gpu1", "470.42.01", ADA),
    "2080 Ti, 535": node("gpu2", "535.54.03", TURING),
    "V100, 580": node("gpu3", "580.65.06", VOLTA),
    "P100, 470": node("gpu3", "470.42.01", PASCAL),
    "A100, 525": node("gpu4", "525.60.13", AMPERE),
    "A100, 470": node("gpu4", "470.42.01", AMPERE),
    "H100, 550": node("gpu5", "550.54.14", HOPPER),
    "5090, 575": node("gpu6", "575.51.03", BLACKWELL),
    "GB200, 570": node("gpu7", "570.26", GB200, machine="aarch64"),
    "4090 and 2080 Ti, 550": node("gpu8", "550.54.14", ADA, TURING),
    "no GPU": node("mgmt1", ""),
}
CASES: list[tuple[str, str, bool | None, str, str]] = [
    ("cuda 11.8", "4090, 525", True, "libraries have code", "support"),
    ("cuda 11.8", "4090, 470", True, "libraries have code", "support"),  # minor version compatibility from 450
    ("cuda 11.8", "5090, 575", False, "no code for NVIDIA GeForce RTX 5090 (sm_120): CUDA 12.8", "support"),
    ("cuda 11.8", "P100, 470", True, "libraries have code", "support"),
    ("cuda 10.2", "4090, 550", False, "no code for NVIDIA GeForce RTX 4090 (sm_89): CUDA 11.0", "support"),
    ("cuda 12.4", "4090, 550", True, "libraries have code", "support"),
    ("cuda 12.4", "4090, 535", True, "libraries have code", "support"),
    (
        "cuda 12.4",
        "4090, 470",
        False,
        "needs driver 525.60.13 or newer, and gpu1 has 470.42.01: install a newer driver, or use an image with CUDA 11.8",
        "minor",
    ),
    ("cuda 12.4", "P100, 470", False, "needs driver 525.60.13", "minor"),
    ("cuda 12.4", "5090, 575", False, "no code for NVIDIA GeForce RTX 5090", "support"),
    ("cuda 12.4", "no GPU", False, "has none that its driver knows", "toolkit"),
    ("cuda 12.4, unchecked", "4090, 525", True, "libraries have code", "support"),
    ("cuda 12.8", "4090, 525", True, "libraries have code", "support"),
    ("cuda 12.8", "5090, 575", True, "libraries have code", "support"),
    ("cuda 12.8", "GB200, 570", False, "is made for amd64 processors, and gpu7 has arm64", "processor"),
    ("arm", "GB200, 570", True, "libraries have code", "support"),
    ("arm", "4090, 580", False, "is made for arm64 processors, and gpu1 has amd64", "processor"),
    ("cuda 13.0", "4090, 550", False, "needs driver 580.65.06", "minor"),
    ("cuda 13.0", "4090, 580", True, "libraries have code", "support"),
    ("cuda 13.0", "V100, 580", False, "no code for Tesla V100-SXM2-32GB (sm_70) any more: use CUDA older than 13.0", "support"),
    ("torch 2.5 cu118", "4090, 470", True, "has code for NVIDIA GeForce RTX 4090", "binary"),  # sm_86 runs on 8.9
    ("torch 2.5 cu118", "H100, 550", True, "has code for", "binary"),
    ("torch 2.5 cu118", "GB200, 570", False, "is made for amd64", "processor"),
    ("torch 2.5 cu124", "4090, 525", True, "has code for", "binary"),
    ("torch 2.5 cu124", "5090, 575", False, "none for NVIDIA GeForce RTX 5090 (sm_120): build it for sm_120", "binary"),
    ("torch 2.8 cu128", "V100, 580", False, "none for Tesla V100-SXM2-32GB (sm_70)", "binary"),
    ("torch 2.8 cu128", "5090, 575", True, "has code for", "binary"),
    ("torch 2.8 cu128", "4090, 470", False, "needs driver 525.60.13", "minor"),
    ("torch 2.8 cu128", "2080 Ti, 535", True, "has code for", "binary"),
    ("ngc 24.03", "A100, 470", True, "has code for", "binary"),  # its libraries take the place of the driver's
    ("ngc 24.03", "4090, 470", False, "its compatibility libraries serve data-centre GPUs only", "forward"),
    ("ngc 24.03", "4090, 550", True, "has code for", "binary"),
    ("ngc 24.03", "5090, 575", True, "has PTX from which the driver makes code", "binary"),
    ("own, for 4090", "4090, 535", True, "has code for", "binary"),
    ("own, for 4090", "A100, 525", False, "none for NVIDIA A100-SXM4-80GB (sm_80)", "binary"),
    ("own, for 4090", "4090 and 2080 Ti, 550", False, "none for NVIDIA GeForce RTX 2080 Ti (sm_75)", "binary"),
    ("own, PTX", "4090, 550", True, "its first start is slow", "binary"),
    ("own, PTX", "4090, 535", False, "has only PTX for NVIDIA GeForce RTX 4090 (sm_89), which takes driver 550.54.14", "minor"),
    ("own, PTX", "2080 Ti, 535", False, "none for NVIDIA GeForce RTX 2080 Ti", "binary"),
    ("own, sm_90a", "H100, 550", True, "has code for", "binary"),
    ("own, sm_90a", "4090, 550", False, "none for NVIDIA GeForce RTX 4090", "binary"),
    ("own, wants 550", "4090, 535", False, "asks for driver 550 or newer, and gpu1 has 535.54.03", "declared"),
    ("own, wants 550", "4090, 550", True, "has code for", "binary"),
    ("says nothing", "4090, 550", None, "does not tell which CUDA it has: label it gpulab.cuda", "declared"),
]


@pytest.mark.parametrize(("what", "where", "runs", "why", "source"), CASES, ids=[f"{what} on {where}" for what, where, *_rest in CASES])
def test_which_image_runs_where_and_why_not(what: str, where: str, runs: bool | None, why: str, source: str) -> None:
    verdict = judge(IMAGES[what], NODES[where])
    assert (verdict.runs, verdict.source) == (runs, SOURCES[source]) and why in verdict.why, verdict
    assert verdict.why.endswith(".") and "\n" not in verdict.why


def test_there_are_enough_pairs_and_each_rule_has_one() -> None:
    assert len(CASES) >= 30
    assert {source for *_rest, source in CASES} | {"require"} == set(SOURCES)


def test_what_the_image_tells_the_runtime_is_kept() -> None:
    picky = image("picky", CUDA_VERSION="12.4.1", NVIDIA_REQUIRE_CUDA="cuda>=12.4")
    verdict = judge(picky, NODES["4090, 535"])
    assert verdict.runs is False and verdict.source == SOURCES["require"] and "cuda>=12.4 is expected, driver 535.54.03 found" in verdict.why


@pytest.mark.parametrize(
    ("expression", "driver", "gpu", "holds"),
    [
        ("cuda>=12.4", (550, 54, 14), ADA, True),
        ("cuda>=12.4", (535, 54, 3), ADA, False),
        ("cuda>=12.4 brand=geforce,driver>=535,driver<536", (535, 54, 3), ADA, True),
        ("cuda>=12.4 brand=tesla,driver>=535,driver<536", (535, 54, 3), ADA, False),
        ("cuda>=12.4 brand=tesla,driver>=535,driver<536", (535, 54, 3), AMPERE, True),
        ("brand!=tesla", (535, 54, 3), ADA, True),
        ("arch>=8.0", (535, 54, 3), ADA, True),
        ("arch>=9.0", (535, 54, 3), ADA, False),
        ("arch=8.9", (535, 54, 3), ADA, True),
        ("driver=535", (535, 54, 3), ADA, True),
        ("moon>=full", (535, 54, 3), ADA, False),
        ("driver>=latest", (535, 54, 3), ADA, False),
        ("nonsense", (535, 54, 3), ADA, False),
    ],
)
def test_requirements_are_read_as_the_container_runtime_reads_them(expression: str, driver: tuple[int, ...], gpu: tuple[str, str], holds: bool) -> None:
    assert required(expression, driver, gpu[0], tuple(int(part) for part in gpu[1].split("."))) is holds


def test_architectures_are_read_in_both_spellings() -> None:
    assert archs_of("x", "8.0;8.6+PTX") == ("sm_80", "sm_86", "compute_86") == archs_of("x", "sm_80, sm_86 compute_86")
    assert archs_of("x", "12.0a") == ("sm_120a",) and archs_of("x", "") == ()


@pytest.mark.parametrize(
    ("labels", "env", "said"),
    [
        ({"gpulab.cuda": "twelve"}, {}, "gpulab.cuda is expected to be a version as 12.4, but is 'twelve'"),
        ({"gpulab.sm": "ada"}, {}, "architectures are expected as sm_89, compute_90 or 8.9+PTX, but one is 'ada'"),
        ({"gpulab.driver": "new"}, {}, "gpulab.driver is expected to be a version"),
    ],
)
def test_a_wrong_label_is_told(labels: dict[str, str], env: dict[str, str], said: str) -> None:
    with pytest.raises(ImageError, match=said.replace("+", r"\+")):
        image("wrong", labels, **env)


@pytest.mark.parametrize("reading", [{}, {"gpus": None}, {"gpus": [{"name": "x"}]}, {"gpus": [], "driver_version": "new"}])
def test_what_is_no_reading_of_gpus_is_told(reading: dict[str, t.Any]) -> None:
    with pytest.raises(ImageError, match="node gpu1: what gpu_info returned is expected, but something else was given"):
        node_of("gpu1", reading)


def test_labels_come_before_what_a_base_image_says() -> None:
    own = image("own", {"gpulab.cuda": "12.6", "gpulab.framework": "own 3"}, CUDA_VERSION="12.4.1", PYTORCH_VERSION="2.5", PYTHON_VERSION="3.12")
    assert (own.cuda, own.framework, own.python) == ((12, 6), "own 3", "3.12")
    assert image("base", PYTORCH_VERSION="2.5.1").framework == "torch 2.5.1"
    assert set(LABELS) == {f"gpulab.{name}" for name in ("cuda", "driver", "sm", "framework", "python", "job")}


@given(st.sampled_from(sorted(DRIVERS)), st.sampled_from(sorted(DRIVERS.values())), st.sampled_from(sorted(DRIVERS.values())), st.sampled_from(sorted(KNOWN)))
def test_a_newer_driver_never_takes_an_image_away(cuda: tuple[int, ...], one: tuple[int, ...], other: tuple[int, ...], capability: tuple[int, ...]) -> None:
    old, new = sorted((one, other))
    subject = image("x", CUDA_VERSION=".".join(map(str, cuda)))
    gpu = ("NVIDIA GPU", ".".join(map(str, capability)))
    before, after = (judge(subject, node("n", ".".join(map(str, driver)), gpu)).runs for driver in (old, new))
    assert after or not before


def test_tables_agree_with_themselves() -> None:
    assert list(DRIVERS.values()) == sorted(DRIVERS.values()), "a newer toolkit comes with a newer driver"
    for major, floor in FLOORS.items():
        assert floor <= DRIVERS[max(each for each in DRIVERS if each[0] == major)]


def test_the_page_is_what_is_judged_by() -> None:
    path = pathlib.Path(__file__).resolve().parents[5] / "docs" / "gpu-images.md"
    assert path.read_text(encoding="utf-8") == page()
    assert all(source in page() for name, source in SOURCES.items() if name != "declared")
