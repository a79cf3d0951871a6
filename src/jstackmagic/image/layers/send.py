"""Send an image to a registry, or write it as an OCI layout: only what is not there yet."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ...display.console import ByteCount, Console
from ...io.files import replace_folder, write_file
from ...model.reference import Reference
from ..registry.client import MANIFEST, Descriptor, Registry, digest_of
from ..registry.connection import RegistryError
from ..registry.notes import note, noted
from ..registry.source import Blocks
from .assemble import Assembled
from .pack import Packing

_REPOSITORIES = 20


@dataclass(frozen=True, slots=True)
class SentImage:
    """The result of sending."""

    digest: str  #: the image's digest in its registry
    size: int = 0  #: the bytes that went to the registry
    layers: int = 0  #: the number of our layers that went there
    mounted: int = 0  #: the number of layers that the registry took from other repositories
    copied: int = 0  #: the number of the base's layers that were copied from its registry


@dataclass(frozen=True)
class Made:
    """An image in layers, ready to be sent."""

    image: Assembled
    packing: Packing
    pack: Callable[[str], None]  #: packs the layer of a digest, unless its archive is there

    @property
    def base(self) -> Iterable[Descriptor]:
        """Return the base's layers that its registry has, each once."""
        found = {each.digest: each for each in self.image.base if not each.urls}
        return found.values()


def send(
    made: Made,
    target: Registry,
    tag: str,
    source: Registry,
    *,
    console: Console,
    share: str = "",
    trust: bool = True,
) -> SentImage:
    """Send an image; the tag is set last of all, so that it is the old image until then.

    Args:
        share: A repository of the same registry that all users' layers are put into, and taken
            from.
        trust: Whether a repository has the layers that its images name. A registry that was
            cleaned up by hand may not.

    Raises:
        RegistryError: The registry refuses, or cannot be reached.
        OSError: There is no space for an archive.
    """
    image, packing = made.image, made.packing
    notes, beside = packing.folder / "uploads.json", packing.folder / "pushed.json"
    here = source.connection.registry == target.connection.registry
    # by repository, the last image that was sent there from here, and our layers in it
    head = f"{target.connection.registry} "
    known = {key: said for key, said in noted(beside).items() if key.startswith(head)}
    there = target.layers_of(tag) if trust else set()
    key = f"{head}{target.repository}"
    last = known.get(key)
    if trust and last and not there.issuperset(each.digest for each in made.base):
        there |= target.layers_of(last["image"])
    mounted = 0
    missing: list[Descriptor] = []
    for described in made.base:
        if described.digest in there or target.has(described.digest):
            continue
        # of the base's layers only the base's own repository is sure to have them
        if here and _mounted(target, described.digest, source.repository):
            mounted += 1
        else:
            missing.append(described)
    ours, shared_already = {}, set()
    for layer in image.ours:
        digest = layer.packed.digest
        if digest in there or target.has(digest):
            continue
        places = [key.partition(" ")[2] for key, said in known.items() if digest in said["layers"]]
        # the histories are each user's own
        if share and layer.manager and target.repository != share:
            places = [share, *places]
        of = next((name for name in places if _mounted(target, digest, name)), "")
        if of:
            mounted += 1
            shared_already |= {digest} if of == share else set()
        else:
            ours[digest] = layer
    total = sum(each.size for each in missing)
    total += sum(layer.packed.size for layer in ours.values())
    with ByteCount(console, "Sending", str(target.name), total) as report:
        for described in missing:
            with _fetched(source, described, packing.folder) as path:
                target.upload(path, described.digest, report, notes)
        for digest, layer in ours.items():
            made.pack(digest)
            target.upload(packing.path(layer.packed), digest, report, notes)
    sent = report.done
    config = digest_of(image.config)
    if not target.has(config):
        with tempfile.NamedTemporaryFile(dir=packing.folder, suffix=".partial") as file:
            file.write(image.config)
            file.flush()
            target.upload(Path(file.name), config, lambda _: None, notes)
            sent += len(image.config)
    try:
        digest = target.put_manifest(tag, image.manifest)
    except RegistryError as error:
        if not trust or "BLOB_UNKNOWN" not in error.problem:
            raise
        return send(made, target, tag, source, console=console, share=share, trust=False)
    target.cancel()
    layers = [layer.packed.digest for layer in image.ours]
    note(beside, key, {"image": digest, "layers": layers}, most=_REPOSITORIES)
    shared = Registry(Reference(f"{target.name.registry}/{share}"), target.connection)
    packing.sent()
    for layer in image.ours:
        if share and layer.manager and layer.packed.digest not in shared_already:
            _mounted(shared, layer.packed.digest, target.repository)
    shared.cancel()
    return SentImage(digest, sent + len(image.manifest), len(ours), mounted, len(missing))


def _mounted(target: Registry, digest: str, source: str) -> bool:
    with suppress(RegistryError):  # it may not be ours to read
        return target.mount(digest, source)
    return False


@contextmanager
def _fetched(source: Registry, described: Descriptor, folder: Path) -> Iterator[Path]:
    """Yield a blob of a registry in a file, checked."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".partial") as file:
        for block in source.blob(described):
            file.write(block)
        file.flush()
        yield Path(file.name)


# A layout of OCI's: https://github.com/opencontainers/image-spec/blob/main/image-layout.md


def write_layout(
    made: Made, path: Path, name: Reference, source: Registry, console: Console
) -> int:
    """Write an image as a folder, or as an archive if its name ends in ``.tar``.

    The archive has a ``manifest.json``, too: Docker before 25 loads nothing else.

    Returns:
        Its size in bytes.

    Raises:
        RegistryError: The base cannot be read.
        OSError: It cannot be written; the old file stays as it was.
    """
    image, packing = made.image, made.packing
    total = sum(each.size for each in image.base) + sum(o.packed.size for o in image.ours)
    report = ByteCount(console, "Writing", path.name, total)

    def fill(add: Callable[[str, int, Iterator[bytes]], None]) -> None:
        for blob, content in _files(image, name):
            add(blob, len(content), iter((content,)))
        for described in made.base:
            add(_blob(described.digest), described.size, source.blob(described))
            report(described.size)
        for digest, layer in {each.packed.digest: each for each in image.ours}.items():
            made.pack(digest)
            with open(packing.path(layer.packed), "rb") as file:
                add(_blob(digest), layer.packed.size, iter(lambda: file.read(2**20), b""))
            report(layer.packed.size)

    with report:
        if path.suffix == ".tar":
            write_file(path, partial(_as_archive, fill), mode=0o644)
        else:
            replace_folder(path, lambda folder: fill(_FolderOf(folder)))
    packing.sent()
    return total


def _files(image: Assembled, name: Reference) -> Iterator[tuple[str, bytes]]:
    manifest = {
        "mediaType": MANIFEST,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {
            "org.opencontainers.image.ref.name": name.tag,
            "io.containerd.image.name": str(name),
        },
    }
    blobs = [*(each.digest for each in image.base), *(each.packed.digest for each in image.ours)]
    config = digest_of(image.config)
    saved = [{"Config": _blob(config), "RepoTags": [str(name)], "Layers": list(map(_blob, blobs))}]
    yield "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
    yield "index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    yield "manifest.json", json.dumps(saved).encode()
    yield _blob(image.digest), image.manifest
    yield _blob(config), image.config


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


class _FolderOf:
    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        (self._folder / "blobs/sha256").mkdir(parents=True)

    def __call__(self, name: str, _size: int, blocks: Iterator[bytes]) -> None:
        with open(self._folder / name, "wb") as file:
            file.writelines(blocks)


def _as_archive(fill: Callable[[Any], None], file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        # else skopeo makes them, and gives them to root: only root may
        for folder in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)

        def add(name: str, size: int, blocks: Iterator[bytes]) -> None:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BufferedReader(Blocks(blocks)))

        fill(add)
