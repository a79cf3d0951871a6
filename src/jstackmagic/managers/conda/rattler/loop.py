"""A thread with an event loop of its own: rattler is asynchronous, and a cell runs in a loop.

The thread's messages appear where the user waits for it, and an interrupt goes in, to be obeyed
where the work can be left and noted where it cannot.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import Callable, Coroutine
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ....display.console import Console
from ....display.progress import ProgressReport
from ....io.interrupts import Interrupts
from ....model.errors import NOTHING_CHANGED, Interrupted

T = TypeVar("T")

_TICK = 0.5  # seconds after which a bar is drawn again though nothing was heard
_SETTLE = 0.25  # seconds that tokio's threads take, at the most, to let go of what they held


class Wire:
    """Between the thread that works and the one that waits."""

    def __init__(self) -> None:
        self.interrupted = False
        self._words: SimpleQueue[str | ProgressReport | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._point_of_no_return = ""
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def say(self, text: str) -> None:
        """Send words to the user."""
        self._words.put(text)

    def show(self, progress: ProgressReport) -> None:
        """Show the user how far the work is."""
        self._words.put(progress)

    def commit(self, reason: str) -> None:
        """Only note an interrupt from here on.

        Raises:
            asyncio.CancelledError: The user interrupted it just before.
        """
        with self._lock:
            if self.interrupted:
                raise asyncio.CancelledError
            self._point_of_no_return = reason

    def _interrupt(self) -> None:
        with self._lock:
            self.interrupted = True
            if self._point_of_no_return:
                self.say(f"\nInterrupted: {self._point_of_no_return}\n")
            elif self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)


class _Job(Generic[T]):
    def __init__(self, work: Callable[[Wire], Coroutine[Any, Any, T]]) -> None:
        self.wire = Wire()
        self._work = work
        self._result: T
        self._error: BaseException | None = None

    def __call__(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._error = error
        finally:
            _used()
            self.wire._words.put(None)

    async def _main(self) -> None:
        wire = self.wire
        with wire._lock:
            if wire.interrupted:
                raise asyncio.CancelledError
            wire._loop = asyncio.get_running_loop()
            wire._task = asyncio.current_task()
        self._result = await self._work(wire)

    def result(self) -> T:
        if isinstance(self._error, asyncio.CancelledError):
            raise Interrupted("Interrupted.", kept=NOTHING_CHANGED) from None
        if self._error is not None:
            raise self._error
        return self._result


def run(work: Callable[[Wire], Coroutine[Any, Any, T]], console: Console | None = None) -> T:
    """Run asynchronous work to its end, whether or not the caller is inside an event loop.

    Args:
        work: Called in the thread with the wire to this one.
        console: Shows the output and the progress of the work, called in the calling thread.

    A console that raises is not called again, and the work goes on to its end all the same.

    Raises:
        Interrupted: The user interrupted it before any change.
    """
    job = _Job(work)
    _guard_exit()
    thread = threading.Thread(target=job, name="jstackmagic-rattler")
    failure: Exception | None = None
    listener = _Listener(console)
    with Interrupts(lambda: job.wire.say("")) as interrupts:  # none leaves the thread alone
        thread.start()
        while True:
            try:
                words = job.wire._words.get(timeout=_TICK)
                if words is None:
                    break
                listener.take(words)
            except Empty:
                listener.tick()
            except KeyboardInterrupt:
                interrupts.pending = True
            except Exception as error:  # the console's own: the work goes on to its end
                failure = failure or error
                listener = _Listener(None)
            if interrupts.take():
                job.wire._interrupt()
        thread.join()
        listener.close()
    result = job.result()
    if failure is not None:
        raise failure
    return result


class _Listener:
    """Hands words and progress to a console, if there is one."""

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._latest: ProgressReport | None = None

    def take(self, words: str | ProgressReport) -> None:
        if self._console is None:
            return
        if isinstance(words, ProgressReport):
            self._latest = words
            self._console.progress(words)
        elif words:
            self._console.write(words)

    def tick(self) -> None:
        """Show that time passes while there is nothing new."""
        if self._console is not None and self._latest is not None:
            self._console.progress(self._latest)

    def close(self) -> None:
        if self._console is not None and self._latest is not None:
            self._console.progress(None)


# A process that ends right after rattler worked can crash: tokio's threads still let go of Python
# objects when the interpreter is gone already (11 of 40 runs, py-rattler 0.28).

_last_use = 0.0


def _used() -> None:
    global _last_use
    _last_use = time.monotonic()


@cache
def _guard_exit() -> None:
    atexit.register(lambda: time.sleep(max(0.0, _last_use + _SETTLE - time.monotonic())))
