"""The archives of this host, and the lock of an environment."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator

from .facts import Plain, store

SECONDS = 600.0
"""Seconds to wait for another worker that changes the same environment."""

_KEEP_DAYS = 30
"""Days for which the archives stay on a host."""


def path_of(row: Plain) -> str:
    """Return where the archive of a row is kept; a file's name is never a path."""
    if not re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) or not is_plain(row["file"]):
        raise ValueError(f"{row['file']!r} is not the name of an archive")
    return os.path.join(store(), row["sha256"], row["file"])


def is_plain(name: str) -> bool:
    """Return whether a file's name is no path, and no option."""
    return bool(re.fullmatch(r"[A-Za-z0-9_+!][A-Za-z0-9_.+!-]*", name))


def is_kept(row: Plain) -> bool:
    """Return whether the archive of a row is on this host, and is what it should be."""
    try:
        with open(path_of(row), "rb") as file:
            return bool(hashlib.sha256(file.read()).hexdigest() == row["sha256"])
    except OSError:
        return False


def not_kept(row: Plain) -> str:
    """Return why an archive cannot be installed."""
    if os.path.exists(path_of(row)):
        return f"{row['file']} is not what was sent: its hash is another one"
    return f"{row['file']} did not arrive"


def keep(row: Plain, data: bytes) -> None:
    """Keep an archive that arrived, once its hash was checked.

    Raises:
        ValueError: It is not what was sent.
    """
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ValueError(f"{row['file']} arrived changed: its hash is another one")
    write(path_of(row), data)


def prune(now: float) -> None:
    """Remove the archives that have been here for too long."""
    for path in glob.glob(os.path.join(glob.escape(store()), "?" * 64)):
        with contextlib.suppress(OSError):
            if now - os.stat(path).st_mtime > _KEEP_DAYS * 86_400:
                shutil.rmtree(path)


@contextlib.contextmanager
def locked(name: str, seconds: float = SECONDS) -> Iterator[str]:
    """Hold a lock of this host, or of a shared file system; yields who was waited for.

    Raises:
        TimeoutError: Another process holds it for longer.
    """
    end, waited = time.monotonic() + seconds, ""
    path = os.path.join(name, ".jstackmagic-workers.lock")
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        file = os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:  # another user's, who shares the environment
        file = os.open(path, flags | os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = os.pread(file, 200, 0).decode(errors="replace") or "another process"
                if time.monotonic() > end:
                    raise TimeoutError(f"{name} is being changed by {waited}") from None
                time.sleep(0.02)
        note = f"process {os.getpid()} of {socket.gethostname()}".encode()
        with contextlib.suppress(OSError):
            os.pwrite(file, note, 0)
            os.ftruncate(file, len(note))
        yield waited
    finally:
        os.close(file)


def write(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write a file whole, or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}.jstackmagic"
    try:
        with open(draft, "wb") as file:
            file.write(data)
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
