"""Write a file or a folder so that whoever looks sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from .runtime import own_namespace

_DRAFT = ".partial"
_PATIENCE = 5.0  # seconds that a pipe may wait for its reader
_LONG = 600.0  # seconds that no draft takes
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # renameat2(2), Linux 3.15


def write_file(
    path: str | Path,
    content: bytes | str | Callable[[BinaryIO], object],
    *,
    mode: int | None = None,
) -> None:
    """Replace a file at once, and flush it to disk before this returns.

    The new content goes into a temporary file in the same folder, which then takes the name. The
    file keeps its mode and, if this user may set it, its owner; a symbolic link stays, and what
    it points to is replaced. A device or a pipe is written to as it is.

    Args:
        path: The file; its folder exists.
        content: Bytes, or text to be written as UTF-8 with its line ends as they are, or what
            writes the content into the file that it is given.
        mode: Permission bits; without them those of the file that is replaced, or by the umask.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    write = data if callable(data) else lambda stream: stream.write(data)
    real = os.path.realpath(path)
    try:
        old = os.stat(real)
    except FileNotFoundError:
        old = None
    if old is not None and not (stat.S_ISREG(old.st_mode) or stat.S_ISDIR(old.st_mode)):
        with open(_opened(real), "wb") as stream:
            write(stream)
        return
    folder, name = os.path.split(real)
    descriptor, partial = tempfile.mkstemp(prefix=_draft(folder, name), suffix=_DRAFT, dir=folder)
    try:
        with open(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fchmod(descriptor, _mode(old) if mode is None else mode)
            if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fsync(descriptor)
        os.replace(partial, real)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
    sync_folder(folder)


def _opened(path: str) -> int:
    """Open a device, or a pipe as soon as somebody reads it."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:  # noqa: PERF203
            if error.errno != errno.ENXIO or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            os.set_blocking(file, True)
            return file


def replace_folder(target: str | Path, fill: Callable[[str], object]) -> None:
    """Replace a folder, or make it, at once.

    Args:
        fill: Makes and fills the folder whose path it is given; it does not exist yet.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    real = os.path.realpath(target)
    parent, name = os.path.split(real)
    aside = tempfile.mkdtemp(prefix=_draft(parent, name), suffix=_DRAFT, dir=parent)
    fresh = os.path.join(aside, name)
    try:
        fill(fresh)
        if os.path.lexists(real):
            _exchange(fresh, real)
        else:
            os.rename(fresh, real)
        sync_folder(parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def sync_folder(folder: str | Path) -> None:
    """Flush a folder's new and changed names to disk, if that is possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: str, name: str) -> None:
    """Remove drafts that killed processes left, of files whose names begin with ``name``.

    A draft's name has its machine and process. One of a machine or container whose processes
    cannot be seen from here goes when it is ten minutes old.
    """
    with contextlib.suppress(OSError):
        draft = re.compile(rf"\.{re.escape(name)}(?:.*\.)?(\w[^.]*)-(\d+)\.\w+\{_DRAFT}")
        with os.scandir(folder) as entries:
            drafts = [(entry, found) for entry in entries if (found := draft.fullmatch(entry.name))]
        for entry, found in drafts:
            if found[1] == _machine():
                stale = not os.path.exists(f"/proc/{found[2]}")
            else:
                stale = clock(folder) - entry.stat(follow_symlinks=False).st_ctime > _LONG
            if stale:
                shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def clock(folder: str) -> float:
    """Return the time of a folder's file system, which on a shared one is its server's."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_ctime
    except OSError:
        return time.time()


def _draft(folder: str, name: str) -> str:
    """Return how the name of a file's draft begins; stale ones are swept away."""
    short = os.fsdecode(os.fsencode(name)[:100])
    sweep(folder, f"{short}.")
    return f".{short}.{_machine()}-{os.getpid()}."


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return a name of those whose processes are seen from here; host names are used again."""
    seen = own_namespace().encode()
    return f"{os.uname().nodename[:40].replace('.', '_')}_{zlib.crc32(seen):08x}"


def _mode(old: os.stat_result | None) -> int:
    if old is not None:
        return stat.S_IMODE(old.st_mode)
    return 0o666 & ~umask()


def umask() -> int:
    """Return this process' umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _exchange(one: str, other: str) -> None:
    """Swap two paths, in one step if the file system can."""
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    names = (os.fsencode(one), os.fsencode(other))
    if rename and not rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        return
    away = f"{one}.old"
    os.rename(other, away)
    try:
        os.rename(one, other)
    except OSError:
        os.rename(away, other)
        raise


def sha256_of(path: str | Path) -> str:
    """Return a file's SHA-256 in hexadecimal; see `digest_of`."""
    return digest_of(path, "sha256")


def digest_of(path: str | Path, kind: str) -> str:
    """Return a file's digest in hexadecimal, read in blocks.

    Args:
        kind: Its name, as hashlib knows it: ``md5``.

    Raises:
        OSError: It cannot be read.
        ValueError: There is no such digest.
    """
    import hashlib

    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
