"""Locks between the tests of all workers and runs: each wait has an end, and names who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLL = 0.05  # seconds

_held: set[tuple[Path, int]] = set()


@contextlib.contextmanager
def held(path: Path, *, seconds: float, alone: bool = True, name: str = "") -> Iterator[None]:
    """Hold a file's lock, alone or together with all others who are not alone.

    Args:
        path: The file; its folder is made.
        seconds: How long others may hold it.
        alone: Nobody else holds it meanwhile.
        name: What the holder is called to those who wait, by default the test that runs.

    Raises:
        TimeoutError: Others held it for so long; names them.
        RuntimeError: This thread holds it already, and would wait for itself.
    """
    key = (path, threading.get_ident())
    if key in _held:
        raise RuntimeError(f"{path}: this thread holds the lock already")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _acquire(file, path, seconds, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if alone:
            file.truncate(0)  # what earlier holders noted
        name = name or os.environ.get("PYTEST_CURRENT_TEST") or " ".join(sys.argv)
        file.write(f"{os.getpid()} {name}\n")
        file.flush()
        _held.add(key)
        try:
            yield
        finally:
            _held.remove(key)


def _acquire(file: IO[str], path: Path, seconds: float, mode: int) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                said = f"{path} was not free within {seconds:.0f} seconds"
                raise TimeoutError(f"{said}; held by {_holders(file)}") from None
        time.sleep(_POLL)


def _holders(file: IO[str]) -> str:
    """Return the processes that hold a file's lock, each with what it noted there.

    A line of /proc/locks has the process in its fifth field and DEVICE:INODE in its sixth; one of
    who waits has an arrow in its second (proc_locks(5)).
    """
    inode = str(os.fstat(file.fileno()).st_ino)
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    pids = [words[4] for words in lines if words[1] == "FLOCK" and words[5].split(":")[-1] == inode]
    file.seek(0)
    notes = dict(line.strip().split(" ", 1) for line in file if " " in line)
    return ", ".join(f"process {pid} ({notes.get(pid, 'unknown')})" for pid in pids) or "nobody now"
