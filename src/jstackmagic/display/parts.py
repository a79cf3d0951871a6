"""The parts that a result describes itself with, and the same as plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..model.errors import JStackMagicError
from ..model.text import as_json, readable

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence or a few; ``tone`` is "plain", "good", "warning" or "quiet"."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  #: as many cells as columns each
    caption: str = ""  #: what the table is, for readers and screen readers
    #: whether each row is one fact: its first cell the name, the other the value
    facts: bool = False
    sentences: tuple[str, ...] = ()  #: the columns that hold sentences of ours


@dataclass(frozen=True, slots=True)
class Fold:
    """A long text behind one line: in HTML it opens on demand, in plain text it is left out."""

    title: str  #: the line; it says how to see the text where nothing opens
    text: str


Part = Text | Code | Table | Fold

SIGNS = {"+": "added", "~": "changed", "−": "removed"}
"""The signs of a change in a table of packages, and their words for a screen reader."""


class Displayed(Protocol):
    """The methods a result needs to be displayed."""

    def parts(self) -> Sequence[Part]:
        """Return what it consists of, in order."""

    def to_json(self) -> Any:
        """Return the same content for programs, as plain lists and dictionaries."""

    @property
    def document(self) -> str | None:
        """A text for other programs, all there may be on standard output; None for none."""

    def remarks(self) -> Sequence[Part]:
        """Return what a person should know of the document, on standard error."""


def json_text(result: Displayed | JStackMagicError) -> str:
    """Return a result or an error as indented JSON, without a credential."""
    from ..model.credentials import mask_values

    return as_json(mask_values(result.to_json()))


def as_text(parts: Sequence[Part], *, words: Callable[[str], str] = str) -> str:
    """Draw parts for a terminal, a log or a screen reader.

    Args:
        words: Puts sentences into the words of a surface; other cells and code stay as they are.
    """
    return "\n".join(block for part in parts if (block := _text_of(part, words)))


def _text_of(part: Part, words: Callable[[str], str]) -> str:
    if isinstance(part, Table):
        at = [part.columns.index(name) for name in part.sentences]
        rows = [[words(c) if i in at else c for i, c in enumerate(row)] for row in part.rows]
        return _text_table(replace(part, rows=tuple(map(tuple, rows))))
    if isinstance(part, Code):
        return readable(part.text)
    return readable(words(part.title if isinstance(part, Fold) else part.text))


def _text_table(table: Table) -> str:
    rows = [tuple(map(readable, row)) for row in (table.columns, *table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(([readable(table.caption)] if table.caption else []) + lines)


def size_text(size: int | None) -> str:
    """Return a number of bytes for people; empty for None.

    >>> size_text(512), size_text(3 * 1024 * 1024), size_text(None)
    ('1 KiB', '3.0 MiB', '')
    """
    if size is None:
        return ""
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{max(1, round(size / 1024))} KiB"


def channel_text(source: str) -> str:
    """Return a channel, index or URL in few letters, for a table.

    >>> channel_text("https://conda.example/conda-forge"), channel_text("file:///srv/my channel")
    ('conda-forge', 'my channel')
    """
    from ..model.credentials import mask

    text = mask(source).rstrip("/")
    return text if "+" in text.split("://", 1)[0] else text.rsplit("/", 1)[-1]
