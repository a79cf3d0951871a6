"""The histories in the folders of many homes, counted by as many processes as there are cores.

Homes belong to other people: no link in one is followed, nothing in one is written, and what is no
plain file is named and skipped.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from ..history.file import History
from ..model.collector import collector_paused
from ..model.errors import HistoryError, UsageError
from ..model.record import Record
from .person import Filter, count, whole_lines
from .tally import Tally, total

USUAL = ".local/share/jstackmagic/history.jsonl"
"""The history in a home folder, where no setting says otherwise."""

MAX_FILE = 256 * 2**20
"""Bytes of a history; one of 100,000 records has 96 MB."""

_CHUNK = 40  # files that a process counts before it reports
_FEW = 100  # files for which no process is started
_INSIDE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

Found = tuple[str, str]
"""A home folder, or a folder of histories, and the history's path in it."""


def histories(folders: Iterable[Path], usual: str = USUAL) -> list[Found]:
    """Return the histories in some folders, in a stable order.

    A folder may be a home, hold homes, or hold history files by themselves; or it is such a file.

    Args:
        usual: The history's path in a home.

    Raises:
        UsageError: One of the folders cannot be listed.
    """
    found: dict[Found, None] = {}
    for folder in folders:
        if folder.is_file():
            found[str(folder.parent), folder.name] = None
            continue
        try:
            with os.scandir(folder) as entries:
                inside = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be listed: {error.strerror}.",
                kept="Nothing was read.",
                advice="Name the folder that holds the users' home folders.",
            ) from None
        if os.path.lexists(folder / usual):
            found[str(folder), usual] = None
        for name, is_folder in inside:
            if is_folder and os.path.lexists(folder / name / usual):
                found[str(folder / name), usual] = None
            elif name.endswith(".jsonl") and not is_folder:
                found[str(folder), name] = None
    return list(found)


def report_on(found: Sequence[Found], wanted: Filter, *, workers: int = 0) -> Tally:
    """Count histories; each is one person's.

    Args:
        workers: The number of processes; 0 for one a core.
    """
    workers = workers or len(os.sched_getaffinity(0))
    chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]
    counted = partial(_count_all, wanted=wanted)
    if workers == 1 or len(found) <= _FEW:
        return total(map(counted, chunks))
    # a kernel has threads, which a fork would not
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
        return total(pool.map(counted, chunks))


def _count_all(chunk: Sequence[Found], wanted: Filter) -> Tally:
    with collector_paused():
        return total(_count(home, path, wanted) for home, path in chunk)


def _count(home: str, path: str, wanted: Filter) -> Tally:
    called = os.path.join(home, path)
    try:
        with os.fdopen(opened(home, path), "rb", buffering=1 << 18) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE:
                return Tally(skipped=[(called, f"it has more than {MAX_FILE // 2**20} MB")])
            return count(whole_lines(file), called, wanted)
    except OSError as error:
        why = "a link is on the way" if error.errno == errno.ELOOP else error.strerror
        return Tally(skipped=[(called, why or str(error))])


def opened(home: str, path: str) -> int:
    """Open a file in a home for reading, through no link; return its descriptor.

    Raises:
        OSError: It is no plain file, a link is on the way, or it cannot be read.
    """
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    *parents, name = path.split("/")
    try:
        for each in parents:
            if each in ("", ".", ".."):
                raise OSError(0, "its path climbs")
            inner = os.open(each, _INSIDE, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(name, _INSIDE, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "it is no plain file")
    return file


def records_of(home: str, path: str) -> Sequence[Record]:
    """Return the whole records of another user's history; nothing if it cannot be read.

    A copy is read, since reading may set a torn line aside.
    """
    try:
        with os.fdopen(opened(home, path), "rb") as file:
            content = file.read(MAX_FILE)
    except OSError:
        return ()
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder, "history.jsonl")
        copy.write_bytes(content)
        try:
            return History(copy).records()
        except HistoryError:
            return ()
