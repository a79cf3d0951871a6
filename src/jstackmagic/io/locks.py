"""One way to take a lock: bounded in time, also where the call itself does not come back.

The lock is flock(2)'s: it goes with its process, and NFS passes it on to the server. There the call
can sleep for as long as the server's lock manager is away, whatever ``LOCK_NB`` says, so it is made
in a thread that need not be waited for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ..model.credentials import mask

SECONDS = 5.0
"""Seconds to wait for a lock that others hold for milliseconds."""

_CALL = 2.0  # seconds after which a call that does not wait is taken for one that never returns
_POLL = 0.01  # seconds
_FORGET = 60.0  # seconds for which such a call is not tried again
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

_away: dict[str, float] = {}
"""The time when a call on a folder's locks did not return, in seconds of the monotonic clock."""


class Lock:
    """A lock that is held; it is released once, from any thread."""

    def __init__(self, file: int, passing: str = "") -> None:
        self._file, self._passing = file, passing
        self._mutex = threading.Lock()

    def release(self) -> None:
        """Let others have it."""
        with self._mutex:
            file, self._file = self._file, -1
        if file >= 0:
            if self._passing:  # whoever waits for it finds that it is gone, and makes another
                with contextlib.suppress(OSError):
                    os.unlink(self._passing)
            os.close(file)

    __del__ = release

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class NoLocks:
    """The result if the file's folder has no locks."""

    why: str  #: in words, a sentence without its full stop

    def release(self) -> None:
        """Do nothing: nothing is held."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that another process holds."""

    by: str  #: the process, in words, as far as it can be seen from here or has left a note
    lives: bool  #: whether it was seen to run, on this machine


def take(
    path: str | os.PathLike[str],
    *,
    seconds: float = SECONDS,
    mode: int = 0o666,
    passing: bool = False,
) -> Lock | NoLocks | Held:
    """Take a file's lock, alone.

    Args:
        path: The lock file; it is made. A symbolic link in its place is refused.
        seconds: The time to wait for others, plus two seconds if the call never returns.
        mode: Permission bits of a new lock file, before the umask.
        passing: Remove the file when the lock is released.

    Raises:
        OSError: The file cannot be opened.
    """
    name = os.fspath(path)
    folder = os.path.dirname(name)
    since = _away.get(folder)
    if since is not None and time.monotonic() - since < _FORGET:
        return _unanswered(folder)
    attempt = _Attempt(name, mode, time.monotonic() + seconds, passing)
    threading.Thread(target=attempt, name="jstackmagic-lock", daemon=True).start()
    found = attempt.result(seconds + _CALL)
    if found is None:
        _away[folder] = time.monotonic()
        return _unanswered(folder)
    if isinstance(found, OSError):
        if found.errno not in _NO_LOCKS:
            raise found
        return NoLocks(f"{folder} has no file locks ({found.strerror})")
    return found


def _unanswered(folder: str) -> NoLocks:
    return NoLocks(f"the file locks of {folder} do not answer")


class _Attempt:
    """One wait for a lock in its own thread, which may be abandoned."""

    def __init__(self, name: str, mode: int, deadline: float, passing: bool) -> None:
        self._name, self._mode, self._deadline = name, mode, deadline
        self._passing = name if passing else ""
        self._mutex = threading.Lock()
        self._ended = threading.Event()
        self._left = False
        self._found: Lock | Held | OSError | None = None

    def __call__(self) -> None:
        found: Lock | Held | OSError
        try:
            found = self._take()
        except OSError as error:
            found = error
        with self._mutex:
            if self._left:
                if isinstance(found, Lock):
                    found.release()
                return
            self._found = found
            self._ended.set()

    def result(self, seconds: float) -> Lock | Held | OSError | None:
        """Return the outcome; None, and no lock then or later, if it took too long."""
        try:
            self._ended.wait(seconds)
        finally:  # after an interrupt too; what it holds then goes with it
            with self._mutex:
                self._left = True
        return self._found

    def _take(self) -> Lock | Held:
        while True:
            file = _open(self._name, self._mode)
            try:
                while not _locked(file):
                    if self._left or time.monotonic() >= self._deadline:
                        return _holder(file)
                    time.sleep(_POLL)
                if _is(file, self._name):
                    _note(file)
                    lock, file = Lock(file, self._passing), -1
                    return lock
            finally:
                if file >= 0:
                    os.close(file)


def _open(name: str, mode: int) -> int:
    flags = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(name, os.O_RDWR | flags, mode)
    except PermissionError:  # of another user of the same group; a local lock needs no more
        with contextlib.suppress(OSError):
            return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        raise


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(file: int, name: str) -> bool:
    """Return whether the name still belongs to the open file, which may have been removed."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(name))
    except FileNotFoundError:
        return False


# Who holds it


def _note(file: int) -> None:
    """Note the holder in the file, for a process that waits and cannot see us."""
    note = f"{os.getpid()} {os.uname().nodename}\n".encode()
    with contextlib.suppress(OSError):
        if os.pread(file, len(note) + 1, 0) != note:
            os.pwrite(file, note, 0)
            os.ftruncate(file, len(note))


def _holder(file: int) -> Held:
    """Return the lock's holder, from the kernel's list of locks, or else the note in the file.

    A line of /proc/locks has the process in its fifth field and DEVICE:INODE in its sixth; one of
    another process namespace is not listed (proc_locks(5)).
    """
    inode = str(os.fstat(file).st_ino)
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                command = Path("/proc", words[4], "cmdline").read_bytes().split(b"\0")
                shown = mask(b" ".join(command).decode(errors="replace").strip())
                return Held(f"process {words[4]} ({shown[:80]})", lives=True)
    with contextlib.suppress(OSError, ValueError):
        pid, host = os.pread(file, 200, 0).decode(errors="replace").split()
        return Held(f"process {int(pid)} of {host}, or one after it", lives=False)
    return Held("a process that cannot be seen from here", lives=False)
