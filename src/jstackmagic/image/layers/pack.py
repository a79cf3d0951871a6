"""Layers as archives: the same bytes for the same contents, whoever packs them, and when."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...model.errors import JStackMagicError
from ..registry.notes import note, noted
from .select import WHITEOUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from .select import Contents, Item

_TIME = 315_619_200
"""Of every file: 1980-01-02 UTC, which a ZIP archive can hold in every time zone."""

_LEVEL = 4  # of the bytes of level 6 a few percent more, in two thirds of its time
_WAITING = 16  # blocks that are read and not yet packed
_BLOCK = 2**18  # bytes; a part of the format, since an archive is filled up to it
_FORMAT = f"1 {_LEVEL} {_BLOCK} {zlib.ZLIB_RUNTIME_VERSION}"
_KEPT = 7 * 86_400  # seconds, for the next try
_CAPABILITY = "SCHILY.xattr.security.capability"
"""The archive header for a file's capabilities, as in GNU tar, star and the engines."""


class Changed(JStackMagicError):
    """A file changed while it was read."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A layer's archive.

    Attributes:
        digest: Of the compressed archive, ``sha256:…``.
        size: Its bytes.
        diff_id: The digest of the archive unpacked.
    """

    digest: str
    size: int
    diff_id: str


class Packing:
    """Pack layers, each only once.

    Args:
        folder: The folder for archives until they are sent, and for their digests.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in (*folder.glob("*.tar.gz"), *folder.glob("*.partial")):
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

    def pack(self, layer: Contents, told: Callable[[int], None] = lambda _: None) -> Packed:
        """Pack a layer.

        Args:
            layer: The layer.
            told: Called with the number of bytes just packed.

        Raises:
            Changed: One of its files has changed since it was looked at.
            OSError: A file cannot be read, or there is no space.
        """
        descriptor, name = tempfile.mkstemp(suffix=".partial", dir=self.folder)
        try:
            with open(descriptor, "wb") as file, ThreadPoolExecutor(1) as pool:
                sink = _Sink(file, pool)
                _write(layer, sink, told)
                packed = sink.finish()
            os.replace(name, self.path(packed))
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        note(self._known, _signature(layer), [packed.digest, packed.size, packed.diff_id])
        return packed

    def forget(self, packed: Packed) -> None:
        """Remove an archive, once it was sent."""
        self.path(packed).unlink(missing_ok=True)


def _signature(layer: Contents) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for item in layer.items:
        content = hashlib.sha256(item.content).hexdigest()
        fields = (item.path, item.kind, item.mode, item.uid, item.gid, item.target, item.stamp)
        digest.update(repr((*fields, item.source, content, item.capability)).encode())
    digest.update(repr(layer.gone).encode())
    return digest.hexdigest()


class _Sink(io.RawIOBase):
    """Compress what is written, and hash both, while more is read."""

    def __init__(self, file: Any, pool: ThreadPoolExecutor) -> None:
        self._file, self._pool = file, pool
        self._waiting: deque[Future[None]] = deque()
        self._packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)  # 31: gzip, without a time
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting.append(self._pool.submit(self._pack, bytes(data)))
        if len(self._waiting) > _WAITING:
            self._waiting.popleft().result()
        return len(data)

    def _pack(self, data: bytes) -> None:
        self._plain.update(data)
        self._keep(self._packing.compress(data))

    def _keep(self, data: bytes) -> None:
        self._packed.update(data)
        self._size += len(data)
        self._file.write(data)

    def finish(self) -> Packed:
        for each in self._waiting:
            each.result()
        self._keep(self._packing.flush())
        return Packed(
            f"sha256:{self._packed.hexdigest()}", self._size, f"sha256:{self._plain.hexdigest()}"
        )


def _write(layer: Contents, sink: _Sink, told: Callable[[int], None]) -> None:
    marks = {_whiteout(path): None for path in layer.gone}
    members: list[tuple[str, Item | None]] = [
        *((item.path, item) for item in layer.items),
        *((path, None) for path in marks),
    ]
    with tarfile.open(
        fileobj=sink,
        mode="w|",
        bufsize=_BLOCK,
        format=tarfile.PAX_FORMAT,
    ) as archive:
        for path, item in sorted(members, key=lambda member: member[0].split("/")):
            archive.members = []  # type: ignore[attr-defined]  # tarfile would keep every one
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mtime = _TIME
            if item is None:
                archive.addfile(info)
            else:
                _add(archive, info, item, told)


def _whiteout(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{WHITEOUT}{name}"


def _add(
    archive: tarfile.TarFile, info: tarfile.TarInfo, item: Item, told: Callable[[int], None]
) -> None:
    info.mode, info.uid, info.gid = item.mode, item.uid, item.gid
    if item.kind == "folder":
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        return
    if item.kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, item.target
        archive.addfile(info)
        return
    info.size = item.size
    if item.capability:
        words = item.capability.decode("utf-8", "surrogateescape")
        info.pax_headers = {_CAPABILITY: words}
    if not item.source:
        archive.addfile(info, io.BytesIO(item.content))
    else:
        with open(item.source, "rb") as file:
            if os.fstat(file.fileno()).st_size != item.size:
                raise _changed(item)
            try:
                archive.addfile(info, file)
            except OSError as error:
                if "unexpected end of data" in str(error):
                    raise _changed(item) from error
                raise
    told(item.size)


def _changed(item: Item) -> Changed:
    return Changed(
        f"{item.source} changed while it was read.",
        kept="Nothing was sent.",
        advice="Wait until nothing is being installed, and try again.",
    )
