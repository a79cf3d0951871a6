"""The container that this process runs in, as the engine knows it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from ...model.errors import UsageError
from ...model.reference import Reference, written
from ...where.host import Host
from .dockersdk import ContainerEngine, speaking, variables_of
from .roots import is_there


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host, or a volume, inside the container."""

    source: str  #: its path on the host; empty if it has none
    target: str  #: its path in the container


@dataclass(frozen=True, slots=True)
class Container:
    """A container, inspected."""

    id: str  #: 64 hexadecimal digits
    name: str  #: the engine's name for it
    image: str  #: the reference it was started from, as it was written
    image_id: str
    mounts: tuple[Mount, ...] = ()  #: its mounts, the deepest first
    created: str = ""  #: when it was made, ISO 8601
    driver: str = ""  #: the engine's storage driver, ``overlay2`` say

    def on_host(self, path: str) -> str | None:
        """Return a container path's path on the host; None if no mount brought it."""
        path = os.path.realpath(path)
        mount = self._mount_of(path)
        if mount is None or not mount.source:
            return None
        return os.path.normpath(f"{mount.source}/{os.path.relpath(path, mount.target)}")

    def is_mounted(self, path: str) -> bool:
        """Return whether a path of this container is on a mount, and so in none of its layers."""
        return self._mount_of(os.path.realpath(path)) is not None

    def _mount_of(self, path: str) -> Mount | None:
        targets = ((mount, mount.target.rstrip("/")) for mount in self.mounts)
        return next((m for m, top in targets if path == top or path.startswith(f"{top}/")), None)


def this_container(engine: ContainerEngine, host: Host) -> Container | None:
    """Return this process's container; None if it is not one of this engine's.

    The control group and the mounts can be another container's (``--network
    container:X``), any user can set a host name, and an engine can be another machine's. So the
    engine is asked for the container with a file that was just made here.

    Raises:
        EngineError: The engine cannot be asked.
    """
    if host.runtime is None:
        return None
    with _marker() as (path, is_own), speaking("The containers could not be asked for"):
        holders = (
            candidate
            for candidate in _candidates(engine, host.container_id)
            if is_there(engine, candidate, path)
        )
        # a volume can be in several containers; the root file system is in one
        found = list(islice(holders, 1 if is_own else 2))
        if len(found) != 1:
            return None
        return _inspected(engine.client.api.inspect_container(found[0]))


def named_container(engine: ContainerEngine, name: str) -> Container:
    """Return a container by its name or id.

    Raises:
        UsageError: There is no such container.
        EngineError: The engine cannot be asked.
    """
    from docker.errors import NotFound

    with speaking(f"The container {name} cannot be looked at"):
        try:
            return _inspected(engine.client.api.inspect_container(name))
        except NotFound:
            running = [each["Names"][0].lstrip("/") for each in engine.client.api.containers()]
            raise UsageError(
                f"There is no container {name}.",
                kept="Nothing was compared.",
                advice=f"These run: {', '.join(sorted(running)) or 'none'}",
            ) from None


@contextlib.contextmanager
def _marker() -> Iterator[tuple[str, bool]]:
    """Yield a new file, and whether it is in the root file system rather than on a volume.

    A tmpfs, as ``/tmp`` often is, would not be seen by the engine at all.
    """
    folders = [
        folder
        for folder in (os.path.expanduser("~"), sys.prefix, "/var/tmp", "/tmp")  # noqa: S108
        if os.access(folder, os.W_OK)
    ]
    root = os.stat("/").st_dev
    own = next((folder for folder in folders if os.stat(folder).st_dev == root), None)
    folder = own or next(iter(folders), None)
    with tempfile.NamedTemporaryFile(prefix=".jstackmagic-here-", dir=folder) as file:
        yield file.name, own is not None


def _candidates(engine: ContainerEngine, likely: str | None) -> Iterator[str]:
    """Yield the likely container, then the others that run."""
    if likely:
        yield likely
    for summary in engine.client.api.containers():
        if summary["Id"] != likely:
            yield summary["Id"]


def _inspected(details: dict[str, Any]) -> Container:
    mounts = [
        Mount(str(mount.get("Source") or ""), str(mount["Destination"]))
        for mount in details.get("Mounts") or ()
    ]
    return Container(
        id=details["Id"],
        name=details["Name"].lstrip("/"),
        image=details["Config"]["Image"],
        image_id=details["Image"],
        mounts=tuple(sorted(mounts, key=lambda mount: len(mount.target), reverse=True)),
        created=details["Created"],
        driver=(details.get("GraphDriver") or {}).get("Name", ""),
    )


@dataclass(frozen=True, slots=True)
class ContainerBase:
    """An image to build on."""

    reference: str  #: the text after FROM, with the digest if it has one
    image_id: str = ""  #: its id; empty if the engine does not have it yet
    digest: str = ""  #: ``sha256:…``, from its registry; empty if it came from none
    variables: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = ""  #: the user of its containers; empty for root or if unknown


def base_of(engine: ContainerEngine, container: Container) -> ContainerBase:
    """Return the image that a container runs, named so that it can be built on.

    Raises:
        EngineError: The engine cannot be asked.
    """
    with speaking(f"The image of this container, {container.image}, cannot be looked at"):
        image = engine.client.images.get(container.image_id)
        tags = image.tags
        said = written(container.image).with_tag
        digest = _digest_of(image, said)
        if digest:
            reference = f"{replace(said, digest='')}@{digest}"
        elif str(said) in tags:
            reference = str(said)
        elif tags:
            reference = tags[0]
        else:  # its name has gone to another image since, or it never had one
            name = f"jstackmagic/base:{container.image_id.rpartition(':')[2][:12]}"
            image.tag(*name.split(":"))
            reference = name
    return _base(image, reference, digest)


def named_base(engine: ContainerEngine, reference: str) -> ContainerBase:
    """Return an image that the user named; unknown fields are empty.

    Raises:
        EngineError: The engine cannot be asked.
    """
    from docker.errors import ImageNotFound

    with speaking(f"{reference} cannot be looked at"):
        try:
            image = engine.client.images.get(reference)
        except ImageNotFound:
            return ContainerBase(reference, digest=reference.partition("@")[2])
    return _base(image, reference, _digest_of(image, written(reference)))


def _base(image: Any, reference: str, digest: str) -> ContainerBase:
    return ContainerBase(
        reference=reference,
        image_id=image.id,
        digest=digest,
        variables=variables_of(image.attrs["Config"]),
        labels=image.labels,
        user=image.attrs["Config"].get("User") or "",
    )


def _digest_of(image: Any, reference: Reference) -> str:
    """Return an image's digest in the repository of a reference; empty if it came from another."""
    digests = map(written, image.attrs.get("RepoDigests") or ())
    return next((each.digest for each in digests if each.name == reference.name), "")
