# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import IMAGES, INDEXES, Manifest, Registry, RegistryError
from ansible_collections.gpulab.expansion.plugins.modules.registry_promotion import plan


class Kept:
    """What a registry keeps: digests by name, of each repository."""

    attached = Registry.attached

    def __init__(self) -> None:
        self.names: dict[str, dict[str, str]] = {}
        self.manifests: dict[str, Manifest] = {}

    def push(self, repository: str, tag: str, body: dict[str, t.Any], media_type: str = IMAGES[0]) -> str:
        manifest = Manifest(json.dumps(body).encode(), media_type)
        self.manifests[manifest.digest] = manifest
        self.names.setdefault(repository, {}).update({tag: manifest.digest, manifest.digest: manifest.digest})
        return manifest.digest

    def digest(self, repository: str, reference: str) -> str | None:
        return self.names.get(repository, {}).get(reference)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        return self.manifests.get(self.digest(repository, reference) or "")

    def tags(self, repository: str) -> list[str]:
        return [name for name in self.names.get(repository, {}) if not name.startswith("sha256:")]

    def _pages(self, _path: str, _scope: str) -> list[dict[str, t.Any]]:
        return []


def planned(kept: Kept, image: str = "lab/dev:1", to: str = "lab/prod:1") -> list[str]:
    return [step.change["key"] for step in plan(t.cast("t.Any", kept), image, to, "")]


def test_what_is_attached_to_an_image_of_an_index_goes_first() -> None:
    kept = Kept()
    child = kept.push("lab/dev", "child", {"of": "amd64"})
    whole = kept.push("lab/dev", "1", {"manifests": [{"digest": child}]}, INDEXES[0])
    names = [f"{digest.replace(':', '-')}.sig" for digest in (whole, child)]
    for name in names:
        kept.push("lab/dev", name, {"signs": name})
    assert planned(kept) == [*(f"lab/prod:{name}" for name in names), "lab/prod:1"]
    assert planned(kept, to="lab/dev:2") == ["lab/dev:2"], "there it is already"
    kept.push("lab/prod", names[0], {"signed": "again"})
    assert planned(kept) == [f"lab/prod:{names[1]}", "lab/prod:1"], "what the target has stays"


def test_nothing_is_left_to_do_when_all_is_there() -> None:
    kept = Kept()
    digest = kept.push("lab/dev", "1", {"one": 1})
    kept.names["lab/prod"] = {"1": digest}
    assert planned(kept) == []
    with pytest.raises(RegistryError, match="a digest is no name"):
        planned(kept, to=f"lab/prod@{digest}")
