# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry and its caches on test hosts: the contract first, then what they are for."""

from __future__ import annotations

import json
import pathlib
import time
import typing as t

import pytest
import yaml
from harness import ROOT, Contract, Lab, soak
from lab_images import ADMIN, PULLER, Images


def test_contract(contract: Contract) -> None:
    assert not contract.disagreements, contract.report()
    assert contract.compared > 150


def test_nobody_gets_in_without_a_password(images: Images) -> None:
    for host in ("store1:5000", "gpu1:5000"):
        assert images.ask("GET", "/v2/", host)[0] == (200 if host == "store1:5000" else 401)  # a cache knows no admin
        assert images.ask("GET", "/v2/", host, who="admin:wrong")[0] == 401
        assert images.ask("GET", "/v2/", host, who=PULLER)[0] == 200
    plain = images.lab.sh("mgmt1", "curl -s -o /dev/null -w '%{http_code}' http://store1:5000/v2/", check=False).stdout
    assert plain == "400", "only TLS is expected to be spoken"


def test_an_image_is_near_before_it_is_asked_for(images: Images, lab: Lab) -> None:
    """One copy leaves the registry, the second cache has its from the first, and nodes pull while the registry is away."""
    digest = images.make(1, [4, 2])
    before = {cache: images.received(cache) for cache in ("gpu1", "gpu2")}
    images.push("lab/train:1")
    images.wait_for("lab/train:1", digest)
    came = {cache: {where: count - before[cache][where] for where, count in images.received(cache).items()} for cache in before}
    assert came["gpu1"]["origin"] > 6e6 and came["gpu1"]["cache"] == 0
    assert came["gpu2"]["cache"] > 6e6 and came["gpu2"]["origin"] == 0
    assert images.metric("gpu2", "gpulab_harbor_cache_images_lacking") == 0
    lab.sh("store1", "systemctl stop docker-registry")
    try:
        assert images.pull("lab/train:1") == digest
        podman = lab.sh("mgmt1", "skopeo copy -q docker://store1:5000/lab/train:1 dir:/tmp/near && sha256sum /tmp/near/manifest.json").stdout
        assert podman.split()[0] == digest.removeprefix("sha256:")
        # nothing is forgotten because the registry is away
        time.sleep(5)
        assert images.digest("lab/train:1", "gpu1:5000") == digest and images.metric("gpu1", "gpulab_harbor_cache_up") == 0
    finally:
        lab.sh("store1", "systemctl start docker-registry")


def test_the_next_version_costs_what_is_new(images: Images) -> None:
    digest = images.make(2, [4, 2])
    before = {cache: images.received(cache) for cache in ("gpu1", "gpu2")}
    images.push("lab/train:2")
    images.wait_for("lab/train:2", digest)
    for cache, was in before.items():
        assert 1.9e6 < sum(images.received(cache).values()) - sum(was.values()) < 2.2e6, cache


def test_a_name_never_means_yesterdays_image(images: Images) -> None:
    """As soon as a cache has looked, it has no image at all or the new one; a node resolves a name at the registry."""
    old = images.make(3, [1])
    images.push("lab/train:latest")
    images.wait_for("lab/train:latest", old)
    new = images.make(4, [1])
    images.push("lab/train:latest")
    assert images.pull("lab/train:latest") == new
    images.wait_for("lab/train:latest", new)
    assert images.ask("GET", f"/v2/lab/train/manifests/{old}", "gpu1:5000", who=PULLER)[0] == 404


def test_an_image_for_several_processors_comes_whole(images: Images, lab: Lab) -> None:
    digest = images.make(5, [1], platforms=("amd64", "arm64"))
    images.push("lab/both:1")
    images.wait_for("lab/both:1", digest)
    lab.sh("store1", "systemctl stop docker-registry")
    try:
        assert images.pull("lab/both:1") == digest
    finally:
        lab.sh("store1", "systemctl start docker-registry")


def test_an_image_of_another_name_brings_nothing_twice(images: Images) -> None:
    """Promotion: what was tried as dev becomes prod by its digest."""
    digest = images.make(6, [3])
    images.push("lab/dev:1")
    images.wait_for("lab/dev:1", digest)
    before = {cache: sum(images.received(cache).values()) for cache in ("gpu1", "gpu2")}
    images.push("lab/prod:1")
    images.wait_for("lab/prod:1", digest)
    for cache, was in before.items():
        assert sum(images.received(cache).values()) - was < 1e5, cache


def test_promotion_is_by_digest_and_moves_no_release(images: Images, lab: Lab, contract: Contract) -> None:
    """A dry run tells it, the run does it once, and another image does not get the name unasked."""
    book = ROOT / "playbooks" / "promote.yml"
    digest = images.make(31, [1], platforms=("amd64", "arm64"))
    images.push("lab/tried:1")
    wanted = {**contract.subject.variables, "image": "lab/tried:1", "to": "lab/released:prod-1"}
    dry = lab.play(book, check=True, variables=wanted)
    assert dry.changes()["store1", "registry_image", "lab/released:prod-1"]["after"] == {"digest": digest} and images.digest("lab/released:prod-1") == ""
    real = lab.play(book, variables=wanted)
    assert real.changes() == dry.changes() and images.digest("lab/released:prod-1") == digest
    assert not lab.play(book, variables=wanted).changes()
    images.make(32, [1])
    images.push("lab/tried:1")
    moved = lab.play(book, variables=wanted)
    assert moved.rc != 0 and f"is expected to be new, but is {digest} already" in moved.output and images.digest("lab/released:prod-1") == digest
    assert lab.play(book, variables={**wanted, "confirm": "lab/released:prod-1"}).rc == 0 and images.digest("lab/released:prod-1") != digest
    none = lab.play(book, check=True, variables={**wanted, "image": "lab/tried:9"})
    assert none.rc != 0 and "image lab/tried:9 is expected in the registry, but is not there" in none.output


def test_what_is_attached_goes_with_an_image_that_passes_its_checks(images: Images, lab: Lab, contract: Contract) -> None:
    """As cosign attaches a signature: an image whose tag is the digest of the other."""
    book = ROOT / "playbooks" / "promote.yml"
    signature = images.make(34, [0.01])
    digest = images.make(33, [1])
    attached = f"sha256-{digest.partition(':')[2]}.sig"
    images.push("lab/signed:1")
    images.make(34, [0.01])
    images.push(f"lab/signed:{attached}")
    lab.sh("store1", "apt-get -qq install -y --no-install-recommends skopeo >/dev/null")
    look = ["skopeo", "inspect", "--no-tags", "docker://{image}"]
    refuse = ["sh", "-c", 'echo "$0 has no signature of ours" >&2; exit 3', "{image}"]
    wanted = {**contract.subject.variables, "image": "lab/signed:1", "to": "lab/safe:prod-1"}
    refused = lab.play(book, variables={**wanted, "harbor_promotion_checks": [look, refuse]})
    said = (
        f"store1:5000/lab/signed@{digest} is expected to pass sh, but does not: store1:5000/lab/signed@{digest} has no signature of ours. Nothing was promoted"
    )
    assert refused.rc != 0 and said in refused.output.replace("\n", " ") and images.digest("lab/safe:prod-1") == ""
    unknown = lab.play(book, variables={**wanted, "harbor_promotion_checks": [["cosign", "verify", "{image}"]]})
    assert unknown.rc != 0 and "cosign is expected on this host" in unknown.output
    wanted["harbor_promotion_checks"] = [look]
    dry, real = lab.play(book, check=True, variables=wanted), lab.play(book, variables=wanted)
    assert set(real.changes()) == {("store1", "registry_image", "lab/safe:prod-1"), ("store1", "registry_image", f"lab/safe:{attached}")}
    assert real.changes() == dry.changes() and images.digest("lab/safe:prod-1") == digest and images.digest(f"lab/safe:{attached}") == signature
    # signed later, or once more: only what is not there yet comes
    images.make(35, [0.01])
    images.push(f"lab/signed:{attached}")
    images.push(f"lab/signed:{attached.replace('.sig', '.sbom')}")
    later = lab.play(book, variables=wanted)
    assert set(later.changes()) == {("store1", "registry_image", f"lab/safe:{attached.replace('.sig', '.sbom')}")}
    assert images.digest(f"lab/safe:{attached}") == signature


def test_a_cache_that_is_gone_costs_time_and_nothing_else(images: Images, lab: Lab) -> None:
    lab.sh("gpu1", "systemctl stop docker-registry gpulab-harbor-warm.timer")
    try:
        digest = images.make(7, [1])
        images.push("lab/train:7")
        assert images.pull("lab/train:7") == digest  # from the registry itself
        assert lab.sh("mgmt1", "skopeo inspect -n docker://store1:5000/lab/train:7").returncode == 0
        # the cache that is filled from it goes to the registry
        images.wait_for("lab/train:7", digest, caches=["gpu2"])
    finally:
        lab.sh("gpu1", "systemctl start docker-registry gpulab-harbor-warm.timer")
    images.wait_for("lab/train:7", digest)


def test_nobody_writes_into_a_cache(images: Images) -> None:
    images.make(8, [1])
    refused = images.push("lab/train:poison", who=PULLER, registry="gpu1:5000", check=False)
    assert refused.returncode != 0 and images.digest("lab/train:poison", "gpu1:5000") == ""
    socket = images.lab.sh("gpu1", "su -s /bin/sh nobody -c 'curl -s --unix-socket /run/gpulab-harbor/fill.sock http://x/v2/'", check=False)
    assert socket.returncode != 0


def test_what_is_deleted_is_forgotten_and_its_space_given_back(images: Images, lab: Lab) -> None:
    digest = images.make(9, [8])
    images.push("lab/old:1")
    images.wait_for("lab/old:1", digest)
    layer = max(
        json.loads(images.ask("GET", f"/v2/lab/old/manifests/{digest}", more="-H 'Accept: application/vnd.oci.image.manifest.v1+json'")[1])["layers"],
        key=lambda e: e["size"],
    )
    on_disk = f"test -e /var/lib/docker-registry/docker/registry/v2/blobs/sha256/{layer['digest'][7:9]}/{layer['digest'][7:]}/data"
    assert lab.sh("store1", on_disk, check=False).returncode == 0 and lab.sh("gpu1", on_disk, check=False).returncode == 0
    assert images.ask("DELETE", f"/v2/lab/old/manifests/{digest}")[0] == 202
    lab.sh("store1", "systemctl start gpulab-harbor-collect")
    assert lab.sh("store1", on_disk, check=False).returncode != 0
    assert lab.sh("store1", "systemctl is-active docker-registry").stdout.strip() == "active"
    until = time.monotonic() + 120
    while lab.sh("gpu1", on_disk, check=False).returncode == 0 or lab.sh("gpu2", on_disk, check=False).returncode == 0:
        assert time.monotonic() < until
        time.sleep(0.5)
    # what is left is whole, and can be written to
    lab.sh("store1", "systemctl start gpulab-harbor-look")
    assert images.metric("store1", "gpulab_harbor_collected_bytes") > 7e6
    digest = images.make(10, [1])
    images.push("lab/train:10")
    images.wait_for("lab/train:10", digest)
    assert not images.whole("store1") and not images.whole("gpu1")


def test_a_disk_that_forgets_is_found_before_a_job_finds_it(images: Images, lab: Lab) -> None:
    images.make(15, [1], platforms=("amd64", "arm64"))
    images.push("lab/rot:1")
    verify = "t=$(date +%s); systemctl start gpulab-harbor-verify; systemctl start gpulab-harbor-look; journalctl -u gpulab-harbor-verify -o cat --since @$t"
    assert "damaged" not in lab.sh("store1", verify, check=False).stdout and images.metric("store1", "gpulab_harbor_damaged") == 0
    largest = "ls -S /var/lib/docker-registry/docker/registry/v2/blobs/sha256/*/*/data | grep -F $(cat /tmp/rotten)"
    lab.sh("mgmt1", "cd /root/image/blobs/sha256 && ls -S | head -n 1 > /root/rotten")
    rotten = lab.sh("mgmt1", "cat /root/rotten").stdout.strip()
    lab.sh("store1", f"echo {rotten} > /tmp/rotten; cp $({largest}) /tmp/kept; printf x | dd of=$({largest}) bs=1 seek=500 conv=notrunc status=none")
    try:
        assert f"lab/rot: layer sha256:{rotten} is damaged or gone" in lab.sh("store1", verify, check=False).stdout
        assert images.metric("store1", "gpulab_harbor_damaged") == 1
    finally:
        lab.sh("store1", f"cp /tmp/kept $({largest})")
    assert lab.sh("store1", "systemctl start gpulab-harbor-verify && systemctl start gpulab-harbor-look").returncode == 0
    assert images.metric("store1", "gpulab_harbor_damaged") == 0


def test_killed_in_the_middle(images: Images, lab: Lab) -> None:
    """The registry during a push, and the program that fills a cache: nothing is corrupt, and both go on."""
    digest = images.make(11, [60])
    lab.sh("store1", "tc qdisc add dev eth0 root tbf rate 200mbit burst 64kb latency 100ms", check=False)
    pushing = lab.sh(
        "mgmt1", "skopeo copy --dest-creds " + ADMIN + " oci:/root/image docker://store1:5000/lab/big:1 >/tmp/pushed 2>&1 & sleep 0.15; echo begun"
    ).stdout
    assert "begun" in pushing
    lab.sh("store1", "systemctl kill -s KILL docker-registry")
    lab.sh("mgmt1", "timeout 300 sh -c 'while pgrep -x skopeo >/dev/null; do sleep 0.2; done'")
    lab.sh("store1", "timeout 120 sh -c 'until systemctl is-active -q docker-registry; do sleep 0.2; done'")
    try:
        images.push("lab/big:1")
        for _attempt in range(2):
            lab.sh("gpu1", "timeout 20 sh -c 'until systemctl kill -s KILL gpulab-harbor-warm; do sleep 0.05; done'", check=False)
            lab.sh("gpu1", "systemctl kill -s KILL gpulab-harbor-fill")
            time.sleep(1)
        images.wait_for("lab/big:1", digest)
    finally:
        lab.sh("store1", "tc qdisc del dev eth0 root", check=False)
    assert not images.whole("store1") and not images.whole("gpu1")


def test_a_full_disk_is_said_and_nothing_is_half_there(images: Images, lab: Lab) -> None:
    whole = images.make(12, [1])
    images.push("lab/small:1")
    images.wait_for("lab/small:1", whole)
    lab.sh(
        "store1",
        "systemctl stop docker-registry && mkdir -p /var/full && mount -t tmpfs -o size=24m none /var/full "
        "&& cp -a /var/lib/docker-registry/. /var/full/ 2>/dev/null; mount --bind /var/full /var/lib/docker-registry; systemctl start docker-registry",
        check=False,
    )
    try:
        images.make(13, [40])
        refused = images.push("lab/large:1", check=False)
        assert refused.returncode != 0
        assert images.digest("lab/large:1") == ""
        assert images.ask("GET", "/v2/")[0] == 200
    finally:
        lab.sh("store1", "systemctl stop docker-registry; umount /var/lib/docker-registry; umount /var/full; rmdir /var/full; systemctl start docker-registry")
    assert not images.whole("store1")
    images.push("lab/large:1")


@soak
def test_images_in_a_bucket(images: Images, lab: Lab, contract: Contract) -> None:
    """The registry sends who reads a layer to the bucket; nodes and caches go there without its password."""
    rclone = "rclone --s3-provider Other --s3-endpoint http://oss:8333 --s3-access-key-id box-access-key --s3-secret-access-key box-secret-key"
    lab.sh("store1", "apt-get -qq update && apt-get -qq install -y --no-install-recommends rclone >/dev/null")
    lab.sh("store1", f"{rclone} mkdir :s3:images 2>&1")
    bucket = {"bucket": "images", "access_key_id": "box-access-key", "endpoint": "http://oss:8333", "path_style": True}
    more = {**contract.subject.variables, "harbor_object_storage": bucket, "harbor_object_storage_secret": "box-secret-key"}
    try:
        run = lab.play(contract.subject.playbook, variables=more)
        assert run.rc == 0 and "box-secret-key" not in run.output, run.output
        digest = images.make(41, [3])
        images.push("lab/bucket:1")
        images.wait_for("lab/bucket:1", digest)
        assert images.pull("lab/bucket:1") == digest
        assert "blobs/sha256" in lab.sh("store1", f"{rclone} lsf -R :s3:images").stdout
        lab.sh("gpu1", "systemctl stop docker-registry")
        assert images.pull("lab/bucket:1") == digest, "from the bucket itself"
    finally:
        lab.sh("gpu1", "systemctl start docker-registry")
        assert lab.play(contract.subject.playbook, variables=contract.subject.variables).rc == 0


@soak
def test_certificates_are_renewed_under_load(images: Images, lab: Lab, contract: Contract) -> None:
    digest = images.make(14, [2])
    images.push("lab/load:1")
    images.wait_for("lab/load:1", digest)
    pull = "skopeo copy -q --retry-times 3 docker://store1:5000/lab/load:1 dir:/tmp/load >/dev/null 2>&1"
    loop = f"for i in $(seq 60); do {pull} && sha256sum /tmp/load/manifest.json || echo failed; done"
    lab.sh("mgmt1", f"({loop}) > /tmp/loaded 2>&1 &")
    run = lab.play(contract.subject.playbook, variables={**contract.subject.variables, "harbor_certificate_days": 826, "harbor_certificate_renew_days": 825})
    assert run.rc == 0 and any("server.pem" in str(key) for key in run.changes())
    lab.sh("mgmt1", "timeout 300 sh -c 'until [ $(wc -l < /tmp/loaded) -ge 60 ]; do sleep 0.5; done'")
    lines = lab.sh("mgmt1", "cat /tmp/loaded").stdout.splitlines()
    assert lines.count("failed") == 0 and {line.split()[0] for line in lines} == {digest[7:]}
    assert lab.play(contract.subject.playbook, variables=contract.subject.variables).rc == 0


def test_a_dry_run_of_harbor_itself_tells_what_would_be_kept_in_it(images: Images, lab: Lab, contract: Contract) -> None:
    """It does not run here; up to its first start all that would be done is told, and nothing is."""
    stub = "/etc/systemd/system/docker.service"
    lab.sh("store1", f"printf '[Service]\nExecStart=/bin/true\n' > {stub}; systemctl daemon-reload")
    other = {
        "harbor_flavour": "harbor",
        "harbor_database_password": "box-Cellar-5523-pine",
        "harbor_installer": {"url": "http://mirror/apt/key.asc", "sha256": "0" * 64},
        "harbor_projects": [{"name": "vision", "immutable": ["release-*"], "keep": 10}],
    }
    try:
        before = lab.manifest(["store1"])
        run = lab.play(contract.subject.playbook, check=True, variables={**contract.subject.variables, **other})
        assert run.rc == 0, run.output
        assert not list(contract.written(before, lab.manifest(["store1"])))
    finally:
        lab.sh("store1", f"rm {stub}; systemctl daemon-reload")
    told = {(kind, key) for host, kind, key in run.changes() if host == "store1"}
    assert {
        ("download", "/var/lib/gpulab/harbor/harbor-2.16.0.tgz"),
        ("unit", "gpulab-harbor.service"),
        ("file", "/etc/gpulab/borg/before.d/harbor"),
        ("harbor_user", "puller"),
        ("harbor_project", "vision"),
        ("harbor_project_member", "vision/puller"),
        ("harbor_tag_immutability", "vision/**:release-*"),
        ("harbor_retention", "vision"),
        ("harbor_gc_schedule", "gc"),
    } <= told, told
    assert "box-Cellar-5523-pine" not in run.output


def test_the_audit_says_which_image_does_not_run_where(images: Images, lab: Lab, contract: Contract, tmp_path: pathlib.Path) -> None:
    for seed, cuda in ((21, "12.4.1"), (22, "13.0.0")):
        images.make(seed, [1], config={"Env": [f"CUDA_VERSION={cuda}"]})
        images.push(f"lab/cuda:{cuda}")
    told = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({**told, "gpu_nodes": {"hosts": {"gpu1": None, "mgmt1": None}}}), encoding="ascii")
    more = {**contract.subject.variables, "audit_seconds": 1, "lab_disks": ["none"], "harbor_preheat": ["lab/cuda:*"]}
    run = Lab(lab.name, tmp_path / "hosts.yml").play(ROOT / "playbooks" / "audit.yml", check=True, variables=more)
    (found,) = (record["images"] for record in run.records if record["images"])
    verdicts = {(row["image"], row["node"]): (row["runs"], row["why"]) for row in found}
    assert set(verdicts) == {("lab/cuda:12.4.1", "gpu1"), ("lab/cuda:13.0.0", "gpu1")}, "a node without a driver is told elsewhere"
    assert verdicts["lab/cuda:12.4.1", "gpu1"][0] is True
    runs, why = verdicts["lab/cuda:13.0.0", "gpu1"]
    assert runs is False and "which needs driver 580.65.06 or newer, and gpu1 has" in why


# -- what cannot be

BAD: list[tuple[dict[str, t.Any], str]] = [
    ({"harbor_flavour": "quay"}, "harbor_flavour is expected to be one of"),
    ({"harbor_admin_password": "short"}, "harbor_admin_password is expected to be set to 12 to 72 characters"),
    ({"harbor_preheat": ["store1:5000/lab/train"]}, "is expected as name:tag without the registry"),
    ({"harbor_preheat_hours": "evening"}, "harbor_preheat_hours is expected as two hours"),
    ({"harbor_fanout": 0}, "harbor_fanout is expected to be possible"),
    ({"harbor_port": 70000}, "harbor_port is expected to be possible"),
    ({"harbor_certificate": {"key": "x"}}, "has no authority, certificate"),
    ({"harbor_object_storage": {"bucket": "x"}}, "harbor_object_storage is expected to have bucket and access_key_id"),
    ({"harbor_runtimes": ["rkt"]}, "harbor_runtimes"),
    ({"harbor_prehaet": ["lab/*:*"]}, "harbor_prehaet"),
    ({"harbor_certificate_days": 20}, "harbor_certificate_renew_days is expected to be possible"),
    ({"harbor_collect_at": "sometimes"}, "harbor_collect_at is expected as days and a time"),
    ({"harbor_projects": [{"name": "vision"}]}, "which has no projects, quotas, retention or rights"),
    ({"harbor_flavour": "harbor", "harbor_database_password": "box-Cellar-5523-pine"}, "harbor_installer is expected to have the url"),
    (
        {"harbor_flavour": "harbor", "harbor_database_password": "box-Cellar-5523-pine", "harbor_installer": {"url": "http://mirror/x", "sha256": "0" * 64}},
        "docker and its compose plugin are expected on store1",
    ),
]


@pytest.mark.parametrize(
    ("bad", "sentence"), [pytest.param(*case, marks=() if number < 3 else (soak,), id=str(list(case[0]))) for number, case in enumerate(BAD)]
)
def test_bad_input_is_one_sentence(said: t.Callable[..., str], bad: dict[str, t.Any], sentence: str) -> None:
    assert sentence in said(**bad)
