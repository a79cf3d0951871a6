"""environment.yml, conda's list of an environment's packages."""

from __future__ import annotations

import re
from pathlib import Path

from ...model.environmentfile import read_environment_yml
from ...model.errors import InvalidSpec
from . import Reading
from ._finds import finds, folder_of, has, masked, text_of


def recognises(path: Path) -> bool:
    yaml = path.suffix in (".yml", ".yaml")
    if yaml and path.stem == "environment" and path.is_file():
        return not has(path, r"^package:")
    stored = yaml and has(path, r"^specification:") and has(path, r"^ +dependencies:")
    flow = yaml and has(path, r"\A\s*\{") and has(path, r"[{,\s][\"']?dependencies[\"']?\s*:\s*\[")
    misnamed = path.suffix in (".txt", ".in") and path.is_file() and has(path, r"^\s*- [\w\"']")
    return stored or flow or ((yaml or misnamed) and has(path, r"^dependencies[ \t]*:"))


def read(path: Path) -> Reading:
    """Read the conda part, then the pip part."""
    text = text_of(path)
    asked = read_environment_yml(text, folder=folder_of(path))
    for channel in asked.sources.channels:
        if placeholder := masked(channel):
            raise InvalidSpec(
                f"The channel {channel} has {placeholder} where conda masked a token: no download"
                " can work.",
                advice="Write ${NAME} in its place, which conda takes from the environment.",
            )
    lines = text.splitlines()
    starts = (n for n, line in enumerate(lines, start=1) if re.match(r" *dependencies\s*:", line))
    line = next(starts, 1)
    misnamed = (
        ("It is conda's environment.yml, which pip refuses.",) if path.suffix == ".txt" else ()
    )
    return Reading(path, tuple(finds(asked, line=line)), (*misnamed, *asked.notes))
