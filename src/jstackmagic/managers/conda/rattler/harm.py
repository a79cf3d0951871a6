"""Refuse a package that would write outside its prefix, before it is unpacked or linked.

rattler keeps what it unpacks inside its folder, and panics halfway through a prefix if a
path in the package's own list is absolute.
"""

from __future__ import annotations

import bz2
import io
import os
import posixpath
import re
import tarfile
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ....io.reading import bytes_of
from ....model.errors import NOTHING_CHANGED, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOM = 256 * 2**20  # bytes, which every package may unpack to
_TIMES = 100  # the archive's own size; the text of a big data set comes to 30
_VARIABLE = "JSTACKMAGIC_MAX_UNPACKED"
_BLOCK = 1 << 20
_LIST = 256 * 2**20  # bytes of a list of paths
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def check_archive_contents(path: str) -> None:
    """Refuse an archive with members that lead out of it, are not files, or are a bomb.

    Raises:
        CommandFailed: It has one; the error names it.
    """
    limit = _limit(os.path.getsize(path))
    try:
        with zipfile.ZipFile(path) if path.endswith(".conda") else open(path, "rb") as file:
            for stream in _tars(file):
                counted = cast("IO[bytes]", _Counted(stream, path, limit))
                with tarfile.open(fileobj=counted, mode="r|", bufsize=_BLOCK) as tar:
                    for member in tar:
                        fault = _fault_of(member)
                        if fault:
                            raise _refused(path, fault)
    except CommandFailed:
        raise
    except Exception as error:  # tarfile, zipfile, bz2, zstd: each has errors of its own
        raise CommandFailed(
            f"{path} cannot be unpacked: {error or type(error).__name__}",
            kept=NOTHING_CHANGED,
            advice=f"Remove it, so that it is fetched again: !rm '{path}'",
        ) from None


def check_unpacked(folder: str) -> list[str]:
    """Refuse a package whose own lists name paths outside of the prefix; return the paths.

    Raises:
        CommandFailed: One does; the error names it.
    """
    paths = [str(entry["_path"]) for entry in _json(folder, "paths.json").get("paths", ())]
    old = Path(folder, "info", "files")
    if not paths and old.exists():
        paths = bytes_of(old, limit=_LIST).decode(errors="replace").splitlines()
    for name in paths:
        if leaves(name):
            raise _refused(os.path.basename(folder), f"its list has the path {name!r}")
    for entry in _json(folder, "link.json").get("noarch", {}).get("entry_points", ()):
        command = str(entry).partition("=")[0].strip()
        if not re.fullmatch(r"[\w.+-]+", command) or command in (".", ".."):
            raise _refused(os.path.basename(folder), f"it has an entry point {command!r}")
    return paths


def leaves(path: str) -> bool:
    """Return whether a path is not one below the folder that it is taken from."""
    return (
        not path or path.startswith("/") or "\0" in path or ".." in path.split("/") or path == "."
    )


def _fault_of(member: tarfile.TarInfo) -> str:
    """Return what is wrong with a member, a phrase; empty if nothing is."""
    name = member.name
    if name not in ("", ".") and leaves(name):
        return f"a member is {name!r}"
    if member.issym():
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        # a link to a file of the machine, such as its own Python, leads nothing else outside
        to_file = posixpath.isabs(target) and os.path.isfile(target)
        if (posixpath.isabs(target) and not to_file) or target.split("/")[0] == "..":
            return f"{name} is a link to {member.linkname!r}, which lies outside"
    elif member.islnk():
        if leaves(member.linkname):
            return f"{name} is a link to {member.linkname!r}, which lies outside"
    elif not (member.isreg() or member.isdir()):
        return f"{name} is neither a file nor a folder nor a link"
    return ""


class _Counted(io.RawIOBase):
    """A stream that raises if it is too long."""

    def __init__(self, stream: IO[bytes], path: str, limit: int) -> None:
        self._stream, self._path, self._limit = stream, path, limit
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._count += len(data)
        if self._count > self._limit:
            raise CommandFailed(
                f"{self._path} has {os.path.getsize(self._path) / 2**20:.1f} MB and unpacks to more"
                f" than {self._limit / 2**20:.0f} MB.",
                kept=NOTHING_CHANGED,
                advice=f"If you trust it, raise the limit: %env {_VARIABLE}=8G",
            )
        return data


def _tars(file: Any) -> Iterator[IO[bytes]]:
    if not isinstance(file, zipfile.ZipFile):
        yield cast("IO[bytes]", bz2.BZ2File(file))
        return
    from ....io.zstd import ZstdFile

    for name in file.namelist():
        if name.endswith(".tar.zst"):
            with file.open(name) as packed:
                yield cast("IO[bytes]", ZstdFile(packed))


def _limit(size: int) -> int:
    said = re.fullmatch(
        r"\s*(\d+)\s*([KMGT]?)i?B?\s*", os.environ.get(_VARIABLE, ""), re.IGNORECASE
    )
    room = int(said[1]) * _UNITS[said[2].upper()] if said else _ROOM
    return max(room, _TIMES * size)


def _json(folder: str, name: str) -> dict[str, Any]:
    """Return a package's own JSON; a list of thousands of files is read three times as fast so."""
    import msgspec

    path = Path(folder, "info", name)
    if not path.exists():
        return {}
    try:
        data = msgspec.json.decode(bytes_of(path, limit=_LIST))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    return data if isinstance(data, dict) else {}


def _refused(what: str, fault: str) -> CommandFailed:
    return CommandFailed(
        f"{what} is refused: {fault}.",
        kept=NOTHING_CHANGED,
        advice="Whoever built it should know; another build or channel may do: -c CHANNEL",
    )
