"""Layers as archives: the same bytes for the same contents, whoever packs them, and when."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import tempfile
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...io.files import write_file
from ...model.errors import JStackMagicError
from ..registry.notes import note, noted
from ..root import CAPABILITY
from .contents import WHITEOUT, Contents, LayerItem

_TIME = 315_619_200
"""Of every file: 1980-01-02 UTC, which a ZIP archive can hold in every time zone."""

_LEVEL = 4  # of the bytes of level 6 a few percent more, in two thirds of its time
_THREADS = min(4, os.cpu_count() or 1)
_WAITING = 8  # blocks that are read and not yet packed
_BLOCK = 2**20  # bytes; a part of the format, since each is compressed on its own
_LEAST = 2**16  # bytes of a part that may end where a folder does; of the format, too
_DEPTH = 4  # folders below the environment: lib/python3.11/site-packages/NAME
_LARGEST = 8 * _BLOCK  # bytes of a part that is taken from an earlier archive
_FORMAT = f"3 {_LEVEL} {_BLOCK} {_LEAST} {_DEPTH} {zlib.ZLIB_RUNTIME_VERSION}"
_KEPT = 7 * 86_400  # seconds, for the next try
_KEPT_SIZE = 2**27  # bytes of the archives that are kept once they were sent


class Changed(JStackMagicError):
    """A file changed while it was read."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer's archive."""

    digest: str  #: of the compressed archive, ``sha256:…``
    size: int  #: its bytes
    diff_id: str  #: the digest of the archive unpacked


class Packing:
    """Pack layers, each only once.

    Args:
        folder: The folder for archives until they are sent, and for their digests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in (*folder.glob("*.tar.*"), *folder.glob("*.partial")):
            with suppress(OSError):  # of a push that was given up
                if file.stat().st_mtime < time.time() - _KEPT:
                    file.unlink()

    @property
    def _known(self) -> Path:
        return self.folder / "layers.json"

    def path(self, packed: Packed) -> Path:
        """Return the path of an archive, if it is there."""
        return self.folder / f"{packed.digest.rpartition(':')[2]}.tar.gz"

    def known(self, layer: Contents) -> Packed | None:
        """Return the archive that such a layer made before; the file may be gone."""
        found = noted(self._known).get(_signature(layer))
        return Packed(*found) if found else None

    def pack(self, layer: Contents, report: Callable[[int], None] = lambda _: None) -> Packed:
        """Pack a layer.

        Args:
            report: Called with the number of bytes just packed.

        Raises:
            Changed: One of its files has changed since it was looked at.
            OSError: A file cannot be read, or there is no space.
        """
        descriptor, name = tempfile.mkstemp(suffix=".partial", dir=self.folder)
        try:
            with open(descriptor, "wb") as file, ThreadPoolExecutor(_THREADS) as pool:
                sink = _Sink(file, pool)
                self._write(layer, sink, report)
                packed = sink.finish()
            os.replace(name, self.path(packed))
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        note(self._known, _signature(layer), [packed.digest, packed.size, packed.diff_id])
        index = self.path(packed).with_suffix(".json")
        with suppress(OSError):
            write_file(index, json.dumps(sink.parts), mode=0o600)
        return packed

    def _write(self, layer: Contents, sink: _Sink, report: Callable[[int], None]) -> None:
        """Write the archive part by part; those of an earlier archive are not packed again."""
        earlier = {
            signature: (index.with_suffix(".gz"), *place)
            for index in self.folder.glob("*.tar.json")
            for signature, place in noted(index).items()
        }
        for items, size in _parts(layer):
            signature = _signature(replace(layer, items=items, gone=()))
            found = _taken(*earlier[signature]) if signature in earlier else None
            if found is not None:
                sink.copy(*found)
            else:
                for item in items:
                    _add(sink, item)
            sink.cut(signature if size <= _LARGEST else "")
            report(sum(item.size for item in items))

    def sent(self) -> None:
        """Keep the latest archives, for the next push; the rest would only fill the disk."""
        total = 0
        with suppress(OSError):
            archives = self.folder.glob("*.tar.gz")
            for file in sorted(archives, key=lambda each: each.stat().st_mtime, reverse=True):
                total += file.stat().st_size
                if total > _KEPT_SIZE:
                    file.unlink()
                    file.with_suffix(".json").unlink(missing_ok=True)


def _parts(layer: Contents) -> Iterator[tuple[tuple[LayerItem, ...], int]]:
    """Yield the archive's members in groups that do not change with what is beside them."""
    gone = (LayerItem(_whiteout(path)) for path in dict.fromkeys(layer.gone))
    items = sorted((*layer.items, *gone), key=lambda item: item.path.split("/"))
    part: list[LayerItem] = []
    size, top = 0, [""]
    for item in items:
        folders = item.path.removeprefix(layer.prefix).split("/")[: _DEPTH + 1]
        if size > _BLOCK or (size > _LEAST and folders != top):
            yield tuple(part), size
            part, size = [], 0
        part.append(item)
        size, top = size + tarfile.BLOCKSIZE + item.size, folders
    if part:
        yield tuple(part), size


def _taken(archive: Path, start: int, end: int) -> tuple[bytes, bytes] | None:
    """Return a part of an archive as it is and unpacked; None if it is gone or damaged."""
    try:
        with open(archive, "rb") as file:
            file.seek(start)
            packed = file.read(end - start)
        return packed, gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return None


def _signature(layer: Contents) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for item in layer.items:
        content = hashlib.sha256(item.content).hexdigest()
        fields = (item.path, item.kind, item.mode, item.uid, item.gid, item.target, item.stamp)
        digest.update(repr((*fields, item.source, content, item.capability)).encode())
    digest.update(repr(layer.gone).encode())
    return digest.hexdigest()


class _Sink:
    """Compress what is written in several threads, block by block, and hash both in order.

    Each block is a member of its own, as gzip (RFC 1952) and the engines take them.
    """

    def __init__(self, file: Any, pool: ThreadPoolExecutor) -> None:
        self._file, self._pool = file, pool
        self._waiting: deque[Future[bytes] | bytes | str] = deque()
        self._block = bytearray()
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._size = self._start = 0
        self.parts: dict[str, tuple[int, int]] = {}

    def write(self, data: bytes) -> None:
        self._block += data
        while len(self._block) >= _BLOCK:
            self._submit(_BLOCK)

    def copy(self, packed: bytes, plain: bytes) -> None:
        """Take what was packed before; only right behind a cut."""
        self._plain.update(plain)
        self._wait(packed)

    def cut(self, name: str) -> None:
        """End a part, so that the next one begins with a member of its own."""
        if self._block:
            self._submit(len(self._block))
        self._wait(name)

    def _submit(self, size: int) -> None:
        block = bytes(self._block[:size])
        del self._block[:size]
        self._plain.update(block)
        self._wait(self._pool.submit(_compressed, block))

    def _wait(self, each: Future[bytes] | bytes | str) -> None:
        self._waiting.append(each)
        if len(self._waiting) > _WAITING:
            self._keep()

    def _keep(self) -> None:
        each = self._waiting.popleft()
        if isinstance(each, str):
            if each:
                self.parts[each] = self._start, self._size
            self._start = self._size
            return
        data = each if isinstance(each, bytes) else each.result()
        self._packed.update(data)
        self._size += len(data)
        self._file.write(data)

    def finish(self) -> Packed:
        self.write(bytes(2 * tarfile.BLOCKSIZE))  # the archive's end
        self.cut("")
        while self._waiting:
            self._keep()
        return Packed(
            f"sha256:{self._packed.hexdigest()}", self._size, f"sha256:{self._plain.hexdigest()}"
        )


def _compressed(block: bytes) -> bytes:
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)  # 31: gzip, without a time
    return packing.compress(block) + packing.flush()


def _whiteout(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{WHITEOUT}{name}"


def _add(sink: _Sink, item: LayerItem) -> None:
    info = tarfile.TarInfo(item.path.lstrip("/"))
    info.mtime, info.mode, info.uid, info.gid = _TIME, item.mode, item.uid, item.gid
    if item.kind == "folder":
        info.type = tarfile.DIRTYPE
    elif item.kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, item.target
    else:
        info.size = item.size
    if item.capability:
        words = item.capability.decode("utf-8", "surrogateescape")
        info.pax_headers = {CAPABILITY: words}
    sink.write(info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape"))
    if item.kind != "file":
        return
    left = item.size
    for block in _blocks(item):
        left -= len(block)
        if left < 0:
            break
        sink.write(block)
    if left:
        raise _changed(item)
    sink.write(bytes(-item.size % tarfile.BLOCKSIZE))


def _blocks(item: LayerItem) -> Iterator[bytes]:
    if not item.source:
        yield item.content
        return
    with open(item.source, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _changed(item: LayerItem) -> Changed:
    return Changed(
        f"{item.source} changed while it was read.",
        kept="Nothing was sent.",
        advice="Wait until nothing is being installed, and try again.",
    )
