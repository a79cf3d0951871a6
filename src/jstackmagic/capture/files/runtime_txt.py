"""runtime.txt, the Python or R that repo2docker and Heroku are to use: no package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import Reading
from ._finds import text_of

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Return whether it has the name."""
    return path.name == "runtime.txt" and path.is_file()


def read(path: Path) -> Reading:
    """Read the language and version that it names, as a note.

    Raises:
        InvalidSpec: It is not text.
        OSError: It cannot be read.
    """
    said = text_of(path).strip()
    python = re.fullmatch(r"python-(\d[\w.]*)", said)
    advice = f" %envinstall conda:python={python[1]} changes it." if python else ""
    return Reading(path, (), (f"It asks for {said}; the target's stays as it is.{advice}",))
