# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What timers do on the host of the registry."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images.programs import maintenance
from ansible_collections.gpulab.expansion.plugins.module_utils._images.programs.maintenance import collect, verify
from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import IMAGES, INDEXES, Manifest, RegistryError, digest_of, path_of
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
        said.append(argv[0] if argv[0] != "systemctl" else f"{argv[1]} {argv[-1]}")
        if fails and argv[0] == "collect":
            raise OSError("no room")

    config = {"storage": str(tmp_path), "unit": "registry", "serve_read_only": ["serve"], "collect": ["collect"]}

    def popen(argv: list[str]) -> Reading:
        said.append(argv[0])
        return Reading(said)

    if fails:
        with pytest.raises(OSError, match="no room"):
            collect(config, run, popen)
    else:
        assert collect(config, run, popen)["collected"] > 0
    assert said == ["stop registry", "serve", "collect", "no longer served"]


@pytest.mark.parametrize("storage", ["directory", "bucket"])
def test_space_that_is_given_back_is_that_of_the_registry_whatever_the_disk_does_meanwhile(tmp_path: t.Any, storage: str) -> None:
    own, others = tmp_path / "registry" / "blobs", tmp_path / "others"
    own.mkdir(parents=True)
    others.mkdir()
    (own / "kept").write_bytes(b"k" * 300_000)
    (own / "gone").write_bytes(b"g" * 8_000_000)
    os.link(own / "kept", own / "kept-twice")
    os.sync()

    def run(argv: list[str], **_more: t.Any) -> None:
        if argv[0] == "collect":
            (own / "gone").unlink()
            (others / "beside").write_bytes(b"b" * 12_000_000)
            os.sync()

    config = {"storage": str(tmp_path / "registry") if storage == "directory" else "", "unit": "registry", "serve_read_only": ["serve"], "collect": ["collect"]}
    freed = collect(config, run, lambda _argv: Reading([]))["freed"]
    if storage == "bucket":
        assert freed is None, "nobody here can say what a bucket takes"
    else:
        assert freed is not None and 7_900_000 < freed < 8_200_000


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> t.Callable[..., tuple[list[str], str]]:
    """What a look says and writes of a registry."""
    monkeypatch.setattr(maintenance, "certificate_end", lambda _path: 1.0)

    def look(registry: Fake, **state: t.Any) -> tuple[list[str], str]:
        monkeypatch.setattr(maintenance, "Registry", lambda _access: registry)
        out = tmp_path / "out.prom"
        config = {"origin": {"url": "x"}, "directory": str(tmp_path), "certificate": "x", "textfile": str(out)}
        return maintenance.look(config, state), out.read_text()

    return look


def test_a_bucket_has_no_series_of_space(told: t.Callable[..., tuple[list[str], str]]) -> None:
    registry, _first = lab()
    assert "gpulab_harbor_collected_bytes 5.0" in told(registry, collected=1.0, freed=5.0)[1]
    text = told(registry, collected=1.0, freed=None)[1]
    assert "collected_timestamp_seconds 1.0" in text and "collected_bytes" not in text


class Odd(Fake):
    """Has names that it does not answer for."""

    def __init__(self, *odd: str) -> None:
        super().__init__()
        self.odd = odd

    def repositories(self) -> list[str]:
        return [*self.odd, *super().repositories()]

    def tags(self, repository: str) -> list[str]:
        path_of(repository, "tags", "list")
        return super().tags(repository)


BAD = ["-x", "--rsh=x", "lab/../../etc", "a b", "a\nb", "a'\"b", "%s{{ 7*7 }}", "lab::x", "a\udcff", "é", "x" * 255 + "/", "", "A", "."]


def test_a_name_that_is_none_stops_no_other(told: t.Callable[..., tuple[list[str], str]]) -> None:
    registry = Odd(*BAD)
    first = registry.push("lab/a", "1", b"config", b"layer")
    registry.push("lab/a", "2", b"config", b"other")
    del registry.blobs["lab/a", digest_of(b"other")]
    registry.manifests["lab/a", "sha256:bad"] = Manifest(b'{"layers": [{"size": 1}]}', IMAGES[0])
    registry.tags_of["lab/a"]["0-bad"] = "sha256:bad"
    _number, damaged = verify(t.cast("t.Any", registry))
    assert len(damaged) == len(BAD) + 2 and all("\n" not in line for line in damaged)
    assert "lab/a: manifest sha256:bad is damaged or gone" in damaged and first
    failed, text = told(registry)
    assert len(failed) == len(BAD) and "gpulab_harbor_tags 3.0" in text and "gpulab_harbor_up 0.0" in text


def test_of_a_registry_that_went_away_meanwhile_nothing_is_called_damaged() -> None:
    registry, _first = lab()
    registry.gone = True
    with pytest.raises(RegistryError, match="gone"):
        verify(t.cast("t.Any", registry))
