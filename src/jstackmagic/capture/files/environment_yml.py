"""environment.yml, conda's list of an environment's packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...model.environmentfile import read_environment_yml
from . import Reading
from ._finds import finds, folder_of, has, text_of

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Return whether it is YAML with dependencies."""
    yaml = path.suffix in (".yml", ".yaml")
    if yaml and path.stem == "environment" and path.is_file():
        return not has(path, r"^package:")
    stored = yaml and has(path, r"^specification:") and has(path, r"^ +dependencies:")
    flow = yaml and has(path, r"\A\s*\{") and has(path, r"[{,\s][\"']?dependencies[\"']?\s*:\s*\[")
    return stored or flow or (yaml and has(path, r"^dependencies[ \t]*:"))


def read(path: Path) -> Reading:
    """Read the conda part, then the pip part.

    Raises:
        InvalidSpec: It is not YAML, or has an unsupported section.
        OSError: The file cannot be read.
    """
    text = text_of(path)
    asked = read_environment_yml(text, folder=folder_of(path))
    lines = text.splitlines()
    starts = (n for n, line in enumerate(lines, start=1) if re.match(r" *dependencies\s*:", line))
    line = next(starts, 1)
    return Reading(path, tuple(finds(asked, line=line)), asked.notes)
