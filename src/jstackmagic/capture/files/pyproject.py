"""pyproject.toml: a project's dependencies, and its dependency groups (PEP 735)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...io.reading import path_of
from ...model.documents import parse_toml, table
from ...model.errors import InvalidSpec, UsageError
from ...model.packages import normalise
from . import Reading, pixi_toml
from ._finds import finds, folder_of, line_of, text_of
from ._toolsources import of_files, of_tools, poetrys, requirements


def recognises(path: Path) -> bool:
    return path.name == "pyproject.toml" and path.is_file()


def read(path: Path, *, extras: tuple[str, ...] = (), by_uv: bool = False) -> Reading:
    """Read the dependencies of the project itself; its groups and other extras are noted.

    Args:
        extras: The extras to include; ``*`` is all of them.
        by_uv: Whether uv reads it, which passes over the lists of pixi.
    """
    text = text_of(path)
    data = parse_toml(text, str(path))
    project, poetry = table(data, "project"), table(data, "tool", "poetry")
    uv = table(data, "tool", "uv")
    dynamic = "dependencies" in (project.get("dynamic") or ())
    made = table(data, "tool", "setuptools", "dynamic", "dependencies").get("file")
    made = made if dynamic else None
    listed = of_files(made, folder_of(path)) if made else project.get("dependencies")
    listed = listed or table(data, "tool", "flit", "metadata").get("requires")
    asked = requirements(listed, folder_of(path), path, uv, poetry)
    offered = table(project, "optional-dependencies")
    by_files = table(data, "tool", "setuptools", "dynamic", "optional-dependencies")
    if "optional-dependencies" in (project.get("dynamic") or ()):
        offered = by_files
    wanted = list(offered) if "*" in extras else list(map(normalise, extras))
    notes: list[str] = []
    for name in offered:
        if name in wanted or normalise(name) in wanted:
            said = offered[name]
            lines = of_files(said.get("file"), folder_of(path)) if isinstance(said, dict) else said
            asked += requirements(lines, folder_of(path), path, uv)
        else:
            notes.append(f"Its extra {name} is left aside: -e '.[{name}]' installs it.")
    known = {normalise(name) for name in offered}
    missing = [name for name in extras if name != "*" and normalise(name) not in known]
    notes += [f"It has no extra {name}." for name in missing]
    line = line_of(text, "dependencies")
    if "dependencies" not in project and table(poetry, "dependencies"):
        asked += poetrys(table(poetry, "dependencies"), poetry.get("source"), folder_of(path))
        notes.append("Its dependencies are poetry's, read as pip's.")
        line = line_of(text, "[tool.poetry.dependencies]")
        notes += [f"poetry's group {name} is left aside." for name in _poetry_groups(poetry)]
    asked += of_tools(data, folder_of(path))
    notes += [f"Its group {name} is left aside: --group {name}" for name in _groups(data)]
    if dynamic and not asked.specs:
        notes.append("Its dependencies are worked out by its build: -e . installs them.")
    notes += [f"[{place}] is left aside: {names}." for place, names in _of_others(data)]
    if "requires-python" in project:
        notes.append(f"It is for Python {project['requires-python']}.")
    found, said = tuple(finds(asked)), asked.notes
    if (pixi := table(data, "tool", "pixi")) and not by_uv:
        found, said = pixi_toml.manifest(
            pixi, text, folder_of(path), below="tool.pixi.", others=asked
        )
    if not found and not dynamic:
        notes.append(_why_empty(data))
    found = tuple(replace(each, line=each.line or line) for each in found)
    return Reading(path, found, tuple(dict.fromkeys((*notes, *said))))


def _poetry_groups(poetry: dict[str, Any]) -> list[str]:
    old = ["dev"] if table(poetry, "dev-dependencies") else []
    return [*table(poetry, "group"), *old]


def _of_others(data: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the lists of other tools, such as hatch's: each with what it has."""
    for key, value in table(data, "tool").items() if not place else data.items():
        below = f"{place or 'tool'}.{key}"
        if below in ("tool.uv", "tool.poetry", "tool.setuptools", "tool.pixi"):
            continue
        if key.endswith("dependencies") and value and isinstance(value, (dict, list)):
            yield below, ", ".join(map(str, value))
        elif isinstance(value, dict):
            yield from _of_others(value, below)


def _why_empty(data: dict[str, Any]) -> str:
    """Return why a pyproject.toml lists nothing that is read: never an empty success."""
    if not table(data, "project"):
        return "It has no [project], and names no package."
    return "Its [project] has no dependencies."


def read_group(said: str) -> Reading:
    """Read one dependency group, and the groups that it includes.

    Args:
        said: ``[FILE:]NAME``, as pip's ``--group`` takes it.

    Raises:
        UsageError: The file cannot be read.
        InvalidSpec: There is no such group, or one includes itself, or it is not a list.
    """
    file, _, name = said.rpartition(":")
    path = path_of(file or "pyproject.toml")
    try:
        text = text_of(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}.",
            advice="Name the file: --group path/to/pyproject.toml:NAME",
        ) from None
    data = parse_toml(text, str(path))
    groups = _groups(data)
    lines = _resolve(groups, normalise(name), path)
    asked = requirements(lines, folder_of(path), path, table(data, "tool", "uv"))
    asked += of_tools(data, folder_of(path))
    return Reading(path, tuple(finds(asked, line=line_of(text, f"{name} "))), asked.notes)


def _groups(data: dict[str, Any]) -> dict[str, Any]:
    listed = table(data, "dependency-groups")
    return {normalise(name): lines for name, lines in listed.items()}


def _resolve(groups: dict[str, Any], name: str, path: Path) -> list[str]:
    """Return the requirements of a group, by the standard's own implementation."""
    from dependency_groups import CyclicDependencyError, resolve

    try:
        return list(resolve(groups, name))
    except CyclicDependencyError as error:
        circle = (name, error.group, error.include_group)
        raise InvalidSpec(
            f"In {path} the group {name} includes itself: {' → '.join(dict.fromkeys(circle))}"
            f" → {error.include_group}",
        ) from None
    except LookupError:
        raise InvalidSpec(
            f"{path} has no dependency group {name}.",
            advice=f"It has: {', '.join(groups)}" if groups else (),
        ) from None
    except (ValueError, TypeError) as error:
        raise InvalidSpec(f"{path}: {error}") from None
