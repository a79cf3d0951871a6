"""The managers' output, shown while they work and folded to a line when they are done.

A notebook has one output that is updated in place; a terminal shows the last lines and takes them
away again. Whatever is no terminal (a pipe, a log) gets everything as it comes. All of it stays in
the record.
"""

from __future__ import annotations

import codecs
import html
import io
import os
import shutil
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from ..model.text import readable
from . import html as drawing
from .console import PlainConsole, Show, quiet
from .log import Log
from .parts import Displayed
from .progress import NotebookBar, ProgressReport, TerminalBar

_SHOWN = {"notebook": 12, "terminal": 6}
"""The number of last lines to show while a manager works."""

_PAUSE = 0.2  # seconds between two states of what is shown: a notebook's browser draws each
_MOST = 1000  # lines that a notebook keeps of a log; the record has all of it


_ASCII = {"…": "...", "→": "->", "—": "-", "−": "-", "─": "-", "≠": "!=", "✓": "ok"}


def _plainer(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    escaped = (
        _ASCII.get(one) or one.encode("ascii", "backslashreplace").decode() for one in letters
    )
    return "".join(escaped), error.end


codecs.register_error("jstackmagic", _plainer)


def take_every_letter(stream: TextIO | None) -> None:
    """Have a stream write something else for a letter that its encoding has not, and not fail."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="jstackmagic")


def stream_console(stream: TextIO | None, show: Show) -> LiveConsole | PlainConsole:
    """Return the console of a stream: live on a terminal, else everything as it comes.

    A stream that was closed has nothing but the results to show.
    """
    if stream is None:
        return quiet(show)

    def write(text: str) -> None:
        stream.write(text)
        stream.flush()

    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return Terminal(stream, show)
    return PlainConsole(write, show)


@dataclass
class _LiveSection:
    """Our message, and the managers' output after it."""

    said: list[str] = field(default_factory=list)
    log: Log = field(default_factory=Log)


class LiveConsole:
    """Takes words, and has them drawn soon: at once, but not more often than is of any use."""

    live = True
    terminal = False
    _bar: Callable[[ProgressReport | None], None]

    def __init__(self, show: Show) -> None:
        self._show = show
        self._sections = [_LiveSection()]
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._drawn = float("-inf")
        self._closed = False

    def say(self, text: str) -> None:
        """Show a line of our own, in front of the words that follow it."""
        with self._lock:
            section = self._sections[-1]
            if section.said and section.log.text:
                section = _LiveSection()
                self._sections.append(section)
            section.said.append(readable(text))
            self._draw_soon()

    def write(self, text: str) -> None:
        """Take a program's words."""
        with self._lock:
            self._sections[-1].log.write(text)
            self._draw_soon()

    def progress(self, progress: ProgressReport | None) -> None:
        """Draw how far the work is."""
        with self._lock:
            self._bar(progress)

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Fold the words, and show a result below them."""
        self.close()
        self._show(result, as_json)

    def close(self) -> None:
        """Draw it for the last time."""
        with self._lock:
            if self._closed:
                return
            if self._timer is not None:
                self._timer.cancel()
            self._closed = True
            self._draw(done=True)

    def _draw_soon(self) -> None:
        wait = self._drawn + _PAUSE - time.monotonic()
        if wait <= 0:
            self._draw_now()
        elif self._timer is None:
            # who falls silent now would else leave the last words unseen
            self._timer = threading.Timer(wait, self._draw_now)
            self._timer.daemon = True
            self._timer.start()

    def _draw_now(self) -> None:
        with self._lock:
            self._timer = None
            if not self._closed:
                self._draw(done=False)
                self._drawn = time.monotonic()

    def _draw(self, *, done: bool) -> None:
        raise NotImplementedError


class Notebook(LiveConsole):
    """One output, updated in place."""

    _name: str = ""

    def __init__(self, show: Show) -> None:
        super().__init__(show)
        self._bar = NotebookBar()

    def _draw(self, *, done: bool) -> None:
        from IPython.display import display

        sections = [section for section in self._sections if section.said or section.log.text]
        if not sections:
            return
        running = None if done else sections[-1]
        data = {
            "text/plain": "\n".join(_as_text(each, each is running) for each in sections),
            "text/html": drawing.page(_as_html(each, each is running) for each in sections),
        }
        if self._name:
            display(data, raw=True, display_id=self._name, update=True)  # type: ignore[no-untyped-call]
        else:
            self._name = os.urandom(16).hex()
            display(data, raw=True, display_id=self._name)  # type: ignore[no-untyped-call]


def _as_text(section: _LiveSection, running: bool) -> str:
    shown = list(section.said)
    if running or not shown:
        shown.append(section.log.tail(_SHOWN["notebook"] if running else 1))
    return "\n".join(filter(None, shown))


def _as_html(section: _LiveSection, running: bool) -> str:
    said = section.said or [section.log.tail(1)]
    summary = "<br>".join(f"<code>{html.escape(line)}</code>" for line in said)
    count = len(section.log)
    if not count or (count == 1 and not section.said):
        return f'<div class="said">{summary}</div>'
    body = drawing.lines(section.log.last(_SHOWN["notebook"] if running else _MOST))
    if not running:
        summary += f' <span class="count">{count} line{"s"[: count != 1]}</span>'
    return drawing.fold(summary, body, is_open=running)


class Terminal(LiveConsole):
    """The last lines below what we said, removed when the manager is done, and a bar below."""

    terminal = True
    _bar: TerminalBar

    def __init__(self, stream: TextIO, show: Show) -> None:
        super().__init__(show)
        self._stream = stream
        self._bar = TerminalBar(stream)
        self._height = 0
        self._said = 0

    def _draw(self, *, done: bool) -> None:
        said = [line for section in self._sections for line in section.said]
        text = "".join(f"{line}\n" for line in said[self._said :])
        self._said = len(said)
        last = [] if done else self._sections[-1].log.tail(_SHOWN["terminal"]).splitlines()
        width = shutil.get_terminal_size().columns - 3
        below = "".join(f"\x1b[2m  {_cut(line, width)}\x1b[0m\n" for line in last)
        back = f"\x1b[{self._height}A\x1b[J" if self._height else ""
        self._height = len(last)
        self._bar.step_aside()
        self._stream.write(back + text + below)
        self._stream.flush()


def _cut(line: str, width: int) -> str:
    """As much of a line as fits; a letter of East Asia takes two columns."""
    line = line.expandtabs()
    taken = 0
    for number, letter in enumerate(line):
        taken += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if taken > width:
            return line[:number]
    return line
