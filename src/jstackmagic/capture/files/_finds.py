"""What the formats share: texts, and requests out of what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...io.reading import beginning, text_of
from ...model.managers import names
from ...model.request import Request
from .. import Found, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...model.parsing import Asked

__all__ = ["beginning", "finds", "folder_of", "has", "line_of", "text_of"]


def has(path: Path, pattern: str) -> bool:
    """Whether the beginning of a file holds a line that matches."""
    return re.search(pattern, beginning(path), re.MULTILINE) is not None


def folder_of(path: Path) -> str:
    """What a file's relative paths are relative to."""
    return str(path.absolute().parent)


def line_of(text: str, heading: str) -> int:
    """Return the line of a table or a key, from 1; 0 where it is not found as it is written."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith(heading):
            return number
    return 0


def finds(asked: Asked, *, line: int = 0) -> Iterator[Found]:
    """The requests that a text comes to, one a manager, in the order in which they work.

    Args:
        asked: With a manager for every spec.
        line: Where it begins.
    """
    target = Target(name=asked.name)
    for manager in names():
        specs = asked.of(manager)
        if not specs:
            continue
        request = Request(
            "install",
            manager,
            specs,
            sources=asked.sources.of(manager),
            options=asked.pip_options if manager == "pip" else (),
        )
        yield Found(command=" ".join(request.texts), line=line, request=request, target=target)
