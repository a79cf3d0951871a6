"""Showing a result in IPython: at once, and once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import json_text
from .live import words_in_notebook, words_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from . import Result


class _Shown:
    """The results that the running cell has displayed."""

    cell: tuple[int, int] | None = None
    results: list[Result] = []  # noqa: RUF012 - one interpreter, one running cell


def show(result: Result) -> None:
    """Display a result now; the same cell's output prompt will not repeat it.

    A magic displays what it returns, because only a cell's last expression would be shown.
    """
    _publish(result)
    mark_shown(result)


def print_json(result: Result) -> None:
    """Print a result as JSON in place of displaying it."""
    print(json_text(result))  # noqa: T201
    mark_shown(result)


def words() -> AbstractContextManager[Callable[[str], None]]:
    """Where the words of managers go."""
    return words_in_notebook() if in_notebook() else words_on(sys.stdout)


def mark_shown(result: Result) -> None:
    """Note that the running cell has displayed a result, in whichever form."""
    cell = _current_cell()
    if _Shown.cell != cell:
        _Shown.cell, _Shown.results = cell, []
    _Shown.results.append(result)


def display_once(result: Result) -> None:
    """Display a result unless this very cell has shown it already."""
    shown = _Shown.cell == _current_cell() and any(item is result for item in _Shown.results)
    if not shown:
        _publish(result)
    elif not in_notebook():
        # terminal IPython has printed "Out[n]:" already and something must follow
        print(repr(result))  # noqa: T201


def _current_cell() -> tuple[int, int] | None:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return (id(shell), shell.execution_count) if shell is not None else None


def _publish(result: Result) -> None:
    from IPython.display import display

    if in_notebook():
        data = {"text/plain": str(result), "text/html": result._repr_html_()}
        display(data, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(result)  # noqa: T201


def in_notebook() -> bool:
    """Whether a kernel runs this, so that rich output is shown."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and getattr(shell, "kernel", None) is not None
