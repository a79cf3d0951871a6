"""Images in a registry: manifests and blobs are read, checked, mounted and sent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests

from ...model.reference import Reference
from .connection import Connection, NotFound, RegistryError
from .notes import note, noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
_LARGEST = 8 * 2**20  # bytes; a larger file is not a manifest or a configuration


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A manifest's description of a blob.

    Attributes:
        digest: ``sha256:`` and its hexadecimal digits.
        size: Its size in bytes.
        media_type: Its media type.
        annotations: Its annotations.
        urls: Its URLs, if it is not in the registry.
    """

    digest: str
    size: int
    media_type: str = LAYER
    annotations: Mapping[str, str] = field(default_factory=dict)
    urls: tuple[str, ...] = ()

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
class Image:
    """An image in its registry.

    Attributes:
        name: Its reference, as requested.
        repository: Its name without the registry.
        digest: The digest of its manifest; in an index of platforms, that of the platform.
        named: The digest of the reference itself: the index's, or the same.
        layers: Its layers, the lowest first.
        config: The configuration: command, user and history.
    """

    name: Reference
    repository: str
    digest: str
    named: str
    layers: tuple[Descriptor, ...]
    config: Mapping[str, Any]

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
    def variables(self) -> dict[str, str]:
        """Return its environment variables."""
        return dict(v.partition("=")[::2] for v in self.settings.get("Env") or ())

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
        self._spare = ""

    def _scope(self, actions: str = "pull") -> str:
        return f"repository:{self.repository}:{actions}"

    def _path(self, rest: str) -> str:
        return f"{self.repository}/{rest}"

    # Reading

    def image(self, reference: str, platform: str) -> Image:
        """Return an image; if it has several platforms, the image for one.

        Args:
            reference: A tag or a digest.
            platform: ``linux/amd64``.

        Raises:
            NotFound: There is no such image, or none for that platform.
            RegistryError: It cannot be read.
        """
        kind, content = self._manifest(reference)
        named = digest = _digest(content)
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
        config = _json(self.small_blob(described), f"The configuration of {self.name}")
        if len((config.get("rootfs") or {}).get("diff_ids") or ()) != len(layers):
            raise RegistryError(
                f"{self.name} is not an image of a container: its layers do not match."
            )
        return Image(self.name, self.repository, digest, named, layers, config)

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
            "GET", path, scope=self._scope(), stream=True, headers=accept
        ) as response:
            content = _limited(_blocks(response), f"The manifest of {self.name}")
            said = response.headers.get("Docker-Content-Digest")
        found = _digest(content)
        if any(found != each for each in (said, reference) if each and each.startswith("sha256:")):
            raise _lie(self.connection.registry, f"the manifest {reference}")
        return response.headers.get("Content-Type", "").partition(";")[0], content

    def small_blob(self, described: Descriptor) -> bytes:
        """Return the content of a blob that fits into memory.

        Raises:
            RegistryError: It cannot be read, or is not what its digest says.
        """
        return _limited(self.blob(described), f"{described.digest} of {self.name}")

    def blob(self, described: Descriptor) -> Iterator[bytes]:
        """Yield the content of a blob as it comes; if the connection drops, go on from there.

        Raises:
            RegistryError: It cannot be read, or (at the end) does not have its digest.
        """
        if not described.digest.startswith("sha256:"):
            raise RegistryError(f"{described.digest} is of a kind that is not known here.")
        path, done, drops = self._path(f"blobs/{described.digest}"), 0, 0
        digest = hashlib.sha256()
        while True:
            headers = {"Range": f"bytes={done}-"} if done else {}
            # a blob that is packed is not to be unpacked on the way
            response = self.connection.ask(
                "GET", path, scope=self._scope(), expect=(200, 206), stream=True, headers=headers
            )
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
        path = self._path(f"blobs/{digest}")
        scope = self._scope("pull,push")
        try:
            self.connection.ask("HEAD", path, scope=scope, allow_redirects=True)
        except NotFound:
            return False
        return True

    def mount(self, digest: str, source: str) -> bool:
        """Have the registry give this repository a blob of another; return whether it did.

        Args:
            digest: The blob's.
            source: The name of that repository.
        """
        query = urlencode({"mount": digest, "from": source})
        scope = f"{self._scope('pull,push')} repository:{source}:pull"
        response = self.connection.ask(
            "POST", self._path(f"blobs/uploads/?{query}"), scope=scope, expect=(201, 202)
        )
        if response.status_code == 202:  # it began an upload instead, which the next blob can take
            self.cancel()
            self._spare = response.headers.get("Location", "")
        return response.status_code == 201

    def cancel(self) -> None:
        """Cancel the upload that a refused mount began, if no blob took it."""
        location, self._spare = self._spare, ""
        if location:
            with suppress(RegistryError):
                scope = self._scope("pull,push")
                self.connection.ask(
                    "DELETE", location, scope=scope, expect=(200, 202, 204), tries=1
                )

    def upload(self, path: Path, digest: str, told: Callable[[int], None], notes: Path) -> None:
        """Send a blob in parts; parts that an earlier try has sent are not sent again.

        Args:
            path: Its file.
            digest: Its digest.
            told: Called with the number of bytes just sent.
            notes: The file to note the progress in.

        Raises:
            RegistryError: The registry refuses it, or reports another digest.
        """
        size, scope = os.stat(path).st_size, self._scope("pull,push")
        place = f"{self.name.name}@{digest}"
        location, done = self._begun(noted(notes).get(place, ""))
        if size <= _CHUNK and not done:
            with suppress(RegistryError):
                self._finish(location, digest, path.read_bytes(), tries=1)
                told(size)
                return
            location, done = self._begun("")
        told(done)
        with open(path, "rb") as file:
            drops = 0
            while done < size:
                file.seek(done)
                part = file.read(_CHUNK)
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{done}-{done + len(part) - 1}",
                }
                try:
                    response = self.connection.ask(
                        "PATCH", location, scope=scope, expect=(202,), tries=1,
                        data=part, headers=headers,
                    )  # fmt: skip
                except RegistryError:
                    drops += 1
                    if drops > 3:
                        raise
                    was = done
                    location, done = self._begun(location)
                    told(done - was)
                    continue
                drops = 0
                location = response.headers.get("Location") or location
                told(len(part))
                done += len(part)
                note(notes, place, location)
        self._finish(location, digest)
        note(notes, place, None)

    def _finish(self, location: str, digest: str, content: bytes = b"", **more: Any) -> None:
        """End an upload, with the whole blob where nothing of it was sent before."""
        query = f"{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(content))}
        response = self.connection.ask(
            "PUT",
            location + query,
            scope=self._scope("pull,push"),
            expect=(201, 204),
            headers=headers,
            data=content,
            **more,
        )
        if response.headers.get("Docker-Content-Digest", digest) != digest:
            raise _lie(self.connection.registry, digest)

    def _begun(self, location: str) -> tuple[str, int]:
        """Return an upload's URL, and the bytes already there; begin a new one if need be."""
        scope = self._scope("pull,push")
        if location:
            with suppress(RegistryError):
                response = self.connection.ask("GET", location, scope=scope, expect=(204,))
                last = response.headers.get("Range", "").rpartition("-")[2]
                # an empty upload has the range 0-0, as one of a single byte has
                done = int(last) + 1 if last not in ("", "0") else 0
                return response.headers.get("Location") or location, done
        location, self._spare = self._spare, ""
        if not location:
            path = self._path("blobs/uploads/")
            nothing = {"Content-Length": "0"}
            response = self.connection.ask(
                "POST", path, scope=scope, expect=(202,), headers=nothing
            )
            location = response.headers["Location"]
        return location, 0

    def put_manifest(self, tag: str, content: bytes) -> str:
        """Give a tag to an image whose blobs are all there; return the manifest's digest.

        Raises:
            RegistryError: The registry refuses it, or reports another digest.
        """
        path, scope = self._path(f"manifests/{tag}"), self._scope("pull,push")
        headers = {"Content-Type": MANIFEST}
        digest = _digest(content)
        response = self.connection.ask(
            "PUT", path, scope=scope, expect=(200, 201), data=content, headers=headers
        )
        if response.headers.get("Docker-Content-Digest", digest) != digest:
            raise _lie(self.connection.registry, f"the manifest of {tag}")
        return digest


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
    wanted = platform.split("/")
    there = []
    for each in index.get("manifests") or ():
        has = each.get("platform") or {}
        parts = [has.get("os", ""), has.get("architecture", ""), has.get("variant", "")]
        if parts[: len(wanted)] == wanted and each.get("mediaType", MANIFEST) in _MANIFESTS:
            return str(each["digest"])
        there.append("/".join(part for part in parts if part))
    known = ", ".join(dict.fromkeys(each for each in there if not each.startswith("unknown")))
    raise NotFound(f"{name} has no image for {platform}: only for {known or 'none'}.")


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


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _lie(registry: str, what: str) -> RegistryError:
    return RegistryError(
        f"{registry} does not keep what it was given, or changes it: {what} is something else.",
        kept="Nothing of it was used.",
    )
