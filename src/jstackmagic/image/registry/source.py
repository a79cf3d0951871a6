"""An image in a registry as a source of its layers, unpacked as they come and checked."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, cast

from ...display.console import ByteCount, Console
from ..root import Layer, Root, read
from .client import Descriptor, Registry, RegistryImage, this_platform
from .connection import RegistryError

_GZIP = 31  # zlib's window bits for a gzip member
_DAMAGED = "A layer cannot be unpacked, so that it is damaged or something else"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def layers_of(
    registry: Registry, image: RegistryImage, report: Callable[[int], None] = lambda _: None
) -> tuple[Layer, ...]:
    """Return an image's layers, for `jstackmagic.image.root`.

    Args:
        report: Called with the number of bytes just read.
    """
    return tuple(
        Layer(digest, partial(_open, registry, described, digest, report))
        for digest, described in zip(image.diff_ids, image.layers, strict=True)
    )


def image_of(registry: Registry) -> RegistryImage:
    """Return the image that a reference names, for the platform of this machine."""
    name = registry.name
    return registry.image(name.digest or name.tag or "latest", this_platform())


def read_root(registry: Registry, image: RegistryImage, console: Console) -> Root:
    """Read the files of an image in a registry; layers that were read before are not sent again."""
    total = sum(layer.size for layer in image.layers)
    with ByteCount(console, "Reading", str(image.name), total) as report:
        return read(layers_of(registry, image, report))


def _open(
    registry: Registry, described: Descriptor, digest: str, report: Callable[[int], None]
) -> BinaryIO:
    def counted() -> Iterator[bytes]:
        for block in registry.blob(described):
            report(len(block))
            yield block

    unpacked = _checked(_unpack(counted()), digest, registry.connection.registry)
    return cast("BinaryIO", io.BufferedReader(Blocks(unpacked), 2**20))


def _unpack(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a layer by its first bytes: OCI has gzip, Zstandard and plain archives."""
    first = next(blocks, b"")
    if first.startswith(b"\x1f\x8b"):
        yield from _members(first, blocks, lambda: zlib.decompressobj(_GZIP), zlib.error)
    elif first.startswith(_ZSTANDARD):
        from ...io.zstd import ZstdDecompressor, ZstdError

        yield from _members(first, blocks, ZstdDecompressor, ZstdError)
    else:
        yield first
        yield from blocks


def _members(
    packed: bytes, blocks: Iterator[bytes], new: Callable[[], Any], damaged: type[Exception]
) -> Iterator[bytes]:
    """Unpack one member (or frame) or several: seekable layers have one a file."""
    unpacking = new()
    try:
        while packed:
            yield unpacking.decompress(packed)
            packed = unpacking.unused_data if unpacking.eof else b""
            packed = packed or next(blocks, b"")
            if unpacking.eof and packed:
                unpacking = new()
    except damaged as error:
        raise RegistryError(f"{_DAMAGED}: {error}") from error


def _checked(blocks: Iterator[bytes], digest: str, registry: str) -> Iterator[bytes]:
    found = hashlib.sha256()
    for block in blocks:
        found.update(block)
        yield block
    if f"sha256:{found.hexdigest()}" != digest:
        raise RegistryError(f"{registry} sends a layer that is not {digest}.")


class Blocks(io.RawIOBase):
    """Blocks of bytes as a file that can be read once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes; return their number."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
