"""Images in a registry: manifests and blobs are read, checked, mounted and sent."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import requests

from ...model.reference import Reference, parse
from ..engine.labels import BASE, BASE_DIGEST
from .connection import Connection, NotFound, RegistryError
from .notes import note, noted

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MANIFESTS = (MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

_CHUNK = 8 * 2**20  # bytes of one part of an upload
_BLOCK = 2**18
_DONE = (200, 201, 202, 204)
_BYTES = {"Content-Type": "application/octet-stream"}
_SIGNED = "application/vnd.docker.distribution.manifest.v1"
_LARGEST = 8 * 2**20  # bytes; a larger file is not a manifest or a configuration


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A manifest's description of a blob."""

    digest: str  #: ``sha256:`` and its hexadecimal digits
    size: int  #: its size in bytes
    media_type: str = LAYER
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()  #: its URLs, if it is not in the registry

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Descriptor:
        """Read one."""
        return cls(
            str(found["digest"]),
            int(found["size"]),
            str(found.get("mediaType", LAYER)),
            dict(found.get("annotations") or {}),
            tuple(found.get("urls") or ()),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it, in OCI's words."""
        kind = self.media_type.replace("docker.image.rootfs.diff.tar.gzip", "oci.image.layer.v1")
        kind = f"{kind}.tar+gzip" if kind.endswith("layer.v1") else kind
        more = {"annotations": dict(self.annotations), "urls": list(self.urls)}
        return {
            "mediaType": kind,
            "digest": self.digest,
            "size": self.size,
            **{key: value for key, value in more.items() if value},
        }


@dataclass(frozen=True)
class RegistryImage:
    """An image in its registry."""

    name: Reference  #: its reference, as requested
    repository: str  #: its name without the registry
    digest: str  #: the digest of its manifest; in an index of platforms, that of the platform
    named: str  #: the digest of the reference itself: the index's, or the same
    layers: tuple[Descriptor, ...]  #: its layers, the lowest first
    config: Mapping[str, Any]  #: the configuration: command, user and history

    @property
    def labels(self) -> dict[str, str]:
        """Return its labels."""
        return dict(self.settings.get("Labels") or {})

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its run settings: ``User``, ``Env``, ``Entrypoint``."""
        found = self.config.get("config")
        return found if isinstance(found, dict) else {}

    @property
    def base(self) -> Reference | None:
        """Return the image that its labels say it was made on, with its digest; None without."""
        if not self.labels.get(BASE):
            return None
        named = parse(self.labels[BASE])
        return replace(named, digest=self.labels.get(BASE_DIGEST) or named.digest)

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Return the digests of its layers, unpacked."""
        return tuple((self.config.get("rootfs") or {}).get("diff_ids") or ())

    @property
    def platform(self) -> str:
        """Return such as ``linux/amd64``."""
        parts = (self.config.get(key) for key in ("os", "architecture", "variant"))
        return "/".join(str(part) for part in parts if part)


class Registry:
    """One repository of a registry.

    Args:
        name: An image's reference; its tag and digest do not matter.
        connection: To its registry; by default a new one.
    """

    def __init__(self, name: Reference, connection: Connection | None = None) -> None:
        self.name = name
        self.connection = connection or Connection(name.registry)
        path = name.name.removeprefix(f"{name.registry}/") if name.registry else name.name
        own = name.registry not in ("", "docker.io") or "/" in path
        self.repository = path if own else f"library/{path}"
        self._pulling = f"repository:{self.repository}:pull"
        self._pushing = f"{self._pulling},push"
        self._spare = ""

    def _path(self, rest: str) -> str:
        return f"{self.repository}/{rest}"

    # Reading

    def image(self, reference: str, platform: str) -> RegistryImage:
        """Return an image; if it has several platforms, the image for one.

        Args:
            reference: A tag or a digest.
            platform: ``linux/amd64``.

        Raises:
            NotFound: There is no such image, or none for that platform.
            RegistryError: It cannot be read.
        """
        kind, content = self._manifest(reference)
        named = digest = digest_of(content)
        manifest = _json(content, f"The manifest of {self.name}")
        if kind in INDEXES or "manifests" in manifest:
            digest = _choose(manifest, platform, self.name)
            kind, content = self._manifest(digest)
            manifest = _json(content, f"The manifest of {self.name}")
        try:
            layers = tuple(Descriptor.of(each) for each in manifest["layers"])
            described = Descriptor.of(manifest["config"])
        except (KeyError, TypeError, ValueError):
            raise RegistryError(f"{self.name} is not an image of a container: {kind}") from None
        what = f"The configuration of {self.name}"
        config = _json(_limited(self.blob(described), what), what)
        if len((config.get("rootfs") or {}).get("diff_ids") or ()) != len(layers):
            raise RegistryError(
                f"{self.name} is not an image of a container: its layers do not match."
            )
        return RegistryImage(self.name, self.repository, digest, named, layers, config)

    def layers_of(self, tag: str) -> set[str]:
        """Return the digests of a tag's layers, which the repository has; none without the tag."""
        with suppress(RegistryError):
            _, content = self._manifest(tag)
            found = _json(content, f"The manifest of {self.name}").get("layers")
            return {str(each.get("digest")) for each in found or ()}
        return set()

    def _manifest(self, reference: str) -> tuple[str, bytes]:
        accept = {"Accept": ", ".join((*_MANIFESTS, *INDEXES))}
        path = self._path(f"manifests/{reference}")
        with self.connection.ask(
            "GET", path, scope=self._pulling, stream=True, headers=accept
        ) as response:
            content = _limited(_blocks(response), f"The manifest of {self.name}")
            said = response.headers.get("Docker-Content-Digest")
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if kind.startswith(_SIGNED):  # whose digest is not that of its bytes
            raise RegistryError(
                f"{self.name} is an image in Docker's first format, which has no layers to share.",
                advice="Pull it and push it again with an engine of today.",
            )
        found = digest_of(content)
        if any(found != each for each in (said, reference) if each and each.startswith("sha256:")):
            raise _lie(self.connection.registry, f"the manifest {reference}")
        return kind, content

    def blob(self, described: Descriptor) -> Iterator[bytes]:
        """Yield the content of a blob as it comes; if the connection drops, go on from there.

        Raises:
            RegistryError: It cannot be read, or (at the end) does not have its digest.
        """
        if not described.digest.startswith("sha256:"):
            raise RegistryError(f"{described.digest} is of an unknown kind.")
        path, done, drops = self._path(f"blobs/{described.digest}"), 0, 0
        digest, urls = hashlib.sha256(), list(described.urls)
        while True:
            headers = {"Range": f"bytes={done}-"} if done else {}
            # a blob that is packed is not to be unpacked on the way
            try:
                response = self.connection.ask(
                    "GET", path, scope=self._pulling, expect=(200, 206), stream=True,
                    headers=headers,
                )  # fmt: skip
            except NotFound:
                if not urls:
                    raise
                path = urls.pop(0)  # a layer that its registry may not give to others
                continue
            skip = done if response.status_code == 200 else 0
            before = done
            try:
                with response:
                    for block in _blocks(response):
                        new = block[skip:]
                        skip = max(0, skip - len(block))
                        done += len(new)
                        if done > described.size:
                            raise _lie(self.connection.registry, described.digest)
                        digest.update(new)
                        yield new
            except requests.RequestException as error:
                drops = 0 if done > before else drops + 1
                if drops > 3:
                    raise RegistryError(
                        f"{self.connection.registry} breaks off: {error}"
                    ) from error
                continue
            if done < described.size and done > before:
                continue
            break
        if f"sha256:{digest.hexdigest()}" != described.digest:
            raise _lie(self.connection.registry, described.digest)

    # Writing

    def has(self, digest: str) -> bool:
        """Return whether the repository has a blob."""
        path, scope = self._path(f"blobs/{digest}"), self._pushing
        # a registry that does not take HEAD is sent the blob
        with suppress(NotFound):
            answer = self.connection.ask(
                "HEAD", path, scope=scope, expect=(200, 405, 501), allow_redirects=True
            )
            return answer.status_code == 200
        return False

    def mount(self, digest: str, source: str) -> bool:
        """Have the registry give this repository a blob of another; return whether it did."""
        query = urlencode({"mount": digest, "from": source})
        scope = f"{self._pushing} repository:{source}:pull"
        response = self.connection.ask(
            "POST", self._path(f"blobs/uploads/?{query}"), scope=scope, expect=(201, 202)
        )
        if response.status_code == 202:  # it began an upload instead, which the next blob can take
            self.cancel()
            self._spare = _next(response, "")
        return response.status_code == 201

    def cancel(self) -> None:
        """Cancel the upload that a refused mount began, if no blob took it."""
        location, self._spare = self._spare, ""
        if location:
            with suppress(RegistryError):
                self.connection.ask("DELETE", location, scope=self._pushing, expect=_DONE, tries=1)

    def upload(self, path: Path, digest: str, report: Callable[[int], None], notes: Path) -> None:
        """Send a blob in parts; parts that an earlier try has sent are not sent again.

        Args:
            report: Called with the number of bytes just sent.
            notes: The file to note the progress in.

        Raises:
            RegistryError: The registry refuses it, or reports another digest.
        """
        place = f"{self.name.name}@{digest}"
        location, done = self._begun(noted(notes).get(place, ""))
        with _Followed(path, report) as file:
            in_parts = done > 0 or os.stat(path).st_size > _CHUNK
            try:
                self._sent(
                    file, digest, location, done, in_parts, lambda to: note(notes, place, to)
                )
            except RegistryError:  # one registry takes no parts, and another nothing else
                file.seek(0)
                location, _ = self._begun("")
                self._sent(file, digest, location, 0, not in_parts, lambda _: None)
        note(notes, place, None)

    def _sent(
        self,
        file: _Followed,
        digest: str,
        location: str,
        done: int,
        in_parts: bool,
        at: Callable[[str], None],
    ) -> None:
        """Send a blob in parts, or in one request."""
        file.seek(done)
        drops = 0
        while in_parts and (part := file.read(_CHUNK)):
            end = file.tell()
            headers = {**_BYTES, "Content-Range": f"{end - len(part)}-{end - 1}"}
            try:
                response = self.connection.ask(
                    "PATCH", location, scope=self._pushing, expect=_DONE, tries=1,
                    data=part, headers=headers,
                )  # fmt: skip
            except RegistryError:
                drops += 1
                if drops > 3:
                    raise
                location, done = self._begun(location)
                file.seek(done)
                continue
            drops = 0
            location = _next(response, location)
            at(location)
        query = f"{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
        whole: dict[str, Any] = {} if in_parts else {"data": file, "tries": 1}
        response = self.connection.ask(
            "PUT", location + query, scope=self._pushing, expect=_DONE, headers=_BYTES,
            **whole,
        )  # fmt: skip
        if response.headers.get("Docker-Content-Digest", digest) != digest:
            raise _lie(self.connection.registry, digest)

    def _begun(self, location: str) -> tuple[str, int]:
        """Return an upload's URL, and the bytes already there; begin a new one if need be."""
        scope = self._pushing
        if location:
            with suppress(RegistryError):
                response = self.connection.ask("GET", location, scope=scope, expect=(204,))
                last = response.headers.get("Range", "").rpartition("-")[2]
                # an empty upload has the range 0-0, as one of a single byte has
                done = int(last) + 1 if last not in ("", "0") else 0
                return _next(response, location), done
        location, self._spare = self._spare, ""
        if not location:
            path = self._path("blobs/uploads/")
            response = self.connection.ask("POST", path, scope=scope, expect=_DONE)
            location = _next(response, "")
        if not location:
            raise RegistryError(f"{self.connection.registry} says nowhere to send a blob to.")
        return location, 0

    def put_manifest(self, tag: str, content: bytes) -> str:
        """Give a tag to an image whose blobs are all there; return the manifest's digest.

        Raises:
            RegistryError: The registry refuses it, or reports another digest.
        """
        path, scope = self._path(f"manifests/{tag}"), self._pushing
        headers = {"Content-Type": MANIFEST}
        digest = digest_of(content)
        response = self.connection.ask(
            "PUT", path, scope=scope, expect=(200, 201), data=content, headers=headers
        )
        if response.headers.get("Docker-Content-Digest", digest) != digest:
            raise _lie(self.connection.registry, f"the manifest of {tag}")
        return digest


class _Followed(io.FileIO):
    """A file that reports by how many bytes each read and seek moves it on."""

    def __init__(self, path: Path, report: Callable[[int], None]) -> None:
        super().__init__(path)
        self._report = report

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(-1 if size is None else size) or b""
        self._report(len(block))
        return block

    def seek(self, to: int, whence: int = 0, /) -> int:
        was, now = self.tell(), super().seek(to, whence)
        self._report(now - was)
        return now


def _next(response: requests.Response, location: str) -> str:
    """Return where an upload goes on: the place that an answer names, or the last one."""
    said = response.headers.get("Location", "")
    return urljoin(response.url, said) if said else location


@contextmanager
def opened(name: Reference, connection: Connection | None = None) -> Iterator[Registry]:
    """Yield a repository, for as long as it is needed."""
    registry = Registry(name, connection)
    try:
        yield registry
    finally:
        if connection is None:
            registry.connection.close()


def this_platform() -> str:
    """Return the platform of this machine, in the images' words."""
    machine = os.uname().machine
    words = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6"}
    return f"linux/{words.get(machine, machine)}"


def _choose(index: Mapping[str, Any], platform: str, name: Reference) -> str:
    """Return the digest of a platform's manifest."""
    there = dict[str, str]()
    for each in index.get("manifests") or ():
        if each.get("mediaType", MANIFEST) in _MANIFESTS:
            has = each.get("platform") or {}
            parts = (str(has.get(key) or "") for key in ("os", "architecture", "variant"))
            there.setdefault("/".join(filter(None, parts)), str(each.get("digest")))
    # linux/amd64 before linux/amd64/v3, which not every machine runs
    for known in sorted(there, key=len):
        if f"{known}/".startswith(f"{platform}/"):
            return there[known]
    shown = ", ".join(known for known in there if not known.startswith("unknown"))
    raise NotFound(f"{name} has no image for {platform}: only for {shown or 'none'}.")


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it was sent."""
    from urllib3.exceptions import HTTPError

    response.raw.enforce_content_length = True
    try:
        while block := response.raw.read(_BLOCK, decode_content=False):
            yield block
    except (HTTPError, OSError) as error:
        raise requests.ConnectionError(str(error)) from error


def _limited(blocks: Iterator[bytes], what: str) -> bytes:
    content = b""
    for block in blocks:
        content += block
        if len(content) > _LARGEST:
            raise RegistryError(f"{what} is too large.")
    return content


def _json(content: bytes, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RegistryError(f"{what} cannot be read.")
    return found


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _lie(registry: str, what: str) -> RegistryError:
    return RegistryError(
        f"{registry} does not keep what it was given, or changes it: {what} is something else.",
        kept="Nothing of it was used.",
    )
