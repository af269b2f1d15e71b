# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is brought into a cache, from where, and when it is not."""

from __future__ import annotations

import json
import tempfile
import time
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images.programs import preheat
from ansible_collections.gpulab.expansion.plugins.module_utils._images.programs.preheat import Cache, Pace, open_now, patience
from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import INDEXES, REPOSITORY, Manifest, RegistryError, digest_of, path_of
from fake_registry import Fake
from hypothesis import given
from hypothesis import strategies as st


def cache(local: Fake, origin: Fake, above: Fake | None = None, wait: t.Callable[[float], None] | None = None, rate: float = 0.0) -> Cache:
    clock = [0.0]

    def pass_by(seconds: float) -> None:
        clock[0] += seconds
        if wait:
            wait(seconds)

    registries = [t.cast("t.Any", each) for each in (local, origin, above)]
    return Cache(*registries, rate, pass_by, lambda: clock[0])


def test_what_is_there_already_is_not_brought_again() -> None:
    local, origin = Fake(), Fake()
    first, second = origin.push("lab/a", "1", b"config1", b"base", b"own1"), origin.push("lab/a", "2", b"config2", b"base", b"own2")
    own = cache(local, origin)
    own.warm("lab/a:1", first)
    origin.given.clear()
    own.warm("lab/a:2", second)
    assert sorted(origin.given) == sorted([digest_of(b"config2"), digest_of(b"own2")])
    assert own.received == {"origin": len(b"config1baseown1config2own2"), "cache": 0}
    assert own.missing({"lab/a:1": first, "lab/a:2": second}) == []
    # by another name
    promoted = origin.push("lab/prod", "1", b"config1", b"base", b"own1")
    origin.given.clear()
    own.warm("lab/prod:1", promoted)
    assert origin.given == []


def test_a_cache_waits_for_the_one_above_it() -> None:
    local, origin, above = Fake(), Fake(), Fake()
    digest = origin.push("lab/a", "1", b"config", b"layer")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            above.push("lab/a", "1", b"config", b"layer")

    own = cache(local, origin, above, wait)
    own.warm("lab/a:1", digest)
    assert origin.given == [] and own.received == {"origin": 0, "cache": 11} and len(waited) == 3


@pytest.mark.parametrize("gone", [True, False])
def test_of_one_that_is_away_or_never_gets_it_the_registry_is_asked(gone: bool) -> None:
    local, origin, above = Fake(), Fake(), Fake()
    above.gone = gone
    waited: list[float] = []
    digest = origin.push("lab/a", "1", b"config", b"layer")
    own = cache(local, origin, above, waited.append)
    own.warm("lab/a:1", digest)
    assert own.received == {"origin": 11, "cache": 0}
    assert sum(waited) == 0 if gone else 2 * patience(0, 0) <= sum(waited) < 2 * patience(0, 0) + 4


def test_what_a_tag_no_longer_means_is_forgotten_and_what_shares_its_digest_comes_again() -> None:
    local, origin = Fake(), Fake()
    digest = origin.push("lab/a", "1", b"config", b"layer")
    origin.push("lab/a", "2", b"config", b"layer")
    own = cache(local, origin)
    own.warm("lab/a:1", digest)
    own.warm("lab/a:2", digest)
    del origin.tags_of["lab/a"]["2"]
    own.forget({"lab/a:1": digest})
    assert own.forgotten == 1 and local.tags("lab/a") == [] and own.missing({"lab/a:1": digest}) == ["lab/a:1"]
    origin.given.clear()
    own.warm("lab/a:1", digest)
    own.forget({"lab/a:1": digest})
    assert own.forgotten == 1 and origin.given == []


def test_an_index_of_indexes_comes_whole() -> None:
    local, origin = Fake(), Fake()
    children = [origin.push("lab/a", f"child{n}", b"config%d" % n, b"layer") for n in range(2)]
    inner = Manifest(json.dumps({"manifests": [{"digest": child} for child in children]}).encode(), INDEXES[0])
    outer = Manifest(json.dumps({"manifests": [{"digest": inner.digest}, {"digest": children[0]}]}).encode(), INDEXES[0])
    for index in (inner, outer):
        origin.manifests["lab/a", index.digest] = index
    cache(local, origin).warm("lab/a:1", outer.digest)
    assert {digest for _name, digest in local.manifests} == {outer.digest, inner.digest, *children}


def test_an_index_comes_with_its_images() -> None:
    local, origin = Fake(), Fake()
    children = [origin.push("lab/a", f"child{n}", b"config%d" % n, b"layer") for n in range(2)]
    index = Manifest(json.dumps({"manifests": [{"digest": child} for child in children]}).encode(), INDEXES[0])
    origin.manifests["lab/a", index.digest] = index
    cache(local, origin).warm("lab/a:1", index.digest)
    assert {digest for _name, digest in local.manifests} == {index.digest, *children}


def test_no_room_is_said_before_anything_is_brought() -> None:
    local, origin = Fake(), Fake()
    digest = origin.push("lab/a", "1", b"config", b"layer")
    with pytest.raises(RegistryError, match=r"are expected to be free for lab/a:1, but its disk would have less than 5% left"):
        cache(local, origin).warm("lab/a:1", digest, lambda: 10.0)
    assert origin.given == [] and not local.blobs


def test_hours() -> None:
    assert open_now("", 12) and open_now("20-7", 23.5) and open_now("20-7", 6.9) and not open_now("20-7", 7) and not open_now("20-7", 12)
    assert open_now("1-5", 1) and not open_now("1-5", 5)


def test_the_pace_is_kept_over_all_that_passes() -> None:
    clock, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    pace = Pace(1000.0, lambda: clock[0], sleep)
    for _block in range(10):
        pace.passed(500)
    assert sum(slept) == pytest.approx(5.0)
    fast = Pace(0.0, lambda: clock[0], sleep)
    fast.passed(10**9)
    assert sum(slept) == pytest.approx(5.0)


@pytest.mark.parametrize(("near", "slow"), [(False, True), (True, False)])
def test_the_line_to_the_registry_is_spared_and_that_to_a_cache_is_not(near: bool, slow: bool) -> None:
    local, origin, above = Fake(), Fake(), Fake()
    digest = origin.push("lab/a", "1", b"config", b"layer")
    if near:
        above.push("lab/a", "1", b"config", b"layer")
    begun = time.monotonic()
    cache(local, origin, above if near else None, rate=50.0 if slow else 0.5).warm("lab/a:1", digest)
    spent = time.monotonic() - begun
    assert spent > 0.15 if slow else spent < 15, "eleven bytes at fifty a second, or at one in two seconds"


def test_outside_its_hours_nothing_is_brought_and_what_moved_is_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: t.Any) -> None:
    registries = {"origin": Fake(), "local": Fake()}
    registries["origin"].push("lab/a", "1", b"config", b"layer")
    monkeypatch.setattr(preheat, "Registry", lambda access: registries[access.url])
    monkeypatch.setattr(preheat.subprocess, "run", lambda *_argv, **_more: None)
    hour = time.localtime().tm_hour
    config = {
        "origin": {"url": "origin"},
        "local": {"url": "local"},
        "above": None,
        "images": ["lab/a:*"],
        "rate": 0,
        "directory": str(tmp_path),
        "collect": [],
    }
    state: dict[str, t.Any] = {}
    shut, opened = f"{(hour + 3) % 24}-{(hour + 4) % 24}", f"{hour}-{(hour + 2) % 24}"
    monkeypatch.setattr(preheat, "SPARE", 0.0)
    assert preheat.look({**config, "hours": shut}, state, lambda: None) == [] and registries["local"].tags("lab/a") == []
    assert preheat.look({**config, "hours": opened}, state, lambda: None) == [] and registries["local"].tags("lab/a") == ["1"]
    registries["origin"].push("lab/a", "1", b"config", b"other")
    preheat.look({**config, "hours": shut}, state, lambda: None)
    assert registries["local"].tags("lab/a") == [] and state["known"]["lab/a:1"]["warm"] is None


class Odd(Fake):
    """A registry that keeps names which are none, and answers for no name in C(mute)."""

    def __init__(self) -> None:
        super().__init__()
        self.mute: set[str] = set()

    def tags(self, repository: str) -> list[str]:
        path_of(repository, "tags", "list")
        if repository in self.mute:
            raise RegistryError("refuses.")
        return super().tags(repository)

    def digest(self, repository: str, tag: str) -> str | None:
        path_of(repository, "manifests", tag)
        return super().digest(repository, tag)


BAD = ["-x", "--rsh=x", "lab/../../etc", "a b", "a\nb", "a'\"b", "%s{{ 7*7 }}", "lab::x", "a\udcff", "é", "A", ".", "lab/a/", "*", "[", "x" * 300 + "!"]


@given(
    bad=st.lists(st.sampled_from(BAD) | st.text(min_size=1, max_size=255).filter(lambda name: not REPOSITORY.fullmatch(name)), max_size=6, unique=True),
    tag=st.sampled_from(["-t", "a b", "../x", "é", "x" * 129, "a\n"]),
)
def test_names_that_are_none_stop_no_other(bad: list[str], tag: str) -> None:
    registries = {"origin": Odd(), "local": Odd()}
    origin = registries["origin"]
    origin.push("lab/good", "1", b"config", b"layer")
    origin.push("lab/mute", "1", b"config", b"other")
    for name in bad:
        origin.tags_of[name] = {"1": "sha256:0"}
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(preheat, "Registry", lambda access: registries[access.url])
        patch.setattr(preheat, "SPARE", 0.0)
        collected: list[str] = []
        patch.setattr(preheat.subprocess, "run", lambda *_argv, **_more: collected.append("space"))
        config = {"origin": {"url": "origin"}, "local": {"url": "local"}, "above": None, "images": ["**:*", "lab/good:*"], "rate": 0, "hours": ""}
        config.update(directory=directory, collect=[])
        state: dict[str, t.Any] = {}
        first = preheat.look(config, state, lambda: None)
        assert len(first) == len(bad) and all("\n" not in sentence for sentence in first)
        assert registries["local"].tags_of == {name: origin.tags_of[name] for name in ("lab/good", "lab/mute")}
        # what cannot be asked for now stays as it is; the others go on, and their space is given back
        origin.mute.add("lab/mute")
        origin.tags_of["lab/good"][tag] = "sha256:0"
        origin.push("lab/good", "1", b"config", b"newer")
        second = preheat.look(config, state, lambda: None)
        assert len(second) == len(bad) + 2 and set(state["known"]) == {"lab/good:1", "lab/mute:1"}
        assert registries["local"].tags_of == {name: {"1": origin.tags_of[name]["1"]} for name in ("lab/good", "lab/mute")}
        assert collected == ["space"]
