"""Consoles for all that a user is to see: a notebook, a terminal, or plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from ..io.reading import path_of
from ..model.text import readable
from .log import Log, Uncoloured
from .parts import Displayed
from .progress import Lines, ProgressReport

Show = Callable[[Displayed, bool], None]
"""Shows a result; the second argument says whether as JSON."""


class Console(Protocol):
    """The place that words, progress and results go to."""

    live: bool  #: whether a line can be written over, after a carriage return
    terminal: bool  #: whether the words may move a terminal's cursor about, as several bars do

    def say(self, text: str) -> None:
        """Show a line of our own, which stays to be seen where a program's words are folded.

        It may hold what a user or a package wrote: control characters are left out.
        """

    def write(self, text: str) -> None:
        """Take a program's own words, as they come: carriage returns and colours included."""

    def progress(self, progress: ProgressReport | None) -> None:
        """Show how far work has come; None says that it is over."""

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Show what a verb gave, after all words."""


def _show_nothing(_result: Displayed, _as_json: bool) -> None:
    pass


class PlainConsole:
    """Words as they come and progress as lines: for a pipe, a log, a test."""

    live = terminal = False

    def __init__(self, write: Callable[[str], None], show: Show = _show_nothing) -> None:
        self._write = write
        self._show = show
        self._lines = Lines(write)
        self._uncoloured = Uncoloured(write)

    def say(self, text: str) -> None:
        """Write a line of our own."""
        self._write(f"{readable(text)}\n")

    def write(self, text: str) -> None:
        """Write a program's words, without colours."""
        self._uncoloured(text)

    def progress(self, progress: ProgressReport | None) -> None:
        """Write a line now and then."""
        self._lines(progress)

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Show it."""
        self._show(result, as_json)

    def close(self) -> None:
        """Have nothing left to show."""


def quiet(show: Show = _show_nothing) -> PlainConsole:
    """Return a console that shows results alone."""
    return PlainConsole(lambda _text: None, show)


@contextmanager
def into(log: str | None, console: Console) -> Iterator[Console]:
    """Yield a console that writes to a file as words come; without a file, the one that is given.

    Raises:
        OSError: The file cannot be written to.
    """
    if log is None:
        yield console
        return
    with path_of(log).open("a", encoding="utf-8", buffering=1) as file:

        def write(text: str) -> None:
            file.write(text)
            file.flush()

        yield PlainConsole(write)


class ByteCount:
    """Bytes of one kind of work, shown while its block lasts."""

    def __init__(self, console: Console, doing: str, item: str, total: int) -> None:
        self._console, self._doing, self._item, self._total = console, doing, item, total
        self.done = 0

    def __enter__(self) -> ByteCount:
        return self

    def __exit__(self, *_: object) -> None:
        self._console.progress(None)

    def __call__(self, size: int) -> None:
        """Count further bytes."""
        self.done += size
        now = ProgressReport(self._doing, self._item, self.done, self._total, "bytes")
        self._console.progress(now)


class Recording:
    """A console, and a log of what programs write to it."""

    def __init__(self, console: Console) -> None:
        self.log = Log()
        self.live, self.terminal = console.live, console.terminal
        self.say, self.progress, self.result = console.say, console.progress, console.result
        self._write = console.write

    def write(self, text: str) -> None:
        """Take a program's words."""
        self.log.write(text)
        self._write(text)
