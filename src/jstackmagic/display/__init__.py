"""How a result looks: the same content as plain text everywhere and as HTML in a notebook.

A result describes itself as parts (``Text``, ``Code``, ``Table``); nothing else knows how they are
drawn. The HTML needs no script and takes its colours from JupyterLab's own CSS variables, with
fallbacks for pages that do not define them.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Rows of text under a heading.

    Attributes:
        columns: The heading.
        rows: As many cells as columns each.
        caption: What the table is, for readers and screen readers.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


Part = Text | Code | Table


class Displayed(Protocol):
    """What a result must offer to be displayed."""

    def parts(self) -> Sequence[Part]:
        """What it consists of, in order."""

    def to_json(self) -> Any:
        """The same content for programs, as plain lists and dictionaries."""


class Result:
    """The base of what a verb returns: it prints itself, in a notebook as HTML."""

    exit_status = 0

    def parts(self) -> Sequence[Part]:
        """What the result consists of, in order."""
        raise NotImplementedError

    def to_json(self) -> Any:
        """The same content for programs, as plain lists and dictionaries."""
        raise NotImplementedError

    def summary(self) -> str:
        """One line."""
        return f"{type(self).__name__}"

    def __str__(self) -> str:
        return as_text(self.parts())

    def __repr__(self) -> str:
        return f"<{self.summary()}>"

    def _repr_html_(self) -> str:
        return as_html(self.parts())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002
        printer.text(str(self))

    def _ipython_display_(self) -> None:
        from .ipython import display_once

        display_once(self)


def json_text(result: Displayed) -> str:
    """The result as indented JSON."""
    return json.dumps(result.to_json(), indent=2, ensure_ascii=False)


def as_text(parts: Sequence[Part]) -> str:
    """Draw parts for a terminal, a log or a screen reader."""
    blocks = [_text_table(part) if isinstance(part, Table) else part.text for part in parts]
    return "\n".join(block for block in blocks if block)


def _text_table(table: Table) -> str:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(([table.caption] if table.caption else []) + lines)


_STYLE = {
    "plain": "",
    "good": "color:var(--jp-success-color1,#2e7d32);",
    "warning": "color:var(--jp-warn-color0,#b26a00);",
    "quiet": "color:var(--jp-ui-font-color2,#757575);",
}
_MONO = "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px);"


def as_html(parts: Sequence[Part]) -> str:
    """Draw parts for a notebook; every text is escaped."""
    body = "".join(_html_part(part) for part in parts)
    return f'<div class="jstackmagic" style="max-width:100%;overflow-x:auto">{body}</div>'


def _html_part(part: Part) -> str:
    if isinstance(part, Table):
        return _html_table(part)
    text = html.escape(part.text)
    if isinstance(part, Code):
        return f'<pre style="{_MONO}margin:.3em 0;white-space:pre-wrap">{text}</pre>'
    style = f"margin:.3em 0;white-space:pre-line;{_STYLE[part.tone]}"
    return f'<p style="{style}">{text}</p>'


def _html_table(table: Table) -> str:
    left = "text-align:left;padding:.15em .9em .15em 0;vertical-align:top;"
    above = f"{left}caption-side:top;white-space:nowrap"
    caption = f'<caption style="{above}">{html.escape(table.caption)}</caption>'
    head = "".join(
        f'<th scope="col" style="{left}">{html.escape(name)}</th>' for name in table.columns
    )
    rows = "".join(
        "<tr>" + "".join(f'<td style="{left}">{html.escape(cell)}</td>' for cell in row) + "</tr>"
        for row in table.rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:.3em 0;">{caption if table.caption else ""}'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def size_text(size: int | None) -> str:
    """A number of bytes for people; empty for None.

    >>> size_text(512), size_text(3 * 1024 * 1024), size_text(None)
    ('1 KiB', '3.0 MiB', '')
    """
    if size is None:
        return ""
    return f"{size / MIB:.1f} MiB" if size >= MIB else f"{max(1, round(size / 1024))} KiB"


def channel_text(source: str) -> str:
    """A channel, index or URL in few letters, for a table.

    >>> channel_text("https://conda.example/conda-forge"), channel_text("file:///srv/my channel")
    ('conda-forge', 'my channel')
    """
    from ..credentials import mask

    text = mask(source).rstrip("/")
    return text if "+" in text.split("://", 1)[0] else text.rsplit("/", 1)[-1]
