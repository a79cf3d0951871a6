"""A list that `conda list --export` writes, or that `conda install --file` takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...model.parsing import read_cell
from . import Reading
from ._finds import finds, folder_of, has, text_of

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Whether it begins as conda begins it: a plain list looks like a requirements file."""
    return path.is_file() and has(
        path, r"\A# This file may be used to create an environment using:"
    )


def read(path: Path) -> Reading:
    """Read it; what pip had installed (build ``pypi_0``) is pip's.

    Raises:
        InvalidSpec: A line is no spec.
        OSError: It cannot be read.
    """
    text = re.sub(
        r"^([\w.-]+)=([^=\s]+)=pypi_0\s*$", r"pip:\1==\2", text_of(path), flags=re.MULTILINE
    )
    # a line that begins with @ says how to read a list
    text = "\n".join(line for line in text.splitlines() if not line.startswith("@"))
    asked = read_cell(text, manager="conda", folder=folder_of(path))
    return Reading(path, tuple(finds(asked, line=1)), asked.notes)
