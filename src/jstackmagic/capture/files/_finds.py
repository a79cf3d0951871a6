"""What the formats share: texts, and requests out of what was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...model.errors import InvalidSpec
from ...model.managers import names
from ...model.request import Request
from .. import Found, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...model.parsing import Asked

_LOOK = 65_536  # bytes; a lock file's heading, and any file that a person wrote


def beginning(path: Path) -> str:
    """The beginning of a text file; empty where there is none that can be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LOOK).decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError:
        return ""


def has(path: Path, pattern: str) -> bool:
    """Whether the beginning of a file holds a line that matches."""
    return re.search(pattern, beginning(path), re.MULTILINE) is not None


def text_of(path: Path) -> str:
    """The whole text.

    Raises:
        InvalidSpec: It is not UTF-8.
        OSError: It cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidSpec(f"{path} is no text in UTF-8.", kept="Nothing was started.") from None


def folder_of(path: Path) -> str:
    """What a file's relative paths are relative to."""
    return str(path.absolute().parent)


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
        yield Found(command=" ".join(specs), line=line, request=request, target=target)
