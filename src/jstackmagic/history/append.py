"""The file of a history: appended to a line at a time, by several processes and machines."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from ..io.files import sync_folder, write_file
from ..io.locks import SECONDS, Held, Lock, NoLocks, take
from ..io.reading import own_bytes
from ..model.errors import HistoryError
from .lines import is_line

_UNFIT = (errno.EISDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO)
"""What is said of a folder, a link, a file of no rights or a pipe in the lock file's place."""


class HistoryWarning(UserWarning):
    """Something in the history file was skipped; nothing else was lost.

    Raised through :mod:`warnings`, this module's one way to report what it could tolerate.
    """


class LinesFile:
    """A file of lines.

    Args:
        before: Another one, which is read while the file does not exist; the first line that is
            written goes behind a copy of it.
    """

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        self.path = path
        self._before = before
        self._stuck = False  # whether the wait for the lock file was over before it was free

    @property
    def source(self) -> Path:
        """The file that is read: this one, or, as long as it does not exist, the image's."""
        before = self._before
        return before if before and not self.path.exists() and before.is_file() else self.path

    def content(self) -> bytes:
        """Return every line, unchanged.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        try:
            return own_bytes(self.source)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise unusable(self.path, error, verb="read", kept="") from error

    def append(self, line: bytes, *, kept: str) -> None:
        """Write a line at the end, whole, and have it on the disk.

        Raises:
            HistoryError: It cannot be written; ``kept`` says what stays as it was.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as locked:
                if self.source != self.path:
                    self._begin_with(self.source)
                with self._opened() as file:
                    if locked:
                        self._settle_tail(file)
                    # another may be writing just now: an empty line is no harm, two in one are
                    apart = b"\n" if not locked and _lacks_its_end(file) else b""
                    _write_whole(file, apart + line)
        except _Unsettled as error:
            kept = "The line was written, and may be lost if the machine stops now."
            raise unusable(self.path, error, verb="flushed", kept=kept) from error
        except OSError as error:
            raise unusable(self.path, error, verb="written", kept=kept) from error

    def _begin_with(self, before: Path) -> None:
        """Begin the file as a copy of another one: all of it, or nothing."""
        draft = Path(f"{self.path}.{os.getpid()}.{threading.get_ident()}")
        write_file(draft, before.read_bytes(), mode=0o600)
        try:
            os.link(draft, self.path)  # unlike a rename it never replaces what another began
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.rename(draft, self.path)
        draft.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        is_new = not self.path.exists()
        # opened under the lock: NFS looks for others' writes when a file is opened
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)
        if is_new:
            sync_folder(self.path.parent)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock beside the file, or go on without it; yield whether it is held.

        A line is one write at the end of the file, which the kernel keeps apart from others' on
        one machine. The lock is for longer changes, and for NFS, whose clients each find
        the end for themselves.
        """
        name, way = f"{self.path}.lock", "Keep the history elsewhere: JSTACKMAGIC_HISTORY."
        try:
            found = take(name, seconds=0 if self._stuck else SECONDS, mode=0o600)
        except OSError as error:
            if error.errno not in _UNFIT:
                raise
            found = NoLocks(f"{name} cannot be locked ({error.strerror})")
            way = f"Remove it: rm -r {shlex.quote(name)}"
        self._stuck = not isinstance(found, Lock)
        if isinstance(found, NoLocks):
            warn(
                f"{found.why}: two machines that record at the same instant could lose a line."
                f" {way}"
            )
        elif isinstance(found, Held):
            warn(
                f"{self.path}.lock has been held for {SECONDS:.0f} s by {found.by}; the history is"
                " written without it. If that process is gone for good, remove the lock file."
            )
        try:
            yield not self._stuck
        finally:
            if isinstance(found, Lock):
                found.release()

    def set_tail_aside(self) -> None:
        """Set a torn line aside, unless another process is writing: reading never waits."""
        try:
            found = take(f"{self.path}.lock", seconds=0, mode=0o600)
            if isinstance(found, Lock):
                with found, self._opened() as file:
                    self._settle_tail(file)
        except OSError:  # of a file that cannot be written to, the tail is only left unread
            found = NoLocks("")
        if isinstance(found, NoLocks):
            warn(f"The last line of {self.path} is torn and was left aside.")

    def is_torn(self) -> bool:
        """Return whether the last line has no end: a killed process left it half written."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as file:
            return _lacks_its_end(file.fileno())

    def _settle_tail(self, file: int) -> None:
        while _lacks_its_end(file):
            data = self.content()
            start = data.rfind(b"\n") + 1
            tail = data[start:]
            if is_line(tail):  # whole but for its end: an editor saved the file
                _write_whole(file, b"\n")
                return
            aside = Path(f"{self.path}.torn")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                with open(os.open(aside, flags, 0o600), "ab") as torn:
                    torn.write(tail + b"\n")
                    torn.flush()
                    os.fsync(torn.fileno())
            except OSError as error:  # such as a symbolic link in its place
                _write_whole(file, b"\n")
                warn(f"A torn line stays in {self.path}: {aside}: {error.strerror}.")
                return
            if os.fstat(file).st_size != len(data):
                continue  # a process that could not have the lock was writing it
            os.ftruncate(file, start)
            os.fsync(file)
            warn(
                f"The last line of {self.path} was torn: a process ended while it wrote."
                f" It was set aside in {aside}; nothing else is lost."
            )


def _lacks_its_end(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


class _Unsettled(OSError):
    """The line is in the file and cannot be removed; whether it is on the disk is unknown."""


def _write_whole(file: int, data: bytes) -> None:
    """Write and flush data at once, or leave the file as it was."""
    written = 0
    try:
        written = os.write(file, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except OSError as error:
        if written:
            _take_back(file, data[:written], error)
        raise


def _take_back(file: int, data: bytes, error: OSError) -> None:
    """Remove what was just written from the end."""
    with contextlib.suppress(OSError):
        start = os.fstat(file).st_size - len(data)
        if start >= 0 and os.pread(file, len(data), start) == data:
            os.ftruncate(file, start)
            return
    raise _Unsettled(error.errno, error.strerror) from error


def unusable(path: Path, error: OSError, *, verb: str, kept: str) -> HistoryError:
    """Return the error for a file that cannot be read, written or flushed."""
    advice = "Keep the history elsewhere: set JSTACKMAGIC_HISTORY to a file that you own."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = f"Free some space where {path.parent} lies, then try again."
    said = error.strerror or str(error)
    if error.filename not in (None, path, str(path)):
        said = f"{error.filename}: {said}"
    return HistoryError(f"The history {path} cannot be {verb}: {said}.", kept=kept, advice=advice)


def warn(message: str) -> None:
    """Warn once of what a file could tolerate, without a line of ours, which no user looks for."""
    warnings.warn_explicit(message, HistoryWarning, "<jstackmagic>", 1, registry=_WARNED)


_WARNED: dict[str | tuple[str, type[Warning], int], int] = {}
