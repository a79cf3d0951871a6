"""The one way to read a file of unknown origin: bounded in size, decoded as pip decodes."""

from __future__ import annotations

import codecs
import errno
import locale
import os
import re
import select
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from ..model.errors import NOTHING_CHANGED, CommandFailed, InvalidSpec, UsageError

_T = TypeVar("_T")

MAX_LIST = 16 * 2**20
"""Bytes of a list of packages; conda-lock's biggest public files have 4 MB."""

MAX_NOTEBOOK = 512 * 2**20
"""Bytes of a notebook, whose outputs may hold pictures and films."""

_LINES = 200_000  # conda-lock's biggest public files have half of that
_LINE = 1_000_000  # bytes; but for JSON, which may be one line
_PATIENCE = 5000  # milliseconds that a pipe may take to begin
_LOOK = 65_536  # bytes; a lock file's heading, and any file that a person wrote
_NULL = os.makedev(1, 3)  # /dev/null, an empty file
_PASSED_OVER = {".git", ".venv", "__pycache__", "node_modules"}  # big, and not written by hand

# longest first: UTF-32's mark begins with that of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COOKIE = re.compile(rb"coding[:=]\s*([-\w.]+)")
"""PEP 263, as pip looks for it in the comments of the first two lines."""

_UNMARKED = re.compile(rb"(?:[\t-~]\0){4}|(?:\0[\t-~]){4}")


def absolute(text: str) -> str:
    """Return what a user typed as a path, absolute and with its links; empty if it is empty.

    Raises:
        UsageError: As `path_of` has it.
    """
    return os.path.abspath(path_of(text)) if text else ""


def path_of(text: str | os.PathLike[str]) -> Path:
    """Return what a user typed as a path, ``~`` and ``~NAME`` filled in.

    Raises:
        UsageError: There is no such user, or no path could be so.
    """
    said = os.fspath(text)
    try:
        path = Path(said).expanduser()
        path.lstat()
    except RuntimeError:  # pathlib's word for a user that is not there
        user = said.split("/", 1)[0]
        raise UsageError(f"There is no user {user[1:]}: {said}") from None
    except (UnicodeEncodeError, ValueError):
        raise UsageError(f"{said!r} can be no path.") from None
    except FileNotFoundError:
        return path
    except OSError as error:
        raise UsageError(f"{_short(said)}: {error.strerror or error}.") from None
    return path


def bytes_of(path: Path, *, limit: int = MAX_LIST) -> bytes:
    """Return the whole content of a file.

    Args:
        limit: The most it may hold, in bytes.

    Raises:
        InvalidSpec: It holds more, or is a device that never ends.
        OSError: It cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise InvalidSpec(f"{path} is a device, not a list.")
        if stat.S_ISFIFO(mode):
            look = select.poll()
            look.register(file, select.POLLIN)
            if not look.poll(_PATIENCE):
                raise InvalidSpec(f"{path} is a pipe that nothing is written to.")
        os.set_blocking(file.fileno(), True)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InvalidSpec(f"{path} has more than {limit / 2**20:.0f} MB, which no list needs.")
    return data


def own_bytes(path: str | os.PathLike[str], *, limit: int | None = None) -> bytes:
    """Return the content of a file that is ours; never wait for a pipe or read a device.

    Args:
        path: The file; ``/dev/null`` is an empty one.
        limit: The most it may hold, in bytes.

    Raises:
        OSError: It cannot be read, is no file, or holds more.
    """
    found = os.stat(path)
    if found.st_rdev == _NULL:
        return b""
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise OSError(errno.EINVAL, "It is not a file", os.fspath(path))
    with open(path, "rb") as file:
        data = file.read(-1 if limit is None else limit + 1)
    if limit is not None and len(data) > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def check_plain(paths: Iterable[str], *, what: str) -> None:
    """Refuse a pipe, a socket or a device, which a manager would wait for without end.

    Args:
        paths: Those of `not_plain`; what a link of them points to may change at any time.

    Raises:
        CommandFailed: There is one; the error names it.
    """
    for odd in filter(_is_endless, paths):
        raise CommandFailed(
            f"{odd} is not a file: where {what} should be, there is a pipe or a device,"
            " which would be waited for without end.",
            kept=NOTHING_CHANGED,
            advice=f"Remove it: !rm {shlex.quote(odd)}",
        )


def not_plain(folder: str) -> tuple[str, ...]:
    """Return what in a folder is neither a file nor a folder: links, pipes, devices."""
    try:
        with os.scandir(folder) as entries:
            return tuple(
                entry.path
                for entry in entries
                if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False))
            )
    except OSError:  # not there, or not ours to read
        return ()


def _is_endless(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:  # a link to nothing, or to itself
        return False
    plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return not (plain or found.st_rdev == _NULL)


def text_of(path: Path) -> str:
    """Return the whole text of a file, decoded as `decoded` does; lines end in a newline alone.

    Raises:
        InvalidSpec: It is too big or too long, or its encoding is not known.
        OSError: It cannot be read.
    """
    data = bytes_of(path)
    if data.count(b"\n") > _LINES:
        raise InvalidSpec(f"{path} has more than {_LINES:,} lines, which no list needs.")
    long = len(data) > _LINE and data.lstrip()[:1] not in (b"{", b"[")
    if long and max(map(len, data.split(b"\n"))) > _LINE:
        raise InvalidSpec(f"{path} has a line of more than 1 MB, which no list needs.")
    return decoded(data, str(path)).replace("\r\n", "\n")


def text_or_none(path: str) -> str | None:
    """Return a file's text; None if it is not here, or no text: a pipe would be waited for."""
    try:
        file = path_of(path)
        return text_of(file) if file.is_file() else None
    except (OSError, RuntimeError, UsageError):
        return None


def beginning(path: Path) -> str:
    """Return the beginning of a text file; empty if it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            data = file.read(_LOOK)
    except (OSError, ValueError):
        return ""
    encoding, start = _encoding(data)
    try:
        return data[start:].decode(encoding or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def files_below(path: str) -> Iterator[str]:
    """Yield the files in a folder and its folders, sorted, or a file itself; none if not here."""
    if os.path.isfile(path):
        yield path
    for folder, inner, names in os.walk(path):
        inner[:] = sorted({*inner} - _PASSED_OVER)
        yield from (os.path.join(folder, name) for name in sorted(names))


def is_file(path: Path) -> bool:
    """Return whether there is such a file; False for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def decoded(data: bytes, what: str) -> str:
    """Decode a text as pip decodes a requirements file.

    A byte order mark counts first, then the ``coding:`` of a comment in the first two lines (PEP
    263), then UTF-8, then the locale's encoding; see ``pip._internal.req.req_file``.

    Raises:
        InvalidSpec: None of them is its encoding; it says the line.
    """
    encoding, start = _encoding(data)
    usual = locale.getpreferredencoding(False)
    choices = [encoding] if encoding else list(dict.fromkeys(("utf-8", usual)))
    for choice in choices:
        try:
            text = data[start:].decode(choice)
        except LookupError:
            raise InvalidSpec(
                f"{what} says that its encoding is {choice}, which Python does not know.",
                advice="Save it as UTF-8, and take the coding line out.",
            ) from None
        except UnicodeDecodeError:
            continue
        if _UNMARKED.match(data):
            raise InvalidSpec(
                f"{what} looks like UTF-16 without its mark.",
                advice="Save it as UTF-8.",
            )
        return text
    line = _first_bad_line(data[start:], encoding or "utf-8")
    said = "its mark or its coding line says" if encoding else "no byte order mark says otherwise"
    raise InvalidSpec(
        f"{what} is not text in {(encoding or 'UTF-8').upper()}, as {said}: line {line}.",
        advice="Save it as UTF-8, or begin it with its encoding: # -*- coding: latin-1 -*-",
    )


def _encoding(data: bytes) -> tuple[str, int]:
    """Return the encoding that a text itself names, and the text's start; empty without one."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding, len(mark)
    for line in data.split(b"\n", 2)[:2]:
        cookie = _COOKIE.search(line) if line.startswith(b"#") else None
        if cookie:
            return cookie[1].decode("ascii"), 0
    return "", 0


def _first_bad_line(data: bytes, encoding: str) -> int:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 0


def _short(text: str) -> str:
    return text if len(text) < 80 else f"{text[:60]}…{text[-10:]}"


# Reading is cached by path, modification time and size: the record of an installed package
# never changes in place, so that one kernel reads each only once. One that was changed just now is
# read again: within a tick of the clock it may have been half there, under the same time.

_TICK = 50_000_000  # nanoseconds; the kernel's clock has 1 to 10 ms


def read_once(paths: Iterable[str], read: Callable[[str], _T]) -> list[_T]:
    """Return what is read from each path, unread where it was read before and has not changed."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            continue  # taken away between listing and reading, or a link to itself
        if abs(time.time_ns() - status.st_mtime_ns) < _TICK:
            found.append(read(path))
        else:
            found.append(_read_at(read, path, status.st_mtime_ns, status.st_size))
    return found


@lru_cache(maxsize=20_000)
def _read_at(read: Callable[[str], _T], path: str, _mtime: int, _size: int) -> _T:
    return read(path)
