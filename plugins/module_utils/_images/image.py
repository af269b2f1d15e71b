# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image says of the GPUs that it is for. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.

An image is told by its OCI configuration, https://github.com/opencontainers/image-spec/blob/main/config.md. Labels of ours come first, then what the
images of NVIDIA and of frameworks have in their environment.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

Tree = t.Mapping[str, t.Any]

# The label scheme: what a build writes, and why.
LABELS = {
    "gpulab.cuda": "version of the CUDA toolkit, as 12.4",
    "gpulab.driver": "least version of the driver, where the toolkit alone does not say it",
    "gpulab.sm": "architectures with code, as sm_80 sm_89 compute_90",
    "gpulab.framework": "framework and version, as torch 2.6.0",
    "gpulab.python": "version of Python",
    "gpulab.job": "the job that built it",
}
_FRAMEWORKS = (("PYTORCH_VERSION", "torch"), ("NVIDIA_PYTORCH_VERSION", "torch"), ("TENSORFLOW_VERSION", "tensorflow"), ("JAX_VERSION", "jax"))


@dataclasses.dataclass(frozen=True)
class Image:
    """None is what the image does not tell. C(archs) are sm_XY and compute_XY; C(requires) is what the container runtime is told to check."""

    name: str
    cuda: t.Tuple[int, ...] | None = None
    driver: t.Tuple[int, ...] | None = None
    archs: t.Tuple[str, ...] = ()
    requires: str = ""
    compat: bool = False  # brings libraries that let a data-centre GPU run a newer CUDA than its driver's
    architecture: str = ""  # of the processor
    framework: str = ""
    python: str = ""


class ImageError(Exception):
    """The image says something that cannot be; a sentence for the admin."""


def version(text: str) -> tuple[int, ...]:
    """(12, 4, 1) of C(12.4.1); () of nothing. ValueError otherwise."""
    return tuple(int(part) for part in text.strip().split(".")) if text.strip() else ()


def image_of(name: str, config: Tree) -> Image:
    """From the configuration of an image, or ImageError."""
    inner = config.get("config") or {}
    labels: Tree = inner.get("Labels") or {}
    env = dict(entry.partition("=")[::2] for entry in inner.get("Env") or ())

    def told(label: str, *variables: str) -> str:
        return str(labels.get(label) or next((env[each] for each in variables if env.get(each)), ""))

    def numbers(label: str, *variables: str) -> t.Tuple[int, ...] | None:
        text = told(label, *variables)
        try:
            return version(text) or None
        except ValueError as exc:
            raise ImageError(f"image {name}: {label} is expected to be a version as 12.4, but is {text!r}: correct the label or the build.") from exc

    framework = str(labels.get("gpulab.framework") or next((f"{word} {env[key]}" for key, word in _FRAMEWORKS if env.get(key)), ""))
    return Image(
        name=name,
        cuda=numbers("gpulab.cuda", "CUDA_VERSION"),
        driver=numbers("gpulab.driver"),
        archs=archs_of(name, told("gpulab.sm", "TORCH_CUDA_ARCH_LIST")),
        requires="" if env.get("NVIDIA_DISABLE_REQUIRE", "").lower() in ("1", "true") else env.get("NVIDIA_REQUIRE_CUDA", ""),
        compat=bool(env.get("_CUDA_COMPAT_PATH") or env.get("NV_CUDA_COMPAT_PACKAGE")),
        architecture=str(config.get("architecture") or ""),
        framework=framework,
        python=told("gpulab.python", "PYTHON_VERSION"),
    )


def archs_of(name: str, text: str) -> tuple[str, ...]:
    """sm_80, sm_89, compute_90 of C(sm_80 sm_89 compute_90), as torch.cuda.get_arch_list tells, or of C(8.0;8.9;9.0+PTX), as builds of torch are told."""
    found: list[str] = []
    for word in re.split(r"[\s;,]+", text.strip()):
        plain = re.fullmatch(r"(sm|compute)_(\d+)([af]?)", word)
        dotted = re.fullmatch(r"(\d+)\.(\d)([af]?)(\+PTX)?", word)
        if plain:
            found.append(word)
        elif dotted:
            found.append(f"sm_{dotted[1]}{dotted[2]}{dotted[3]}")
            found += [f"compute_{dotted[1]}{dotted[2]}"] if dotted[4] else []
        elif word:
            raise ImageError(f"image {name}: architectures are expected as sm_89, compute_90 or 8.9+PTX, but one is {word!r}: correct the label or the build.")
    return tuple(found)
