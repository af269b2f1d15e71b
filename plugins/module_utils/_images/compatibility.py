# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an image runs on a node's GPUs, and why not. Pure: no I/O.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Each rule names the page that it rests on; docs/gpu-images.md shows them.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._phrases import Phrase
from .image import LABELS, Image, ImageError, version

Version = t.Tuple[int, ...]

SOURCES = {
    "toolkit": "https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (CUDA Toolkit and Corresponding Driver Versions)",
    "minor": "https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html",
    "forward": "https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html",
    "binary": "https://docs.nvidia.com/cuda/cuda-c-programming-guide/ (Binary Compatibility, PTX Compatibility)",
    "support": "https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/ (new and dropped architectures)",
    "require": "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html (Constraints)",
    "processor": "https://github.com/opencontainers/image-spec/blob/main/config.md (architecture)",
    "declared": "label of the image",
}
# The driver that came with a toolkit, and so knows all of it.
DRIVERS: t.Dict[Version, Version] = {
    (10, 0): (410, 48),
    (10, 1): (418, 39),
    (10, 2): (440, 33),
    (11, 0): (450, 51, 5),
    (11, 1): (455, 23),
    (11, 2): (460, 27, 3),
    (11, 3): (465, 19, 1),
    (11, 4): (470, 42, 1),
    (11, 5): (495, 29, 5),
    (11, 6): (510, 39, 1),
    (11, 7): (515, 43, 4),
    (11, 8): (520, 61, 5),
    (12, 0): (525, 60, 13),
    (12, 1): (530, 30, 2),
    (12, 2): (535, 54, 3),
    (12, 3): (545, 23, 6),
    (12, 4): (550, 54, 14),
    (12, 5): (555, 42, 2),
    (12, 6): (560, 28, 3),
    (12, 8): (570, 26),
    (12, 9): (575, 51, 3),
    (13, 0): (580, 65, 6),
}
# The driver with which all toolkits of one major version run, if what they run was compiled for the GPU.
FLOORS: t.Dict[int, Version] = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
# The first toolkit that knows a GPU, by compute capability, and the first that knows it no more.
KNOWN: t.Dict[Version, t.Tuple[Version, Version]] = {
    (5, 2): ((6, 5), (13, 0)),
    (6, 0): ((8, 0), (13, 0)),
    (6, 1): ((8, 0), (13, 0)),
    (7, 0): ((9, 0), (13, 0)),
    (7, 5): ((10, 0), (99, 0)),
    (8, 0): ((11, 0), (99, 0)),
    (8, 6): ((11, 1), (99, 0)),
    (8, 9): ((11, 8), (99, 0)),
    (9, 0): ((11, 8), (99, 0)),
    (10, 0): ((12, 8), (99, 0)),
    (10, 3): ((12, 9), (99, 0)),
    (12, 0): ((12, 8), (99, 0)),
    (12, 1): ((12, 9), (99, 0)),
}
# Why an image does not run, or why it cannot be told; the name of the image stands before it.
_PROCESSOR = Phrase(
    "is made for {made} processors, and {node} has {has}: build it for that, too.", "是为 {made} 处理器构建的，而 {node} 为 {has}：请为其另行构建。"
)
_NO_CUDA = Phrase(
    "does not tell which CUDA it has: label it gpulab.cuda, or build it from an image that says CUDA_VERSION.",
    "未说明所含 CUDA：请加标签 gpulab.cuda，或基于带 CUDA_VERSION 的镜像构建。",
)
_NO_GPU = Phrase("needs a GPU, and {node} has none that its driver knows: choose another node.", "需要 GPU，而 {node} 没有驱动可识别的 GPU：请换用其他节点。")
_DRIVER = Phrase("asks for driver {least} or newer, and {node} has {has}: {way}", "要求驱动 {least} 或更新，而 {node} 为 {has}：{way}")
_REQUIRES = Phrase(
    "tells the container runtime to refuse this node ({least} is expected, driver {has} found): {way}",
    "要求容器运行时拒绝该节点（需要 {least}，驱动为 {has}）：{way}",
)
_OLD_DRIVER_THOUGH_COMPAT = Phrase(
    "has CUDA {cuda}, which needs driver {least} or newer, and {node} has {has} (its compatibility libraries serve data-centre GPUs only): {way}",
    "含 CUDA {cuda}，需要驱动 {least} 或更新，而 {node} 为 {has}（其兼容库仅适用于数据中心 GPU）：{way}",
)
_OLD_DRIVER = Phrase(
    "has CUDA {cuda}, which needs driver {least} or newer, and {node} has {has}: {way}",
    "含 CUDA {cuda}，需要驱动 {least} 或更新，而 {node} 为 {has}：{way}",
)
_ONLY_PTX = Phrase(
    "has only PTX for {gpu} ({sm}), which takes driver {least} or newer, and {node} has {has}: build it for {sm}.",
    "对 {gpu}（{sm}）仅含 PTX，需要驱动 {least} 或更新，而 {node} 为 {has}：请为 {sm} 构建。",
)
_OTHER_CODE = Phrase(
    "has code for {archs}, and none for {gpu} ({sm}): build it for {sm}, or choose another node.",
    "含 {archs} 的代码，但没有 {gpu}（{sm}）的：请为 {sm} 构建，或换用其他节点。",
)
_NO_SM = Phrase(
    "does not tell for which GPUs it has code: label it gpulab.sm, so that it can be told for {gpu} ({sm}).",
    "未说明含哪些 GPU 的代码：请加标签 gpulab.sm，以便判断 {gpu}（{sm}）。",
)
_TOO_OLD = Phrase(
    "has CUDA {cuda}, whose libraries have no code for {gpu} ({sm}): CUDA {first} or newer is the first that has.",
    "含 CUDA {cuda}，其库没有 {gpu}（{sm}）的代码：CUDA {first} 起才有。",
)
_TOO_NEW = Phrase(
    "has CUDA {cuda}, whose libraries have no code for {gpu} ({sm}) any more: use CUDA older than {gone}.",
    "含 CUDA {cuda}，其库不再含 {gpu}（{sm}）的代码：请使用早于 {gone} 的 CUDA。",
)
_NEWER_OR_OLDER = Phrase("install a newer driver, or use an image with CUDA {cuda}.", "请安装更新的驱动，或改用 CUDA {cuda} 的镜像。")
_NEWER = Phrase("install a newer driver.", "请安装更新的驱动。")
PHRASES = (
    _PROCESSOR, _NO_CUDA, _NO_GPU, _DRIVER, _REQUIRES, _OLD_DRIVER_THOUGH_COMPAT, _OLD_DRIVER,
    _ONLY_PTX, _OTHER_CODE, _NO_SM, _TOO_OLD, _TOO_NEW, _NEWER_OR_OLDER, _NEWER,
)  # fmt: skip

_DATA_CENTRE = re.compile(r"\b(Tesla|[PVATHBL]\d{1,3}S?X?|GH\d+|GB\d+|L40S?)\b")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclasses.dataclass(frozen=True)
class Node:
    """C(gpus) are names and compute capabilities, each kind once; C(driver) () when there is none."""

    name: str
    driver: Version
    gpus: t.Tuple[t.Tuple[str, Version], ...]
    machine: str = ""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """C(runs) is None when the image does not tell enough. C(why) is a sentence, C(source) the page that it rests on."""

    runs: bool | None
    why: str
    source: str


def node_of(name: str, reading: t.Mapping[str, t.Any]) -> Node:
    """From what gpu_info returned; ImageError when it is from something else."""
    try:
        driver = version(reading.get("driver_version") or "")
        gpus = {
            (str(gpu["name"]), version(gpu["compute_capability"]))
            for gpu in reading["gpus"]
            if gpu["state"] == "ok" and gpu.get("name") and re.fullmatch(r"\d+\.\d+", gpu.get("compute_capability") or "")
        }
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ImageError(f"node {name}: what gpu_info returned is expected, but something else was given ({exc!r}): register its result.") from exc
    return Node(name, driver, tuple(sorted(gpus)), str(reading.get("machine") or ""))


def judge(image: Image, node: Node) -> Verdict:
    """The first reason that it does not run; or else that it does, or that it cannot be told."""
    if image.architecture and node.machine and image.architecture != _MACHINES.get(node.machine, node.machine):
        why = _PROCESSOR(made=image.architecture, node=node.name, has=_MACHINES.get(node.machine, node.machine))
        return Verdict(False, why, SOURCES["processor"])
    if not image.cuda and not image.archs and not image.driver and not image.requires:
        return Verdict(None, _NO_CUDA(), SOURCES["declared"])
    if not node.gpus:
        return Verdict(False, _NO_GPU(node=node.name), SOURCES["toolkit"])
    verdicts = [_judge(image, node, name, capability) for name, capability in node.gpus]
    # a node of several kinds is as good as the worst for it
    return min(verdicts, key=lambda verdict: {False: 0, None: 1, True: 2}[verdict.runs])


def _judge(image: Image, node: Node, gpu: str, capability: Version) -> Verdict:
    if image.driver and node.driver < image.driver:
        why = _DRIVER(least=_text(image.driver), node=node.name, has=_text(node.driver), way=_newer(image))
        return Verdict(False, why, SOURCES["declared"])
    if image.requires and not required(image.requires, node.driver, gpu, capability):
        why = _REQUIRES(least=image.requires.split()[0], has=_text(node.driver), way=_newer(image))
        return Verdict(False, why, SOURCES["require"])
    whole = image.cuda is None or node.driver >= driver_of(image.cuda)
    if image.cuda is not None and not whole:
        forward = image.compat and bool(_DATA_CENTRE.search(gpu))
        floor = FLOORS.get(image.cuda[0])
        if forward:
            whole = True  # its own libraries take the place of the driver's
        elif floor is None or node.driver < floor:
            least = _text(floor or driver_of(image.cuda))
            say = _OLD_DRIVER_THOUGH_COMPAT if image.compat else _OLD_DRIVER
            why = say(cuda=_text(image.cuda[:2]), least=least, node=node.name, has=_text(node.driver), way=_newer(image))
            return Verdict(False, why, SOURCES["forward" if image.compat else "minor" if floor else "toolkit"])
    return _code(image, node, gpu, capability, whole)


def _code(image: Image, node: Node, gpu: str, capability: Version, whole: bool) -> Verdict:
    """Whether there is code for the GPU: compiled for it, or made for it by the driver from PTX, which a driver of an older CUDA cannot read."""
    has = f"sm_{capability[0]}{capability[1]}"
    if image.archs:
        if any(_binary(arch, capability) for arch in image.archs):
            return Verdict(True, f"has code for {gpu} ({has}).", SOURCES["binary"])
        if any(_ptx(arch, capability) for arch in image.archs):
            if whole:
                return Verdict(True, f"has PTX from which the driver makes code for {gpu} ({has}); its first start is slow.", SOURCES["binary"])
            least = _text(driver_of(image.cuda or ()))
            why = _ONLY_PTX(gpu=gpu, sm=has, least=least, node=node.name, has=_text(node.driver))
            return Verdict(False, why, SOURCES["minor"])
        return Verdict(False, _OTHER_CODE(archs=", ".join(image.archs), gpu=gpu, sm=has), SOURCES["binary"])
    if image.cuda is None:
        return Verdict(None, _NO_SM(gpu=gpu, sm=has), SOURCES["declared"])
    first, gone = _known(capability)
    if image.cuda[:2] < first:
        why = _TOO_OLD(cuda=_text(image.cuda[:2]), gpu=gpu, sm=has, first=_text(first))
        return Verdict(False, why, SOURCES["support"])
    if image.cuda[:2] >= gone:
        why = _TOO_NEW(cuda=_text(image.cuda[:2]), gpu=gpu, sm=has, gone=_text(gone))
        return Verdict(False, why, SOURCES["support"])
    return Verdict(
        True, f"has CUDA {_text(image.cuda[:2])}, whose libraries have code for {gpu} ({has}); of its own code it tells nothing.", SOURCES["support"]
    )


def driver_of(cuda: Version) -> Version:
    """The driver that came with C(cuda); of one that is not in the table, that of the next one, or an impossible one."""
    return next((DRIVERS[each] for each in sorted(DRIVERS) if each >= cuda[:2]), (9999,))


def _known(capability: Version) -> t.Tuple[Version, Version]:
    """Of the newest GPU of the same major version that runs the same code; a major version that nobody knows is known by no toolkit."""
    same = [each for each in KNOWN if each[0] == capability[0] and each <= capability]
    if not same:
        return (99, 0), (99, 0)
    return min(KNOWN[each][0] for each in same), max(KNOWN[each][1] for each in same)


def _binary(arch: str, capability: Version) -> bool:
    found = re.fullmatch(r"sm_(\d+)(\d)([af]?)", arch)
    if not found:
        return False
    own = (int(found[1]), int(found[2]))
    return own == capability if found[3] == "a" else own[0] == capability[0] and own <= capability


def _ptx(arch: str, capability: Version) -> bool:
    found = re.fullmatch(r"compute_(\d+)(\d)([af]?)", arch)
    if not found:
        return False
    own = (int(found[1]), int(found[2]))
    return own == capability if found[3] == "a" else own[0] == capability[0] and own <= capability if found[3] == "f" else own <= capability


def required(expression: str, driver: Version, gpu: str, capability: Version) -> bool:
    """NVIDIA_REQUIRE_CUDA: words of which one must hold, each of conditions that must all hold, as C(cuda>=12.4 brand=tesla,driver>=470,driver<471).

    C(cuda) is the newest that the driver knows whole; C(arch) is the GPU's compute capability.
    """
    newest = max((each for each, least in DRIVERS.items() if driver >= least), default=(0,))
    values = {"cuda": newest, "driver": driver, "arch": capability}
    return any(all(_holds(condition, values, gpu) for condition in word.split(",")) for word in expression.split())


def _holds(condition: str, values: t.Mapping[str, Version], gpu: str) -> bool:
    found = re.fullmatch(r"(\w+)(>=|<=|!=|=|<|>)([\w.]+)", condition)
    if not found:
        return False
    name, operator, text = found.groups()
    if name == "brand":
        return (text in _brands(gpu)) == (operator == "=")
    if name not in values or not re.fullmatch(r"[\d.]+", text):
        return False
    wanted = version(text)
    have = values[name][: len(wanted)] if operator in ("=", "!=") else values[name]
    return {
        ">=": have >= wanted,
        "<=": have <= wanted,
        "<": have < wanted,
        ">": have > wanted,
        "=": have == wanted,
        "!=": have != wanted,
    }[operator]


def _brands(gpu: str) -> t.Set[str]:
    if "GeForce" in gpu:
        return {"geforce", "geforcertx"}
    if "TITAN" in gpu:
        return {"titan", "titanrtx"}
    if "Quadro" in gpu:
        return {"quadro", "quadrortx"}
    if _DATA_CENTRE.search(gpu):
        return {"tesla", "nvidia"}
    return {"nvidia", "nvidiartx", "unknown"}


def _newer(image: Image) -> str:
    older = max((each for each in DRIVERS if image.cuda and each < image.cuda[:2] and each[0] < image.cuda[0]), default=None)
    return _NEWER_OR_OLDER(cuda=_text(older)) if older else _NEWER()


def _text(numbers: Version | None) -> str:
    """A driver as NVIDIA writes it: 535.54.03; a CUDA as 12.4."""
    if not numbers:
        return "none"
    return ".".join([str(numbers[0]), *(f"{each:02}" if len(numbers) > 2 or numbers[0] > 100 else str(each) for each in numbers[1:])])


def page() -> str:
    """docs/gpu-images.md: the labels, and the rules with what they rest on."""
    rules = [
        ("An image for other processors does not run.", "processor"),
        ("What `NVIDIA_REQUIRE_CUDA` asks for is refused by the container runtime when it is not met, unless `NVIDIA_DISABLE_REQUIRE` is set.", "require"),
        ("A toolkit runs with the driver that came with it, and with newer ones.", "toolkit"),
        ("It runs with an older driver, too, from the first one of its major version on, but code is then not made from PTX.", "minor"),
        ("Compatibility libraries in an image lift that for data-centre GPUs; on GeForce they do nothing.", "forward"),
        ("Code for `sm_XY` runs on GPUs of the same major version and the same or a newer minor one; `sm_90a` on 9.0 alone.", "binary"),
        ("From `compute_XY` (PTX) the driver makes code for any newer GPU.", "binary"),
        ("Of an image that does not tell its code, the libraries of its toolkit are judged: which GPUs they know, and know no more.", "support"),
    ]
    return "\n".join(
        [
            "# Which image runs on which GPU",
            "",
            "Made of `plugins/module_utils/_images`; a test holds this page against it. `gpu_image_check` judges by it.",
            "",
            "## Labels",
            "",
            "What a build writes into its image (`LABEL` of a Dockerfile). What is missing is taken from the environment that images of NVIDIA, and of",
            "frameworks, have: `CUDA_VERSION`, `NVIDIA_REQUIRE_CUDA`, `TORCH_CUDA_ARCH_LIST`, `PYTORCH_VERSION`, `PYTHON_VERSION`.",
            "",
            "| label | what it says |",
            "|---|---|",
            *(f"| `{name}` | {text} |" for name, text in LABELS.items()),
            "| `org.opencontainers.image.base.digest` | the image that it was built from |",
            "",
            "## Rules",
            "",
            "| rule | source |",
            "|---|---|",
            *(f"| {text} | {SOURCES[source]} |" for text, source in rules),
            "",
            "## Drivers",
            "",
            "| CUDA | driver that came with it | oldest driver with which it runs |",
            "|---|---|---|",
            *(f"| {_text(cuda)} | {_text(driver)} | {_text(min(driver, FLOORS.get(cuda[0], driver)))} |" for cuda, driver in DRIVERS.items()),
            "",
            "## GPUs",
            "",
            "| compute capability | first CUDA that knows it | first that knows it no more |",
            "|---|---|---|",
            *(f"| {_text(each)} | {_text(first)} | {'' if gone[0] == 99 else _text(gone)} |" for each, (first, gone) in KNOWN.items()),
            "",
        ]
    )
