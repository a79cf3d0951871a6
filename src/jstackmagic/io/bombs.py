"""End a program that unpacks a bomb: pip, uv and conda unpack by themselves what they fetch.

The kernel counts what a program and its children write (``/proc/PID/io``, proc_pid_io(5)); ten
times a second the end of each file that is open for it is compressed, to estimate its size before.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..model.errors import CommandFailed
from .archives import TIMES, raise_limit, room

_PAUSE = 0.1  # seconds
_SAMPLE = 1 << 16  # bytes; DEFLATE makes 80 of so many zeros


class Bomb(CommandFailed):
    """A program was ended because it unpacked a bomb."""


class Watch:
    """Follow what a program writes, and end it if that is more than every archive may unpack to.

    Args:
        pid: The program.
        end: Ends it, and what it started.
    """

    def __init__(self, pid: int, end: Callable[[], None]) -> None:
        self._pid, self._end = pid, end
        self._over = threading.Event()
        self._last: set[str] = set()
        self._found = False
        self._thread = threading.Thread(target=self._follow, name="jstackmagic-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def check(self) -> None:
        """Raise if the program was ended.

        Raises:
            Bomb: What it unpacked is gone, where it is uv's draft of a package.
        """
        if not self._found:
            return
        drafts = {
            found[0] for path in self._last if (found := re.match(r".*?/\.tmp\w+(?=/)", path))
        }
        for draft in drafts:
            shutil.rmtree(draft, ignore_errors=True)
        files = ", ".join("/".join(path.split("/")[-2:]) for path in sorted(self._last)[:2])
        raise Bomb(
            f"What was being unpacked came to more than {room() / 2**20:.0f} MB, and to more than"
            f" {TIMES} times its size before ({files}): it was stopped.",
            advice=raise_limit(),
        )

    def _follow(self) -> None:
        limit, times, packed = room(), 1.0, 0.0
        seen = deque([(0, 0.0)])
        while not self._over.wait(_PAUSE):
            written, tails = _written(self._pid)
            if tails:
                self._last = set(tails)
                small = sum(len(zlib.compress(tail)) for tail in tails.values())
                times = sum(map(len, tails.values())) / small
            written = max(written, seen[-1][0])  # of a child that ended and is not waited for yet
            packed += (written - seen[-1][0]) / times
            seen.append((written, packed))
            while written - seen[1][0] > limit:
                seen.popleft()
            much, little = written - seen[0][0], packed - seen[0][1]
            if much > max(limit, TIMES * little):
                self._found = True
                self._end()
                return


def _written(pid: int) -> tuple[int, dict[str, bytes]]:
    """Return how many bytes a program and its children wrote, and the end of each open file."""
    count, tails = 0, {}
    for each in _family(pid):
        with suppress(OSError, ValueError, IndexError):
            count += int(Path(f"/proc/{each}/io").read_text().split()[3])  # wchar
            for number in os.listdir(f"/proc/{each}/fd"):
                with suppress(OSError, ValueError, IndexError):
                    if tail := _tail(f"/proc/{each}/fd/{number}", f"/proc/{each}/fdinfo/{number}"):
                        tails[os.readlink(f"/proc/{each}/fd/{number}")] = tail
    return count, tails


def _family(pid: int) -> Iterator[int]:
    """Yield a process and its living children; the ended ones count in their parent."""
    yield pid
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def _tail(link: str, details: str) -> bytes:
    """Return what was written last to an open file; nothing of one that is only read."""
    file = os.stat(link)
    if not (os.lstat(link).st_mode & stat.S_IWUSR and stat.S_ISREG(file.st_mode) and file.st_nlink):
        return b""
    at = int(Path(details).read_text().split()[1])  # pos
    with open(link, "rb") as stream:
        stream.seek(max(0, at - _SAMPLE))
        return stream.read(min(at, _SAMPLE))
