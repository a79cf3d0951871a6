"""Interrupts that wait until they can be answered, so that none falls between two statements."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_REPEAT = 1.0  # seconds within which a second interrupt is taken for a key held down


class Interrupts:
    """Notes SIGINT where it would otherwise raise KeyboardInterrupt in the middle of anything.

    One that was noted and not taken raises KeyboardInterrupt in the end, unless an error is on its
    way already. In a thread that is not the main one, where no signal arrives, nothing is noted.

    Args:
        wake: Called when one was noted, in the middle of anything: to end a wait.
    """

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self.pending = False
        self.taken = 0
        self._heard = False
        self._last = float("-inf")

    def take(self) -> bool:
        """Return whether the user interrupted since; ``taken`` then counts it."""
        if not self.pending:
            return False
        self.pending = False
        now = time.monotonic()
        if now - self._last < _REPEAT:
            return False
        self._last = now
        self.taken += 1
        return True

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Have the block interrupted as if nothing were noted; also by one that came before.

        Once it was, later ones are noted again: they cannot fall behind the block.
        """
        self._heard = True
        if self.pending:
            self.pending = self._heard = False
            raise KeyboardInterrupt
        try:
            yield
        finally:
            self._heard = False

    def __enter__(self) -> Interrupts:
        self._previous = signal.getsignal(signal.SIGINT)
        in_main = threading.current_thread() is threading.main_thread()
        self._ours = in_main and callable(self._previous)  # not where it is ignored
        if self._ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._previous)
        if kind is None and self.take():
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not (self._heard and callable(self._previous)):
            self.pending = True
            self._wake()
            return
        try:
            self._previous(number, frame)
        except BaseException:
            self._heard = False
            raise
