# Copyright (c) 2026, the gpulab.expansion authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every registry speaks: https://github.com/opencontainers/distribution-spec/blob/main/spec.md (1.1).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
Modules use it, and the program that keeps a cache warm, so it needs nothing but Python.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fnmatch
import hashlib
import http.client
import json
import re
import socket
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT = 15  # seconds without a byte
BLOCK = 1 << 20
PAGES = 10_000  # of a list; who tells more goes round in a circle
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
IMAGES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")


# Source: "Pulling manifests" and "Digests", https://github.com/opencontainers/distribution-spec/blob/main/spec.md
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")


class RegistryError(Exception):
    """A sentence for the admin."""


@dataclasses.dataclass(frozen=True)
class Access:
    """C(url) as https://name:port, or unix:/path of a socket."""

    url: str
    username: str = ""
    password: str = ""
    ca_path: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The bytes as they are, because the digest is of them."""

    raw: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return digest_of(self.raw)

    @property
    def body(self) -> dict[str, t.Any]:
        with self.written_by_anyone():
            told = json.loads(self.raw)
            if not isinstance(told, dict):
                raise TypeError("not an object")
            return told
        return {}

    @contextlib.contextmanager
    def written_by_anyone(self) -> t.Iterator[None]:
        """Whoever may push has written it, and a registry does not look at all of it."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise RegistryError(f"manifest {self.digest} is expected to list what it is made of, but is another JSON or none: build the image anew.") from exc

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES

    def children(self) -> list[str]:
        """Digests of the images of an index."""
        with self.written_by_anyone():
            return [str(each["digest"]) for each in self.body.get("manifests") or []]
        return []

    def blobs(self) -> list[tuple[str, int]]:
        """Digest and bytes of the configuration and of each layer; each once."""
        body = self.body
        with self.written_by_anyone():
            rows = [*(body.get("layers") or []), *([body["config"]] if "config" in body else [])]
            # layers of other servers, as of Windows, are not kept here
            return list({str(row["digest"]): int(row["size"]) for row in rows if not row.get("urls")}.items())
        return []


def path_of(repository: str, kind: str, reference: str = "") -> str:
    """The one place where names become an address. Registries and images name things as they like, so what is no name of the specification is refused."""
    if not REPOSITORY.fullmatch(repository):
        raise RegistryError(f"a name of images in small letters, as lab/train, is expected of the registry, but one is {repository[:300]!r}: rename it there.")
    if reference and not (TAG.fullmatch(reference) or DIGEST.fullmatch(reference)):
        raise RegistryError(f"{repository}: a tag or digest is expected of the registry, but one is {reference[:300]!r}: push the image anew.")
    return f"/v2/{repository}/{kind}/{reference}"


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def split(image: str) -> tuple[str, str]:
    """(lab/train, 2026-11) of C(lab/train:2026-11), or the digest behind an @. RegistryError without one."""
    repository, separator, reference = image.partition("@")
    if not separator:
        repository, separator, reference = image.rpartition(":")
    if not REPOSITORY.fullmatch(repository) or not (TAG.fullmatch(reference) or re.fullmatch(r"sha256:[0-9a-f]{64}", reference)):
        raise RegistryError(f"image {image!r} is expected as name:tag or name@sha256:…, in small letters, without the registry, but is not: correct it.")
    return repository, reference


class Body:
    """What a registry answers with, to be read and closed; RegistryError when it ends before its end."""

    def __init__(self, answer: http.client.HTTPResponse, url: str) -> None:
        self._answer, self._url = answer, url
        self.headers, self.status = answer.headers, answer.status

    def read(self, count: int | None = None) -> bytes:
        try:
            return self._answer.read(count)
        except (OSError, http.client.HTTPException) as exc:
            raise RegistryError(_away(self._url, exc)) from exc

    def close(self) -> None:
        self._answer.close()

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()


class Registry:
    def __init__(self, access: Access, timeout: float = TIMEOUT) -> None:
        self._access, self._timeout, self._tokens = access, timeout, dict[str, str]()
        local = access.url.startswith("unix:")
        self._base = "http://localhost" if local else access.url.rstrip("/")
        handlers: list[t.Any] = [urllib.request.ProxyHandler({}), _Plainly()]
        if local:
            handlers.append(_Socket(access.url[len("unix:") :]))
        elif access.ca_path:
            try:
                handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=access.ca_path)))
            except (OSError, ValueError) as exc:
                raise RegistryError(f"a certificate of an authority is expected in {access.ca_path}, but it cannot be read ({exc}): correct ca_path.") from exc
        self._opener = urllib.request.build_opener(*handlers)

    # -- reading

    def answers(self) -> bool:
        """Whether it knows us; RegistryError when it does not answer."""
        return self._asked("GET", "/v2/", "") is not None

    def repositories(self) -> list[str]:
        return [str(name) for page in self._pages("/v2/_catalog?n=1000", "registry:catalog:*") for name in page.get("repositories") or []]

    def tags(self, repository: str) -> list[str]:
        pages = self._pages(path_of(repository, "tags", "list") + "?n=1000", _pull(repository))
        return sorted({str(tag) for page in pages for tag in page.get("tags") or []})

    def digest(self, repository: str, reference: str) -> str | None:
        """Of what the tag points to now; None when there is no such tag."""
        answer = self._asked("HEAD", path_of(repository, "manifests", reference), _pull(repository), headers=_accept())
        if answer is None:
            return None
        with answer:
            return answer.headers.get("Docker-Content-Digest") or self._certain(repository, reference).digest

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        answer = self._asked("GET", path_of(repository, "manifests", reference), _pull(repository), headers=_accept())
        if answer is None:
            return None
        with answer:
            raw = answer.read()
            found = Manifest(raw, answer.headers.get_content_type())
        if reference.startswith("sha256:") and found.digest != reference:
            raise RegistryError(f"{self._access.url} is expected to give {repository}@{reference}, but gave {found.digest}: its storage is damaged.")
        return found

    def attached(self, repository: str, digest: str) -> list[str]:
        """Tags and digests of what was put beside an image later, as signatures and lists of what is in it.

        Sources: "Listing Referrers" and its tag scheme, https://github.com/opencontainers/distribution-spec/blob/main/spec.md, and cosign's tags,
        https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
        """
        stem = digest.replace(":", "-")
        rows = [row for page in self._pages(path_of(repository, "referrers", digest), _pull(repository)) for row in page.get("manifests") or []]
        if not all(isinstance(row, dict) and "digest" in row for row in rows):
            raise RegistryError(f"{self._access.url} is expected to list what is attached to {repository}@{digest}, but lists something else: see its logs.")
        return [*(tag for tag in self.tags(repository) if tag == stem or tag.startswith(f"{stem}.")), *(str(row["digest"]) for row in rows)]

    def blob_size(self, repository: str, digest: str) -> int | None:
        answer = self._asked("HEAD", path_of(repository, "blobs", digest), _pull(repository))
        if answer is None:
            return None
        with answer:
            told = answer.headers.get("Content-Length") or "0"
            return int(told) if told.isdecimal() else 0

    def blob(self, repository: str, digest: str) -> Body | None:
        return self._asked("GET", path_of(repository, "blobs", digest), _pull(repository))

    def config(self, repository: str, reference: str) -> tuple[str, dict[str, t.Any]] | None:
        """Digest of what the tag points to, and the configuration of the image, of the first one for a GPU node where there are several."""
        manifest = self.manifest(repository, reference)
        if manifest is None:
            return None
        digest = manifest.digest
        with manifest.written_by_anyone():
            rows = [row for row in manifest.body.get("manifests") or [] if (row.get("platform") or {}).get("architecture") != "unknown"]
            amd64 = [row for row in rows if (row.get("platform") or {}).get("architecture") == "amd64"]
            chosen_one = str((amd64 or rows)[0]["digest"]) if rows else ""
        if manifest.is_index:
            if not rows:
                raise RegistryError(f"image {repository}:{reference} is expected to have a platform, but is an index of none: build it anew.")
            manifest = self._certain(repository, chosen_one)
        with manifest.written_by_anyone():
            wanted = (manifest.body.get("config") or {}).get("digest")
        blob = self.blob(repository, str(wanted)) if wanted else None
        if blob is None:
            raise RegistryError(f"image {repository}:{reference} is expected to have a configuration, but its registry has none: push it anew.")
        with blob:
            raw = blob.read()
        try:
            return digest, dict(json.loads(raw))
        except (ValueError, TypeError, RecursionError) as exc:
            raise RegistryError(f"image {repository}:{reference} is expected to have a configuration in JSON, but has another: is it an image?") from exc

    # -- writing

    def mount(self, repository: str, digest: str, other: str) -> bool:
        """Have a blob of another repository of the same registry in this one, too."""
        query = urllib.parse.urlencode({"mount": digest, "from": other})
        answer = self._asked("POST", f"{path_of(repository, 'blobs')}uploads/?{query}", f"{_push(repository)} {_pull(other)}", data=b"")
        if answer is None:
            return False
        with answer:
            done = answer.status == 201
            location = answer.headers.get("Location") or ""
        if not done and location:  # it began an upload instead
            self._asked("DELETE", location, _push(repository))
        return done

    def upload(self, repository: str, digest: str, size: int, data: t.Any) -> None:
        """C(data) is bytes, or has read(); the registry refuses what has another digest."""
        begun = self._asked("POST", path_of(repository, "blobs") + "uploads/", _push(repository), data=b"")
        if begun is None:
            raise RegistryError(f"{self._access.url} is expected to take images of {repository}, but knows no such project: make it first.")
        with begun:
            location = begun.headers.get("Location")
        if not location:
            raise RegistryError(f"{self._access.url} is expected to say where {repository}@{digest} goes, but says nothing: is that the address of a registry?")
        query = ("&" if "?" in location else "?") + urllib.parse.urlencode({"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer = self._asked("PUT", location + query, _push(repository), data=data, headers=headers)
        if answer is None:
            raise RegistryError(f"{self._access.url} is expected to keep {repository}@{digest}, but has forgotten that its upload began: run this again.")
        answer.close()

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        headers = {"Content-Type": manifest.media_type}
        answer = self._asked("PUT", path_of(repository, "manifests", reference), _push(repository), data=manifest.raw, headers=headers)
        if answer is None:
            raise RegistryError(f"{self._access.url} is expected to take {repository}:{reference}, but knows no such project: make it first.")
        answer.close()

    def delete_manifest(self, repository: str, digest: str) -> None:
        answer = self._asked("DELETE", path_of(repository, "manifests", digest), f"repository:{repository}:delete")
        if answer is not None:
            answer.close()

    # -- asking

    def _certain(self, repository: str, reference: str) -> Manifest:
        found = self.manifest(repository, reference)
        if found is None:
            raise RegistryError(
                f"{self._access.url} is expected to have {repository}@{reference}, which another of its images names, but has not: push it anew."
            )
        return found

    def _pages(self, path: str, scope: str) -> t.Iterator[dict[str, t.Any]]:
        for _page in range(PAGES):
            answer = self._asked("GET", path, scope)
            if answer is None:
                return
            with answer:
                raw, link = answer.read(), answer.headers.get("Link") or ""
            try:
                yield dict(json.loads(raw))
            except (ValueError, TypeError) as exc:
                raise RegistryError(
                    f"{self._access.url} is expected to answer {path} with JSON, but what came is none ({raw[:60]!r}): is that the address of a registry?"
                ) from exc
            found = re.match(r"<([^>]+)>", link)
            if not found:
                return
            # only where on this registry: what we know it by goes nowhere else
            after = urllib.parse.urlsplit(urllib.parse.urljoin(path, found[1]))
            path = f"{after.path}?{after.query}"
        raise RegistryError(f"{self._access.url} is expected to end its list of names, but goes on after {PAGES} pages: see its logs.")

    def _asked(self, method: str, path: str, scope: str, data: t.Any = None, headers: t.Mapping[str, str] | None = None, again: bool = True) -> Body | None:
        """The answer; None of what is not there. C(path) may be a whole address that the registry has given."""
        access, url = self._access, urllib.parse.urljoin(self._base, path)
        try:
            return Body(self._once(method, url, scope, data, headers), access.url)
        except urllib.error.HTTPError as exc:
            raw, bearer = exc.read(), exc.headers.get("WWW-Authenticate") or ""
            if exc.code == 404:
                return None
            if exc.code == 401 and bearer.lower().startswith("bearer") and again and not hasattr(data, "read"):
                self._tokens[scope] = self._token(bearer, scope)
                return self._asked(method, path, scope, data, headers, again=False)
            who = access.username or "a stranger"
            if exc.code in (401, 403):
                raise RegistryError(
                    f"{access.url} is expected to let {who} {method} {path}, but refuses ({exc.code}): correct the password, or who may."
                ) from exc
            raise RegistryError(f"{access.url} is expected to accept {method} {path}, but answers {exc.code}{_reason(raw)}: see its logs.") from exc
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise RegistryError(_away(access.url, exc)) from exc

    def _once(self, method: str, url: str, scope: str, data: t.Any, headers: t.Mapping[str, str] | None) -> http.client.HTTPResponse:
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)
        if scope in self._tokens:
            request.add_unredirected_header("Authorization", f"Bearer {self._tokens[scope]}")
        elif self._access.username:
            request.add_unredirected_header("Authorization", _basic(self._access))
        return t.cast(http.client.HTTPResponse, self._opener.open(request, timeout=self._timeout))

    def _token(self, bearer: str, scope: str) -> str:
        """Source: https://distribution.github.io/distribution/spec/auth/token/."""
        told = dict(re.findall(r'(\w+)="([^"]*)"', bearer))
        query = [("service", told.get("service", "")), *(("scope", each) for each in scope.split())]
        request = urllib.request.Request(f"{told.get('realm', '')}?{urllib.parse.urlencode(query)}")
        if self._access.username:
            request.add_unredirected_header("Authorization", _basic(self._access))
        with self._opener.open(request, timeout=self._timeout) as answer:
            body = json.load(answer)
        return str(body.get("token") or body["access_token"])


def chosen(patterns: t.Sequence[str], registry: Registry, refused: dict[str, str] | None = None) -> list[str]:
    """name:tag of what is there and wanted, in the order of the patterns. Only a pattern whose name has a wildcard asks for all names.

    A name that the registry does not answer for goes into C(refused) with the sentence why, and the others are found; without it that is a RegistryError.
    """
    names: list[str] | None = None
    found: dict[str, None] = {}
    for pattern in patterns:
        repository, _colon, _tag = pattern.rpartition(":")
        if any(sign in repository for sign in "*?["):
            names = registry.repositories() if names is None else names
            repositories = [name for name in names if fnmatch.fnmatchcase(name, repository)]
        else:
            repositories = [repository]
        for name in repositories:
            try:
                tags = registry.tags(name) if refused is None or name not in refused else []
            except RegistryError as exc:
                if refused is None:
                    raise
                refused[name] = str(exc)
                continue
            found.update((image, None) for image in (f"{name}:{tag}" for tag in tags) if fnmatch.fnmatchcase(image, pattern))
    return list(found)


def promote(registry: Registry, repository: str, digest: str, target: str, tag: str) -> None:
    """Give an image a name in another repository of the same registry, as it is; the manifest comes last."""
    manifest = registry.manifest(repository, digest)
    if manifest is None:
        raise RegistryError(f"{repository}@{digest} is expected to be there, but is gone: it was removed a moment ago.")
    for child in manifest.children() if manifest.is_index else []:
        promote(registry, repository, child, target, child)
    for blob, size in [] if manifest.is_index else manifest.blobs():
        if registry.blob_size(target, blob) is None and not registry.mount(target, blob, repository):
            source = registry.blob(repository, blob)
            if source is None:
                raise RegistryError(f"{repository}@{blob} is expected to be there, but is gone: push the image anew.")
            with source:
                registry.upload(target, blob, size, source)
    registry.put_manifest(target, tag, manifest)


class _Plainly(urllib.request.HTTPRedirectHandler):
    """A registry may send one who reads a blob to its object storage; urllib asks there without what was not to be redirected."""

    def redirect_request(self, req: t.Any, fp: t.Any, code: int, msg: str, headers: t.Any, newurl: str) -> t.Any:
        if req.get_method() not in ("GET", "HEAD"):
            return None
        return urllib.request.Request(newurl, method=req.get_method())


class _Local(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Socket(urllib.request.HTTPHandler):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def http_open(self, req: t.Any) -> t.Any:
        return self.do_open(lambda _host, timeout, **_more: _Local(self._path, timeout), req)  # type: ignore[arg-type]


def _away(url: str, exc: Exception) -> str:
    told = str(getattr(exc, "reason", exc)) or type(exc).__name__
    return f"{url} is expected to answer, but does not: {told}. Start it, or correct the address or the certificate."


def _accept() -> dict[str, str]:
    return {"Accept": ", ".join((*INDEXES, *IMAGES))}


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def _basic(access: Access) -> str:
    return "Basic " + base64.b64encode(f"{access.username}:{access.password}".encode()).decode()


def _reason(raw: bytes) -> str:
    try:
        first = json.loads(raw)["errors"][0]
        return f" ({first.get('code')}: {first.get('message')})"
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
