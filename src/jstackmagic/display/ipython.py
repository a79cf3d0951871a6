"""Showing a result in IPython: at once, and once."""

from __future__ import annotations

import sys

from .console import PlainConsole
from .html import as_html
from .live import LiveConsole, Notebook, stream_console, take_every_letter
from .parts import Displayed, as_text, json_text


class _Shown:
    """The results that the running cell has displayed."""

    cell: tuple[int, int] | None = None
    results: list[Displayed] = []  # noqa: RUF012 - one interpreter, one running cell


def console() -> LiveConsole | PlainConsole:
    """Return the console of this IPython: a notebook's, or that of the terminal it runs in."""
    if in_notebook():
        return Notebook(_show)
    take_every_letter(sys.stdout)
    return stream_console(sys.stdout, _show)


def _show(result: Displayed, as_json: bool) -> None:
    """Show a result now; the same cell's output prompt does not repeat it.

    A magic shows what it returns, because only a cell's last expression would be shown.
    """
    if as_json:
        print(json_text(result))  # noqa: T201
    else:
        show(result)
    mark_shown(result)


def show(result: Displayed) -> None:
    """Show a result."""
    from IPython.display import display

    if in_notebook():
        data = {"text/plain": as_text(result.parts()), "text/html": as_html(result.parts())}
        display(data, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(as_text(result.parts()))  # noqa: T201


def mark_shown(result: Displayed) -> None:
    """Note that the running cell has displayed a result, in any form."""
    cell = _current_cell()
    if _Shown.cell != cell:
        _Shown.cell, _Shown.results = cell, []
    _Shown.results.append(result)


def display_once(result: Displayed) -> None:
    """Display a result unless this very cell has shown it already."""
    shown = _Shown.cell == _current_cell() and any(item is result for item in _Shown.results)
    if not shown:
        show(result)
    elif not in_notebook():
        # terminal IPython has printed "Out[n]:" already and something must follow
        print(repr(result))  # noqa: T201


def _current_cell() -> tuple[int, int] | None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return (id(shell), shell.execution_count) if shell is not None else None


def in_notebook() -> bool:
    """Return whether a kernel runs this, so that rich output is shown."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None
