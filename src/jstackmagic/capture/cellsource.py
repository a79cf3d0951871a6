"""A cell's source as logical lines, some of them IPython's: ``!command``, ``%magic``.

Logical lines begin where Python's tokenizer finds them, so that a ``!pip`` inside a
string or a bracket does not count; text that is not valid Python gives lines too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_INTERESTING = re.compile(r"""['"#\n\\()\[\]{}=]""")
_ESCAPE = re.compile(r"[ \t]*([!%][^\n]*)")
_SPLIT = re.compile(r"[ \t]*\\\n[ \t]*")


def code_cells(notebook: Mapping[str, Any]) -> list[str]:
    """Return the sources of a notebook's code cells (nbformat 4).

    Raises:
        KeyError: A cell lacks its type or source.
        TypeError: It has something else in their place.
    """
    cells = notebook.get("cells") or ()
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One logical line."""

    #: all of a Python line; an IPython line from its ``!`` or ``%`` on, its continuations joined as
    #: IPython joins them
    text: str
    number: int  #: its first line, counted from 1
    escaped: bool  #: whether it is IPython's
    python: str  #: its replacement for Python: as many lines, without IPython's syntax


def logical_lines(text: str) -> Iterator[SourceLine]:
    """Yield the logical lines of a cell without its first line, if that is a cell magic."""
    at, number = 0, 1
    while at < len(text):
        escape = _ESCAPE.match(text, at)
        end, assigned = _end(text, at)
        if escape:
            end = _end_of_escape(text, at)
            indent = text[at : escape.start(1)]
            yield _escaped(text, escape.start(1), end, number, f"{indent}pass")
        elif assigned:
            end = _end_of_escape(text, assigned)
            yield _escaped(text, assigned, end, number, f"{text[at:assigned]}None")
        else:
            yield SourceLine(text[at:end], number, False, text[at:end])
        number += text.count("\n", at, end)
        at = end


def _escaped(text: str, start: int, end: int, number: int, python: str) -> SourceLine:
    raw = text[start:end]
    return SourceLine(
        _SPLIT.sub(" ", raw).rstrip("\n"), number, True, python + "\n" * raw.count("\n")
    )


def _end_of_escape(text: str, at: int) -> int:
    while True:
        newline = text.find("\n", at)
        if newline < 0:
            return len(text)
        if text[newline - 1] != "\\":
            return newline + 1
        at = newline + 1


def _end(text: str, start: int) -> tuple[int, int]:
    """Return the end of the Python line at ``start``, and the offset of an escape assigned in it.

    The second is 0 without one: ``files = !ls`` holds one after its first character.
    """
    depth, at = 0, start
    while True:
        match = _INTERESTING.search(text, at)
        if match is None:
            newline = text.find("\n", start) if depth else -1
            return (len(text) if newline < 0 else newline + 1), 0
        char, at = match[0], match.end()
        if char == "\n":
            if depth == 0:
                return at, 0
        elif char in "'\"":
            at = _string_end(text, match.start())
        elif char == "#":
            newline = text.find("\n", at)
            at = len(text) if newline < 0 else newline
        elif char == "\\":
            at += 1
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth = max(0, depth - 1)
        elif depth == 0:
            assigned = _assigned(text, start, match.start())
            if assigned:
                return at, assigned


def _string_end(text: str, at: int) -> int:
    """Return the place after a string; an unclosed one ends with its line, or with the text."""
    quote = text[at]
    if text.startswith(quote * 3, at):
        return _triple_end(text, at + 3, quote * 3)
    plain = rf"[^\\\n{quote}]*"
    match = re.compile(rf"{plain}(?:\\.{plain})*{quote}?", re.DOTALL).match(text, at + 1)
    return match.end() if match else len(text)


def _triple_end(text: str, start: int, quotes: str) -> int:
    at = text.find(quotes, start)
    while at >= 0:
        before = text[start:at]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return at + 3
        at = text.find(quotes, at + 1)
    return len(text)


def _assigned(text: str, start: int, equals: int) -> int:
    """Return the start of the escape that ``=`` assigns; 0 without one."""
    if equals == start or text[equals - 1] in "=!<>:+-*/%&|^~@":
        return 0
    match = re.compile(r"=[ \t]*(?=![^=\n]|%{1,2}[A-Za-z])").match(text, equals)
    return match.end() if match else 0
