"""Send an image to a registry, or write it as an OCI layout: only what is not there yet."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...display.progress import Progress
from ...io.files import replace_folder
from ...model.reference import Reference
from ..registry.client import MANIFEST, Registry
from ..registry.connection import RegistryError
from ..registry.notes import note, noted
from ..registry.source import Blocks
from .assemble import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...display.console import Console
    from ..registry.client import Descriptor
    from .assemble import Assembled
    from .pack import Packing

_REPOSITORIES = 20


@dataclass(frozen=True, slots=True)
class Sent:
    """The result of sending.

    Attributes:
        digest: The image's digest in its registry.
        size: The bytes that went to the registry.
        layers: The number of our layers that went there.
        mounted: The number of layers that the registry took from other repositories.
        copied: The number of the base's layers that were copied from its registry.
    """

    digest: str
    size: int = 0
    layers: int = 0
    mounted: int = 0
    copied: int = 0


def send(
    image: Assembled,
    target: Registry,
    tag: str,
    source: Registry,
    packing: Packing,
    pack: Callable[[str], None],
    *,
    console: Console,
    share: str = "",
    trust: bool = True,
) -> Sent:
    """Send an image; the tag is set last of all, so that it is the old image until then.

    Args:
        image: Which.
        target: The repository.
        tag: Its name there.
        source: Where its base is.
        packing: Has the archives of our layers.
        pack: Packs the layer of a digest, if its archive is not there any more.
        console: Shows the progress.
        share: A repository of the same registry that all users' layers are put into, and taken
            from.
        trust: Whether a repository has the layers that its images name. A registry that was
            cleaned up by hand may not.

    Raises:
        RegistryError: The registry refuses, or cannot be reached.
        OSError: There is no space for an archive.
    """
    notes, beside = packing.folder / "uploads.json", packing.folder / "pushed.json"
    here = source.connection.registry == target.connection.registry
    # by repository, the last image that was sent there from here, and our layers in it
    known = {key: said for key, said in noted(beside).items() if _is_of(key, target)}
    there = target.layers_of(tag) if trust else set()
    last = known.get(_key(target))
    if trust and last and not there.issuperset(each.digest for each in image.base if not each.urls):
        there |= target.layers_of(last["image"])
    mounted = 0
    missing: list[Descriptor] = []
    for described in {each.digest: each for each in image.base}.values():
        if described.urls or described.digest in there or target.has(described.digest):
            continue
        # of the base's layers only the base's own repository is sure to have them
        if here and target.mount(described.digest, source.repository):
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
    sent = 0

    def told(size: int) -> None:
        nonlocal sent
        sent += size
        console.progress(Progress("Sending", str(target.name), sent, total, "bytes"))

    try:
        for described in missing:
            with _fetched(source, described, packing.folder) as path:
                target.upload(path, described.digest, told, notes)
        for digest, layer in ours.items():
            pack(digest)
            target.upload(packing.path(layer.packed), digest, told, notes)
    finally:
        console.progress(None)
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
        return send(
            image, target, tag, source, packing, pack, console=console, share=share, trust=False
        )
    target.cancel()
    layers = [layer.packed.digest for layer in image.ours]
    note(beside, _key(target), {"image": digest, "layers": layers}, most=_REPOSITORIES)
    shared = Registry(Reference(f"{target.name.registry}/{share}"), target.connection)
    for layer in image.ours:
        packing.forget(layer.packed)
        if share and layer.manager and layer.packed.digest not in shared_already:
            _mounted(shared, layer.packed.digest, target.repository)
    shared.cancel()
    return Sent(digest, sent + len(image.manifest), len(ours), mounted, len(missing))


def _key(target: Registry) -> str:
    return f"{target.connection.registry} {target.repository}"


def _is_of(key: str, target: Registry) -> bool:
    return key.startswith(f"{target.connection.registry} ")


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
    image: Assembled,
    path: Path,
    name: Reference,
    source: Registry,
    packing: Packing,
    pack: Callable[[str], None],
    *,
    console: Console,
) -> int:
    """Write an image as a folder, or as an archive if its name ends in ``.tar``.

    The archive has a ``manifest.json``, too: Docker before 25 loads nothing else.

    Args:
        image: Which.
        path: The path.
        name: Its name when it is loaded.
        source: Where its base is.
        packing: Has the archives of our layers.
        pack: Packs the layer of a digest, if its archive is not there any more.
        console: Shows the progress.

    Returns:
        Its size in bytes.

    Raises:
        RegistryError: The base cannot be read.
        OSError: It cannot be written; the old file stays as it was.
    """
    total = sum(each.size for each in image.base) + sum(o.packed.size for o in image.ours)
    done = 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        console.progress(Progress("Writing", path.name, done, total, "bytes"))

    def fill(add: Callable[[str, int, Iterator[bytes]], None]) -> None:
        for blob, content in _files(image, name):
            add(blob, len(content), iter((content,)))
        for described in {each.digest: each for each in image.base}.values():
            if not described.urls:
                add(_blob(described.digest), described.size, source.blob(described))
                told(described.size)
        for digest, layer in {each.packed.digest: each for each in image.ours}.items():
            pack(digest)
            with open(packing.path(layer.packed), "rb") as file:
                add(_blob(digest), layer.packed.size, iter(lambda: file.read(2**20), b""))
            packing.forget(layer.packed)
            told(layer.packed.size)

    try:
        if path.suffix == ".tar":
            _as_archive(path, fill)
        else:
            replace_folder(path, lambda folder: fill(_FolderOf(folder)))
    finally:
        console.progress(None)
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


def _as_archive(path: Path, fill: Callable[[Any], None]) -> None:
    descriptor, partial = tempfile.mkstemp(
        prefix=f".{path.name[:100]}.", suffix=".partial", dir=path.parent
    )
    try:
        with (
            open(descriptor, "wb") as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
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
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise
