# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry in memory, for the programs that bring and read images. molecule/harbor has the same with real ones."""

from __future__ import annotations

import io
import json
import typing as t

from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import IMAGES, Manifest, RegistryError, digest_of


class Fake:
    """A registry as it keeps images; C(gone) answers nothing."""

    def __init__(self) -> None:
        self.tags_of: dict[str, dict[str, str]] = {}
        self.manifests: dict[tuple[str, str], Manifest] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.given: list[str] = []
        self.gone = False

    def push(self, repository: str, tag: str, *layers: bytes) -> str:
        rows = [{"digest": digest_of(layer), "size": len(layer)} for layer in layers]
        manifest = Manifest(json.dumps({"config": rows[0], "layers": rows[1:]}).encode(), IMAGES[0])
        self.manifests[repository, manifest.digest] = manifest
        self.blobs.update({(repository, digest_of(layer)): layer for layer in layers})
        self.tags_of.setdefault(repository, {})[tag] = manifest.digest
        return manifest.digest

    def _here(self) -> None:
        if self.gone:
            raise RegistryError("gone.")

    def answers(self) -> bool:
        self._here()
        return True

    def repositories(self) -> list[str]:
        return list(self.tags_of)

    def tags(self, repository: str) -> list[str]:
        return list(self.tags_of.get(repository, {}))

    def digest(self, repository: str, tag: str) -> str | None:
        return self.tags_of.get(repository, {}).get(tag)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        return self.manifests.get((repository, self.tags_of.get(repository, {}).get(reference, reference)))

    def blob_size(self, repository: str, digest: str) -> int | None:
        return len(self.blobs[repository, digest]) if (repository, digest) in self.blobs else None

    def blob(self, repository: str, digest: str) -> t.IO[bytes] | None:
        self._here()
        if (repository, digest) not in self.blobs:
            return None
        self.given.append(digest)
        return io.BytesIO(self.blobs[repository, digest])

    def mount(self, repository: str, digest: str, other: str) -> bool:
        self.blobs[repository, digest] = self.blobs[other, digest]
        return True

    def upload(self, repository: str, digest: str, size: int, data: t.Any) -> None:
        raw = b""
        while block := data.read(2):
            raw += block
        if digest_of(raw) != digest:
            raise RegistryError("refused.")
        self.blobs[repository, digest] = raw

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        named = [row["digest"] for row in manifest.body.get("manifests", [])] or [digest for digest, _size in manifest.blobs()]
        have = {digest for name, digest in (*self.blobs, *self.manifests) if name == repository}
        assert set(named) <= have, "a manifest is expected to come last"
        self.manifests[repository, manifest.digest] = manifest
        if not reference.startswith("sha256:"):
            self.tags_of.setdefault(repository, {})[reference] = manifest.digest

    def delete_manifest(self, repository: str, digest: str) -> None:
        del self.manifests[repository, digest]
        self.tags_of[repository] = {tag: each for tag, each in self.tags_of[repository].items() if each != digest}
