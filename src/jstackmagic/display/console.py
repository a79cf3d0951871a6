"""Consoles for all that a user is to see: a notebook, a terminal, or plain text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from ..io.reading import path_of
from ..model.text import readable
from .log import Log
from .parts import Displayed
from .progress import Lines, Progress

Show = Callable[[Displayed, bool], None]
"""Shows a result; the second argument says whether as JSON."""


class Console(Protocol):
    """The place that words, progress and results go to.

    Attributes:
        live: Whether a line can be written over, after a carriage return.
        terminal: Whether the words may move a terminal's cursor about, as several bars do.
    """

    live: bool
    terminal: bool

    def say(self, text: str) -> None:
        """Show a line of our own, which stays to be seen where a program's words are folded.

        It may hold what a user or a package wrote: control characters are left out.
        """

    def write(self, text: str) -> None:
        """Take a program's own words, as they come: carriage returns and colours included."""

    def progress(self, progress: Progress | None) -> None:
        """Show how far work has come; None says that it is over."""

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Show what a verb gave, after all words."""


def _show_nothing(_result: Displayed, _as_json: bool) -> None:
    pass


class Plain:
    """Words as they come and progress as lines: for a pipe, a log, a test.

    Args:
        write: Takes the words.
        show: Shows a result.
    """

    live = terminal = False

    def __init__(self, write: Callable[[str], None], show: Show = _show_nothing) -> None:
        self._write = write
        self._show = show
        self._lines = Lines(write)

    def say(self, text: str) -> None:
        """Write a line of our own."""
        self._write(f"{readable(text)}\n")

    def write(self, text: str) -> None:
        """Write a program's words as they are."""
        self._write(text)

    def progress(self, progress: Progress | None) -> None:
        """Write a line now and then."""
        self._lines(progress)

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Show it."""
        self._show(result, as_json)

    def close(self) -> None:
        """Have nothing left to show."""


def quiet(show: Show = _show_nothing) -> Plain:
    """Return a console that shows results alone."""
    return Plain(lambda _text: None, show)


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

        yield Plain(write)


class Recording:
    """A console, and a log of what programs write to it.

    Args:
        console: Where everything goes on to.
    """

    def __init__(self, console: Console) -> None:
        self.log = Log()
        self.live, self.terminal = console.live, console.terminal
        self.say, self.progress, self.result = console.say, console.progress, console.result
        self._write = console.write

    def write(self, text: str) -> None:
        """Take a program's words."""
        self.log.write(text)
        self._write(text)
