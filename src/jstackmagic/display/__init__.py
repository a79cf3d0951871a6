"""The looks of a result: the same content as plain text everywhere and as HTML in a notebook.

A result describes itself as parts (``Text``, ``Code``, ``Table``, ``Fold``), which ``parts.py``
writes as text and ``html.py`` draws for a notebook. ``console.py`` is where verbs, managers and
features send them, beside words and progress; ``live.py`` shows those while the work goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.text import readable
from .parts import Code as Code
from .parts import Displayed as Displayed
from .parts import Fold as Fold
from .parts import Part as Part
from .parts import Table as Table
from .parts import Text as Text
from .parts import as_text as as_text
from .parts import channel_text as channel_text
from .parts import json_text as json_text
from .parts import size_text as size_text


class Result:
    """The base of what a verb returns: it prints itself, in a notebook as HTML."""

    exit_status = 0

    @property
    def document(self) -> str | None:
        """A text for other programs, all there may be on standard output; None for none."""
        return None

    def remarks(self) -> Sequence[Part]:
        """Return what a person should know of the document, on standard error."""
        return ()

    def parts(self) -> Sequence[Part]:
        """Return what the result consists of, in order."""
        raise NotImplementedError

    def to_json(self) -> Any:
        """Return the same content for programs, as plain lists and dictionaries."""
        raise NotImplementedError

    def summary(self) -> str:
        """Return one line."""
        return f"{type(self).__name__}"

    def __str__(self) -> str:
        return as_text(self.parts())

    def __repr__(self) -> str:
        return f"<{readable(self.summary())}>"

    def _repr_html_(self) -> str:
        from .html import as_html

        return as_html(self.parts())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _ipython_display_(self) -> None:
        from .ipython import display_once

        display_once(self)
