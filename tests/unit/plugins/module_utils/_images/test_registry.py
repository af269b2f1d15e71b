# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry may do to who asks it. That a real one is understood, molecule/harbor shows."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import typing as t
import urllib.parse

import pytest
from ansible_collections.gpulab.expansion.plugins.module_utils._images import registry
from ansible_collections.gpulab.expansion.plugins.module_utils._images.registry import (
    IMAGES,
    INDEXES,
    Access,
    Manifest,
    Registry,
    RegistryError,
    chosen,
    digest_of,
    path_of,
    split,
)
from hypothesis import given
from hypothesis import strategies as st

Answer = t.Tuple[int, t.Dict[str, str], bytes]


class Server(http.server.ThreadingHTTPServer):
    """Answers as C(say) says, by method and path; notes what it was asked, with what authorization."""

    def __init__(self) -> None:
        self.say: dict[tuple[str, str], t.Union[Answer, list[Answer]]] = {}
        self.asked: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        server = t.cast(Server, self.server)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.asked.append((self.command, self.path, self.headers.get("Authorization") or ""))
        found = server.say.get((self.command, self.path.partition("?")[0]), (404, {}, b""))
        status, headers, body = found.pop(0) if isinstance(found, list) else found
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *args: t.Any) -> None:
        pass


@pytest.fixture
def server() -> t.Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def ask(server: Server) -> Registry:
    return Registry(Access(server.url, "puller", "secret"))


def test_names_are_split_or_refused() -> None:
    assert split("lab/train:2026-11") == ("lab/train", "2026-11")
    digest = "sha256:" + "0" * 64
    assert split(f"a/b-c/d_e@{digest}") == ("a/b-c/d_e", digest)
    for wrong in ("lab/train", "Lab/train:1", "lab/train:", "store1:5000/lab/train", "lab//train:1", "lab/train@sha256:12"):
        with pytest.raises(RegistryError, match="is expected as name:tag"):
            split(wrong)


def test_what_is_attached_is_found_by_cosigns_tags_and_as_referrers(server: Server) -> None:
    digest, other = ("sha256:" + sign * 64 for sign in "ab")
    stem = digest.replace(":", "-")
    told = {"tags": ["1", stem, f"{stem}.sig", f"{stem}0.sig", f"sha256-{'c' * 64}.att"]}
    server.say["GET", "/v2/lab/train/tags/list"] = (200, {}, json.dumps(told).encode())
    assert ask(server).attached("lab/train", digest) == [stem, f"{stem}.sig"]
    server.say["GET", f"/v2/lab/train/referrers/{digest}"] = (200, {}, json.dumps({"manifests": [{"digest": other}]}).encode())
    assert ask(server).attached("lab/train", digest) == [stem, f"{stem}.sig", other]


def test_pages_are_read_to_the_last(server: Server) -> None:
    link = {"Link": '</v2/lab/train/tags/list2>; rel="next"'}
    server.say["GET", "/v2/lab/train/tags/list"] = (200, link, b'{"tags": ["b", "a"]}')
    server.say["GET", "/v2/lab/train/tags/list2"] = (200, {}, b'{"tags": null}')
    assert ask(server).tags("lab/train") == ["a", "b"]
    assert ask(server).tags("lab/none") == []


def test_patterns_choose_in_their_order(server: Server) -> None:
    server.say["GET", "/v2/_catalog"] = (200, {}, b'{"repositories": ["lab/train", "lab/infer", "base/cuda"]}')
    for name, tags in (("lab/train", ["1", "2-rc", "2"]), ("lab/infer", ["1"]), ("base/cuda", ["12.4"])):
        server.say["GET", f"/v2/{name}/tags/list"] = (200, {}, json.dumps({"tags": tags}).encode())
    assert chosen(["base/cuda:*", "lab/*:[0-9]"], ask(server)) == ["base/cuda:12.4", "lab/train:1", "lab/train:2", "lab/infer:1"]
    server.asked.clear()
    assert chosen(["lab/train:2*"], ask(server)) == ["lab/train:2", "lab/train:2-rc"]
    assert not [path for _method, path, _who in server.asked if "_catalog" in path], "who may not see all names can still name some"


def test_harbor_wants_a_token_for_each_scope(server: Server) -> None:
    asks = {"WWW-Authenticate": f'Bearer realm="{server.url}/service/token",service="harbor-registry",scope="x"'}
    server.say["GET", "/v2/lab/train/tags/list"] = [(401, asks, b""), (200, {}, b'{"tags": ["1"]}'), (401, asks, b""), (200, {}, b'{"tags": ["1"]}')]
    server.say["GET", "/service/token"] = [(200, {}, b'{"token": "first"}'), (200, {}, b'{"access_token": "second"}')]
    registry = ask(server)
    assert registry.tags("lab/train") == ["1"] and registry.tags("lab/train") == ["1"]  # the first token has ended in between
    basic = "Basic " + base64.b64encode(b"puller:secret").decode()
    assert [who for _method, _path, who in server.asked] == [basic, basic, "Bearer first", "Bearer first", basic, "Bearer second"]
    assert "scope=repository%3Alab%2Ftrain%3Apull" in server.asked[1][1]


def test_a_password_stays_with_the_registry_when_a_layer_lies_elsewhere(server: Server) -> None:
    with Server() as bucket:
        threading.Thread(target=bucket.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        bucket.say["GET", "/layer"] = (200, {}, b"bytes")
        server.say["GET", "/v2/lab/train/blobs/sha256:1"] = (307, {"Location": f"{bucket.url}/layer"}, b"")
        blob = ask(server).blob("lab/train", "sha256:1")
        assert blob is not None and blob.read() == b"bytes"
        blob.close()
        assert [who for _method, _path, who in bucket.asked] == [""]
        bucket.shutdown()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, {}, b""), "is expected to let puller GET /v2/a/tags/list?n=1000, but refuses (401): correct the password"),
        ((403, {}, b""), "but refuses (403)"),
        ((500, {}, b'{"errors": [{"code": "UNKNOWN", "message": "disk"}]}'), "but answers 500 (UNKNOWN: disk): see its logs."),
        ((503, {}, b"<html>"), "but answers 503: see its logs."),
        ((200, {}, b'{"tags": ['), "with JSON, but what came is none"),
        ((200, {"Content-Length": "900"}, b'{"tags": []}'), "is expected to answer, but does not"),
    ],
)
def test_faults_are_one_sentence(server: Server, answer: Answer, sentence: str) -> None:
    server.say["GET", "/v2/a/tags/list"] = answer
    with pytest.raises(RegistryError) as told:
        ask(server).tags("a")
    assert sentence in str(told.value)


def test_a_registry_that_is_away_or_whose_authority_is_not_known(server: Server, tmp_path: t.Any) -> None:
    with pytest.raises(RegistryError, match=r"is expected to answer, but does not: .*refused"):
        Registry(Access("http://127.0.0.1:9")).answers()
    with pytest.raises(RegistryError, match="is expected to answer, but does not"):
        Registry(Access(server.url.replace("http", "https"))).answers()
    (tmp_path / "ca.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(RegistryError, match=r"a certificate of an authority is expected in .*ca.pem, but it cannot be read"):
        Registry(Access("https://127.0.0.1:9", ca_path=str(tmp_path / "ca.pem")))


def test_what_has_another_digest_is_not_taken(server: Server) -> None:
    server.say["GET", "/v2/a/manifests/sha256:" + "0" * 64] = (200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, b"{}")
    with pytest.raises(RegistryError, match="its storage is damaged"):
        ask(server).manifest("a", "sha256:" + "0" * 64)


def test_the_configuration_of_an_image_and_of_one_for_several_processors(server: Server) -> None:
    config = b'{"architecture": "amd64", "config": {"Env": ["CUDA_VERSION=12.4"]}}'
    manifest = json.dumps({"config": {"digest": digest_of(config), "size": len(config)}, "layers": []}).encode()
    rows = [{"digest": "sha256:" + "1" * 64, "platform": {"architecture": "arm64"}}, {"digest": digest_of(manifest), "platform": {"architecture": "amd64"}}]
    index = json.dumps({"manifests": rows}).encode()
    server.say["GET", "/v2/a/manifests/one"] = (200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, manifest)
    server.say["GET", f"/v2/a/manifests/{digest_of(manifest)}"] = (200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, manifest)
    server.say["GET", "/v2/a/manifests/many"] = (200, {"Content-Type": "application/vnd.oci.image.index.v1+json"}, index)
    server.say["GET", f"/v2/a/blobs/{digest_of(config)}"] = (200, {}, config)
    for tag, digest in (("one", digest_of(manifest)), ("many", digest_of(index))):
        assert ask(server).config("a", tag) == (digest, json.loads(config))
    assert ask(server).config("a", "none") is None


def test_layers_of_a_manifest() -> None:
    body = {
        "config": {"digest": "sha256:c", "size": 1},
        "layers": [{"digest": "sha256:a", "size": 5}, {"digest": "sha256:a", "size": 5}, {"digest": "sha256:w", "size": 9, "urls": ["https://elsewhere"]}],
    }
    assert Manifest(json.dumps(body).encode(), "x").blobs() == [("sha256:a", 5), ("sha256:c", 1)]


NAMES = st.text(max_size=255) | st.sampled_from(
    ["-x", "a/../b", "a/./b", "a?b", "a#b", "a%2e%2e/b", "a b", "a\nb", "lab/x", "x" * 255, "\udcff", "a:b", "{{ x }}", "%n"]
)


@given(NAMES, NAMES)
def test_no_name_leaves_its_place_in_an_address(repository: str, reference: str) -> None:
    try:
        path = path_of(repository, "manifests", reference)
    except RegistryError as exc:
        assert "\n" not in str(exc) and "is expected of the registry" in str(exc)
    else:
        url = urllib.parse.urlsplit(urllib.parse.urljoin("http://registry", path))
        assert (url.netloc, url.path, url.query, url.fragment) == ("registry", f"/v2/{repository}/manifests/{reference}", "", "")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'"x"', b'{"layers": [1]}', b'{"layers": [{"digest": "sha256:1"}]}', b'{"layers": 5}', b'{"config": null}', b"\xff"]
)
def test_a_manifest_that_is_none_is_a_sentence(raw: bytes) -> None:
    with pytest.raises(RegistryError, match="is expected to list what it is made of"):
        Manifest(raw, IMAGES[0]).blobs()
    with pytest.raises(RegistryError, match="is expected to list what it is made of"):
        Manifest(b'{"manifests": [{}]}', INDEXES[0]).children()


def test_a_list_that_never_ends_or_leads_elsewhere_is_followed_here_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PAGES", 5)
    page = json.dumps({"repositories": ["lab/a"]}).encode()
    server.say["GET", "/v2/_catalog"] = (200, {"Link": '<http://127.0.0.1:1/v2/_catalog?last=a>; rel="next"'}, page)
    with pytest.raises(RegistryError, match="is expected to end its list of names, but goes on after 5 pages"):
        ask(server).repositories()
    assert [path for _method, path, _who in server.asked] == ["/v2/_catalog?n=1000", *["/v2/_catalog?last=a"] * 4]
