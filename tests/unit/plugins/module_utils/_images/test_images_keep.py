# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What timers do on the host of the registry."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images.keep import collect, verify
from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import INDEXES, Manifest, digest_of
from fake_registry import Fake


def lab() -> tuple[Fake, str]:
    """Two images that share a layer, and an index of one of them."""
    registry = Fake()
    first = registry.push("lab/a", "1", b"config1", b"base", b"own1")
    registry.push("lab/a", "2", b"config2", b"base", b"own2")
    index = Manifest(json.dumps({"manifests": [{"digest": first}]}).encode(), INDEXES[0])
    registry.manifests["lab/a", index.digest] = index
    registry.tags_of["lab/a"]["all"] = index.digest
    return registry, first


def test_all_is_read_once() -> None:
    registry, _first = lab()
    number, damaged = verify(t.cast("t.Any", registry))
    assert (number, damaged) == (3 + 5, []) and len(registry.given) == 5


@pytest.mark.parametrize("fault", ["changed", "gone"])
def test_a_damaged_layer_is_named(fault: str) -> None:
    registry, _first = lab()
    key = ("lab/a", digest_of(b"own2"))
    if fault == "gone":
        del registry.blobs[key]
    else:
        registry.blobs[key] = b"own3"
    assert verify(t.cast("t.Any", registry))[1] == [f"lab/a: layer {digest_of(b'own2')} is damaged or gone"]


def test_an_image_of_an_index_that_is_gone_is_named() -> None:
    registry, first = lab()
    del registry.manifests["lab/a", first]
    assert f"lab/a: manifest {first} is damaged or gone" in verify(t.cast("t.Any", registry))[1]


class Reading:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def terminate(self) -> None:
        self._said.append("no longer served")

    def wait(self, _seconds: float) -> None:
        pass


@pytest.mark.parametrize("fails", [False, True])
def test_images_can_be_pulled_while_space_is_given_back(tmp_path: t.Any, fails: bool) -> None:
    said: list[str] = []

    def run(argv: list[str], **_more: t.Any) -> None:
        said.append(argv[0] if argv[0] != "systemctl" else f"{argv[1]} {argv[2]}")
        if fails and argv[0] == "collect":
            raise OSError("no room")

    config = {"directory": str(tmp_path), "unit": "registry", "serve_read_only": ["serve"], "collect": ["collect"]}

    def popen(argv: list[str]) -> Reading:
        said.append(argv[0])
        return Reading(said)

    if fails:
        with pytest.raises(OSError, match="no room"):
            collect(config, run, popen)
    else:
        assert collect(config, run, popen)["collected"] > 0
    assert said == ["stop registry", "serve", "collect", "no longer served"]
