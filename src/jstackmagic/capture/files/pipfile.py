"""Pipfile: pipenv's list of what a project needs."""

from __future__ import annotations

from pathlib import Path

from ...model.documents import parse_toml, table
from ...model.parsing import Asked
from . import Reading
from ._finds import finds, folder_of, line_of, text_of
from ._toolsources import indexes, is_pypi, poetrys


def recognises(path: Path) -> bool:
    return path.name == "Pipfile" and path.is_file()


def read(path: Path) -> Reading:
    """Read its packages, from its sources; those for development are noted."""
    text = text_of(path)
    data = parse_toml(text, str(path))
    sources = [each for each in data.get("source") or () if isinstance(each, dict)]
    if sources:  # pipenv asks the first where no package names another
        sources[0] = {**sources[0], "default": not is_pypi(sources[0].get("url"))}
    others = [each for each in sources if not is_pypi(each.get("url"))]
    asked = poetrys(table(data, "packages"), sources, folder_of(path), by="Pipfile")
    asked += indexes(others, folder_of(path))
    notes = [f"Its dev-packages are left aside: {', '.join(table(data, 'dev-packages'))}."]
    notes = notes if table(data, "dev-packages") else []
    requires = table(data, "requires")
    notes += [f"It is for Python {version}." for version in list(requires.values())[:1]]
    if asked == Asked():
        notes.append("Its [packages] names no package.")
    found = finds(asked, line=line_of(text, "[packages]"))
    return Reading(path, tuple(found), (*notes, *asked.notes))
