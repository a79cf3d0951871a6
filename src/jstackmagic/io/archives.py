"""The one way to look through an archive of unknown origin, before anything is unpacked."""

from __future__ import annotations

import io
import os
import posixpath
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from typing import IO, cast

from ..model.errors import NOTHING_CHANGED, CommandFailed

_ROOM = 256 * 2**20  # bytes, which every archive may unpack to
TIMES = 100  # the archive's own size; the text of a big data set comes to 30
_VARIABLE = "JSTACKMAGIC_MAX_UNPACKED"
_BLOCK = 1 << 20
_ZIPS = (".conda", ".whl", ".zip")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def check_archive(path: str, *, advice: str) -> None:
    """Refuse an archive with members that lead out of it, are not files, or are a bomb.

    Args:
        path: A zip, a tar in any compression that Python reads, or a package in conda's format, a
            zip of tars.
        advice: What to do with one that cannot be read.

    Raises:
        CommandFailed: It is refused; the error names the member.
    """
    try:
        with open(path, "rb") as file:
            limit = _limit(os.fstat(file.fileno()).st_size)
            if not path.endswith(_ZIPS):
                _check_tar(_Counted(_decompressed(file), path, limit), path)
                return
            with zipfile.ZipFile(file) as archive:
                if path.endswith(".conda"):
                    for inner in _tars(archive):
                        _check_tar(_Counted(inner, path, limit), path)
                else:
                    _check_zip(archive, path, limit)
    except CommandFailed:
        raise
    except Exception as error:  # tarfile, zipfile, bz2, zstd: each has errors of its own
        raise CommandFailed(
            f"{path} cannot be unpacked: {error or type(error).__name__}",
            kept=NOTHING_CHANGED,
            advice=advice,
        ) from None


def leaves(path: str) -> bool:
    """Return whether a path is not one below the folder that it is taken from."""
    return (
        path in ("", ".")
        or path[0] == "/"
        or "\0" in path
        or (".." in path and ".." in path.split("/"))
    )


def refused(what: str, fault: str, *, advice: str) -> CommandFailed:
    """Return the error for a package that would do harm."""
    return CommandFailed(f"{what} is refused: {fault}.", kept=NOTHING_CHANGED, advice=advice)


def _refused(path: str, fault: str) -> CommandFailed:
    advice = "Whoever built it should know; another build, or one from elsewhere, may do."
    return refused(path, fault, advice=advice)


def _check_tar(stream: _Counted, path: str) -> None:
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|", bufsize=_BLOCK) as tar:
        for member in tar:
            fault = _fault_of(member)
            if fault:
                raise _refused(path, fault)


def _check_zip(archive: zipfile.ZipFile, path: str, limit: int) -> None:
    """Read it to its end: the sizes in its directory may be untrue, and its CRCs then are."""
    members = archive.infolist()
    _check_size(sum(member.file_size for member in members), path, limit)
    for member in members:
        if leaves(member.filename.rstrip("/")):
            raise _refused(path, f"a member is {member.filename!r}")
        with archive.open(member) as content:
            start = content.read(_BLOCK)
            while content.read(_BLOCK):
                pass
        if stat.S_ISLNK(member.external_attr >> 16):
            fault = _fault_of_link(member.filename, os.fsdecode(start))
            if fault:
                raise _refused(path, fault)


def _fault_of(member: tarfile.TarInfo) -> str:
    """Return what is wrong with a member, a phrase; empty if nothing is."""
    name = member.name
    if name not in ("", ".") and leaves(name):
        return f"a member is {name!r}"
    if member.issym():
        return _fault_of_link(name, member.linkname)
    if member.islnk():
        if leaves(member.linkname):
            return f"{name} is a link to {member.linkname!r}, which lies outside"
    elif not (member.isreg() or member.isdir()):
        return f"{name} is neither a file nor a folder nor a link"
    return ""


def _fault_of_link(name: str, to: str) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(name), to))
    # a link to a file of the machine, such as its own Python, leads nothing else outside
    to_file = posixpath.isabs(target) and os.path.isfile(target)
    out = (posixpath.isabs(target) and not to_file) or target.split("/")[0] == ".."
    return f"{name} is a link to {to!r}, which lies outside" if out else ""


class _Counted(io.RawIOBase):
    """A stream that raises if it is too long."""

    def __init__(self, stream: IO[bytes], path: str, limit: int) -> None:
        self._stream, self._path, self._limit = stream, path, limit
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._count += len(data)
        _check_size(self._count, self._path, self._limit)
        return data


def _check_size(size: int, path: str, limit: int) -> None:
    if size > limit:
        raise CommandFailed(
            f"{path} has {os.path.getsize(path) / 2**20:.1f} MB and unpacks to more than"
            f" {limit / 2**20:.0f} MB.",
            kept=NOTHING_CHANGED,
            advice=raise_limit(),
        )


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    import bz2
    import gzip
    import lzma

    start = file.read(6)
    file.seek(0)
    for magic, opened in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open)):
        if start.startswith(magic):
            return cast("IO[bytes]", opened(file))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        from .zstd import ZstdFile

        return cast("IO[bytes]", ZstdFile(file))
    return file


def _tars(archive: zipfile.ZipFile) -> Iterator[IO[bytes]]:
    for name in archive.namelist():
        if name.endswith(".tar.zst"):
            with archive.open(name) as packed:
                yield _decompressed(packed)


def _limit(size: int) -> int:
    return max(room(), TIMES * size)


def raise_limit() -> str:
    """Return the line that raises the limit."""
    return f"If you trust it, raise the limit: %env {_VARIABLE}=8G"


def room() -> int:
    """Return the bytes that every archive may unpack to."""
    said = re.fullmatch(
        r"\s*(\d+)\s*([KMGT]?)i?B?\s*", os.environ.get(_VARIABLE, ""), re.IGNORECASE
    )
    return int(said[1]) * _UNITS[said[2].upper()] if said else _ROOM
