# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's images through the eyes of its users: made and pushed on the management host, pulled on nodes."""

from __future__ import annotations

import json
import re
import subprocess
import time
import typing as t

from harness import Lab

ADMIN, PULLER = "admin:box-Lantern-3391-oak", "puller:box-Marble-7715-fern"
REGISTRY = "store1:5000"
CA = "--cacert /etc/gpulab/harbor/ca.pem"
# An OCI layout whose layers are noise; all but the last are the same for every seed.
_MAKE = r"""
import gzip, hashlib, io, json, os, random, shutil, sys, tarfile
out, seed, sizes, platforms, config = json.load(sys.stdin)
shutil.rmtree(out, ignore_errors=True)
os.makedirs(f"{out}/blobs/sha256")
def put(raw, kind):
    name = hashlib.sha256(raw).hexdigest()
    with open(f"{out}/blobs/sha256/{name}", "wb") as handle:
        handle.write(raw)
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{name}", "size": len(raw)}
def image(platform):
    layers, ids = [], []
    for number, size in enumerate(sizes):
        made = random.Random(f"{seed if number == len(sizes) - 1 else 0}-{number}-{platform}")
        noise = b"".join(made.randbytes(min(10 ** 7, int(size * 1e6) - done)) for done in range(0, int(size * 1e6), 10 ** 7))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            entry = tarfile.TarInfo(f"data{number}")
            entry.size = len(noise)
            archive.addfile(entry, io.BytesIO(noise))
        ids.append("sha256:" + hashlib.sha256(packed.getvalue()).hexdigest())
        layers.append(put(gzip.compress(packed.getvalue(), 0, mtime=0), "layer.v1.tar+gzip"))
    body = {"architecture": platform, "os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": ids}}
    told = put(json.dumps(body).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": told, "layers": layers}
    return {**put(json.dumps(manifest).encode(), "manifest.v1+json"), "platform": {"architecture": platform, "os": "linux"}}
images = [image(platform) for platform in platforms]
if len(images) > 1:
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": images}
    images = [put(json.dumps(index).encode(), "index.v1+json")]
with open(f"{out}/index.json", "w") as handle:
    json.dump({"schemaVersion": 2, "manifests": images}, handle)
with open(f"{out}/oci-layout", "w") as handle:
    json.dump({"imageLayoutVersion": "1.0.0"}, handle)
print(images[0]["digest"])
"""


class Images:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def make(self, seed: int, megabytes: t.Sequence[float], platforms: t.Sequence[str] = ("amd64",), config: t.Any = None) -> str:
        """The digest of a new image on the management host, in /root/image."""
        asked = json.dumps(["/root/image", seed, list(megabytes), list(platforms), config or {}])
        return self.lab.sh("mgmt1", f"python3 -c '{_MAKE}'", stdin=asked).stdout.strip()

    def push(self, name: str, who: str = ADMIN, registry: str = REGISTRY, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.lab.sh("mgmt1", f"timeout 300 skopeo copy --all --dest-creds {who} oci:/root/image docker://{registry}/{name} 2>&1", check=check)

    def pull(self, name: str, check: bool = True) -> str:
        """By containerd, on the management host, from nothing: the digest that the name then has."""
        target = f"{REGISTRY}/{name}"
        # an image that was pulled leaves its layers until they are asked to go at once
        script = (
            f"ctr images rm --sync {target} >/dev/null 2>&1; set -e; "
            f"timeout 180 ctr images pull --hosts-dir /etc/containerd/certs.d --all-platforms {target} >/tmp/pulled 2>&1 || {{ cat /tmp/pulled; exit 1; }}; "
            f"ctr images ls name=={target} | tail -n 1; ctr content ls -q | wc -l"
        )
        done = self.lab.sh("mgmt1", script, check=check)
        found = re.search(r"sha256:[0-9a-f]{64}", done.stdout)
        return found[0] if done.returncode == 0 and found else f"not pulled: {done.stdout}"

    def ask(self, method: str, path: str, host: str = REGISTRY, who: str = ADMIN, more: str = "") -> tuple[int, str]:
        command = f"curl -s -w '\\n%{{http_code}}' {CA} -u {who} -X {method} {more} 'https://{host}{path}'"
        text, _newline, status = self.lab.sh("mgmt1", command, check=False).stdout.rpartition("\n")
        return int(status or 0), text

    def digest(self, name: str, host: str = REGISTRY) -> str:
        repository, _colon, tag = name.partition(":")
        accept = "-I -H 'Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'"
        found = re.search(r"(?i)docker-content-digest: (\S+)", self.ask("HEAD", f"/v2/{repository}/manifests/{tag}", host, more=accept, who=PULLER)[1])
        return found[1] if found else ""

    def wait_for(self, name: str, digest: str, caches: t.Sequence[str] = ("gpu1", "gpu2"), seconds: float = 180.0) -> float:
        """Seconds until every cache has it."""
        begun = time.monotonic()
        while any(self.digest(name, f"{cache}:5000") != digest for cache in caches):
            assert time.monotonic() - begun < seconds, (name, digest, {cache: self.digest(name, f"{cache}:5000") for cache in caches})
            time.sleep(0.3)
        return time.monotonic() - begun

    def state(self, cache: str) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.lab.sh(cache, "cat /var/lib/gpulab/harbor-warm.json").stdout))

    def received(self, cache: str) -> dict[str, int]:
        return {"origin": 0, "cache": 0, **self.state(cache).get("received", {})}

    def metric(self, host: str, name: str) -> float:
        text = self.lab.sh(host, "cat /var/lib/gpulab/metrics/gpulab_harbor*.prom").stdout
        found = re.search(rf"(?m)^{name}(?:{{[^}}]*}})? (\S+)$", text)
        assert found, (name, text)
        return float(found[1])

    def whole(self, host: str) -> list[str]:
        """Digests of blobs on that host's disk that are not what they are named."""
        script = "cd /var/lib/docker-registry/docker/registry/v2/blobs/sha256 && sha256sum */*/data"
        lines = self.lab.sh(host, script).stdout.splitlines()
        assert lines
        return [line for line in lines if line.split()[0] != line.split()[1].split("/")[1]]
