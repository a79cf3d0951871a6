"""requirements.txt, pip's list of requirements, with -r, -c, hashes and markers."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from ...model.parsing import Asked, logical_lines, read_requirement
from . import Reading
from ._finds import beginning, finds, folder_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = (".txt", ".in", ".pip")
_FOREIGN = re.compile(
    r"^@EXPLICIT|\A# This file may be used to create an environment", re.MULTILINE
)
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(?P<path>(?!\w+://)\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
"""What pip fills in from the environment, and in a file alone."""


def recognises(path: Path) -> bool:
    """Whether it is a text file that is not conda's or apt's."""
    if path.suffix not in _SUFFIXES or path.name == "apt.txt" or not path.is_file():
        return False
    return _FOREIGN.search(beginning(path)) is None


def read(path: Path, *, folder: str = "") -> Reading:
    """Read it, and the files that it includes, as one request.

    Where only pip could do what a line says (a variable, a requirement with options of its own),
    the request is the file as a whole.

    Args:
        path: The file.
        folder: Where pip would run, which local requirements are relative to; by default here.

    Raises:
        InvalidSpec: A file is no text.
        OSError: It cannot be read.
    """
    first, asked, reason = 0, Asked(), ""
    base = folder or os.getcwd()
    text_of(path)
    try:
        for number, line, file in _lines(path, ()):
            first = first or (number if file == path else 0)
            if _VARIABLE.search(line):
                raise UsageError(f"{_VARIABLE.findall(line)[0]} is filled in by pip.")
            # pip's rule: options name files from the list's own folder, requirements from here
            here = _EDITABLE.match(line) or not line.startswith("-")
            asked += read_requirement(line, folder=base if here else folder_of(file))
    except UsageError as error:
        reason = error.problem
    if reason:
        note = f"It is left to pip as a whole. {reason}"
        asked = Asked(specs=(("pip", f"-r {path.absolute()}"),))
        return Reading(path, tuple(replace(f, note=note) for f in finds(asked, line=1)))
    return Reading(path, tuple(finds(asked, line=first)))


def _lines(path: Path, includers: tuple[Path, ...]) -> Iterator[tuple[int, str, Path]]:
    """The lines of a file, what it includes in the place of the ``-r`` line."""
    if path.resolve() in includers:
        return
    for number, line in logical_lines(text_of(path)):
        included = _INCLUDE.fullmatch(line)
        if included:
            other = Path(folder_of(path), included["path"].strip("'\""))
            try:
                yield from _lines(other, (*includers, path.resolve()))
            except OSError as error:
                raise UsageError(
                    f"It includes {other}, which cannot be read: {error.strerror}."
                ) from None
        else:
            yield number, line, path
