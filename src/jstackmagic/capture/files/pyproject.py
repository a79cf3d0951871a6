"""pyproject.toml: a project's dependencies, and its dependency groups (PEP 735)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...io.reading import path_of
from ...model.documents import parse_toml
from ...model.errors import InvalidSpec, UsageError
from ...model.packages import normalise
from . import Reading
from ._finds import finds, folder_of, line_of, text_of
from .inline_script import indexes, requirements

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Whether it is called so."""
    return path.name == "pyproject.toml" and path.is_file()


def read(path: Path) -> Reading:
    """Read the dependencies of the project itself; its groups and extras are told of.

    Raises:
        InvalidSpec: It is no TOML, or its dependencies are no list.
        OSError: It cannot be read.
    """
    text = text_of(path)
    data = parse_toml(text, str(path))
    project = data.get("project", {})
    asked = requirements(project.get("dependencies"), folder_of(path), path)
    asked += indexes(data.get("tool", {}).get("uv", {}).get("index"), None)
    notes = [f"Its group {name} is left aside: --group {name}" for name in _groups(data)]
    extras = project.get("optional-dependencies", {})
    notes += [f"Its extra {name} is left aside: -e '.[{name}]' installs it." for name in extras]
    if "dependencies" in project.get("dynamic", ()):
        notes.append("Its dependencies are worked out by its build: -e . installs them.")
    return Reading(path, tuple(finds(asked, line=line_of(text, "dependencies"))), tuple(notes))


def read_group(said: str) -> Reading:
    """Read one dependency group, and the groups that it includes.

    Args:
        said: ``[FILE:]NAME``, as pip's ``--group`` takes it.

    Raises:
        UsageError: The file cannot be read.
        InvalidSpec: There is no such group, or one includes itself, or it is no list.
    """
    file, _, name = said.rpartition(":")
    path = path_of(file or "pyproject.toml")
    try:
        text = text_of(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}.",
            kept="Nothing was started.",
            advice="Name the file: --group path/to/pyproject.toml:NAME",
        ) from None
    data = parse_toml(text, str(path))
    lines = _resolve(_groups(data), normalise(name), path, ())
    asked = requirements(lines, folder_of(path), path)
    asked += indexes(data.get("tool", {}).get("uv", {}).get("index"), None)
    return Reading(path, tuple(finds(asked, line=line_of(text, f"{name} "))))


def _groups(data: dict[str, Any]) -> dict[str, Any]:
    return {normalise(name): lines for name, lines in data.get("dependency-groups", {}).items()}


def _resolve(
    groups: dict[str, Any], name: str, path: Path, includers: tuple[str, ...]
) -> list[Any]:
    if name in includers:
        raise InvalidSpec(
            f"In {path} the group {name} includes itself: {' → '.join((*includers, name))}",
            kept="Nothing was started.",
        )
    if not isinstance(groups.get(name), list):
        raise InvalidSpec(
            f"{path} has no dependency group {name}.",
            kept="Nothing was started.",
            advice=f"It has: {', '.join(groups)}" if groups else (),
        )
    lines: list[Any] = []
    for entry in groups[name]:
        if isinstance(entry, dict) and "include-group" in entry:
            included = normalise(str(entry["include-group"]))
            lines += _resolve(groups, included, path, (*includers, name))
        else:
            lines.append(entry)
    return lines
