"""Interrupts this process: when something has begun, or at every line where none may be lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jstackmagic
from jstackmagic.io.interrupts import Interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_SECONDS = 60


def interrupt_when(begun: Callable[[], object]) -> None:
    """Has SIGINT sent to this process as soon as `begun` says so; gives up after a minute."""

    def wait() -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if begun():
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.02)

    threading.Thread(target=wait, daemon=True).start()


class Lines:
    """The lines of ours that ran while interrupts were noted."""

    def __init__(self) -> None:
        self.count = 0


@contextlib.contextmanager
def interrupted_at(number: int) -> Iterator[Lines]:
    """Interrupt this thread, the main one, at the n-th line that runs while they are noted.

    With 0 they are only counted.
    """
    ours = str(Path(jstackmagic.__file__).parent)
    lines = Lines()

    def at_line(_frame: FrameType, event: str, _value: object) -> Any:
        handler = signal.getsignal(signal.SIGINT)
        if event == "line" and getattr(handler, "__func__", None) is Interrupts._note:
            lines.count += 1
            if lines.count == number:
                signal.raise_signal(signal.SIGINT)
        return at_line

    def at_call(frame: FrameType, _event: str, _value: object) -> Any:
        return at_line if frame.f_code.co_filename.startswith(ours) else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        yield lines
    finally:
        sys.settrace(before)


def spread(count: int, points: int) -> Iterator[int]:
    """Yield so many of the numbers from 1 to `count`, as far apart as possible."""
    assert count >= points, f"interrupts were noted during {count} lines only"
    yield from (1 + count * n // points for n in range(points))
