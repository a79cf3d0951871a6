"""pylock.toml, the lock file of PEP 751."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from ...model.documents import parse_toml
from ...model.errors import InvalidSpec
from ...model.parsing import Asked, read_requirement
from ...model.sources import Sources
from .. import Found
from . import Reading
from ._finds import folder_of, of_lock, text_of
from ._toolsources import is_pypi, left_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.pylock import Package

_CHOSEN = re.compile(
    r"(['\"])(?P<name>[^'\"]*)\1\s+(?P<not>not\s+)?in\s+(?P<kind>extras|dependency_groups)"
)
"""The part of a marker that asks for an extra or a group."""
_NAME = re.compile(r"pylock(?:\.[^.]+)?\.toml")


def recognises(path: Path) -> bool:
    return path.is_file() and _NAME.fullmatch(path.name) is not None


def read(path: Path) -> Reading:
    """Read the lock as two requests: files that pip can check by a hash, and the others.

    A lock is complete, so nothing is resolved (``--no-deps``). A package keeps its marker;
    one that depends on extras or groups counts as by default. The index of a package is asked;
    that of all of them is the only one, unless some name none.
    """
    try:
        from packaging.pylock import Pylock, PylockValidationError
    except ImportError:
        raise InvalidSpec(
            f"{path} is read with packaging 26 or newer, which is not here.",
            advice="%envinstall 'packaging>=26'",
        ) from None
    text = text_of(path)
    try:
        lock = Pylock.from_dict(parse_toml(text, str(path)))
    except (PylockValidationError, ValueError) as error:
        problem = f"{path} is not a lock file: {error}"
        raise InvalidSpec(problem) from None
    starts = [
        n for n, line in enumerate(text.splitlines(), start=1) if line.strip() == "[[packages]]"
    ]
    lines = dict(zip(map(id, lock.packages), starts, strict=False))
    groups = frozenset(lock.default_groups or ())
    entries: list[tuple[Asked, bool]] = []
    indexes: dict[str, None] = {}
    unnamed: list[str] = []
    problems: list[Found] = []
    for package in lock.packages:
        marker = _marker(package, groups)
        if marker is None:
            continue  # of an extra or a group that was not requested
        requirement = _requirement(package, folder_of(path))
        line = lines.get(id(package), 0)
        if not requirement:
            reason = "The lock says no version of it, which pip needs."
            problems.append(Found(str(package.name), line, reason=reason))
            continue
        spec, *hashes = requirement.split(" --hash=")
        entry = spec + (f" ; {marker}" if marker else "") + "".join(f" --hash={h}" for h in hashes)
        asked = read_requirement(entry, folder=folder_of(path))
        if package.index and not is_pypi(package.index):
            indexes[package.index] = None
        elif package.wheels or package.sdist:
            unnamed.append(str(package.name))
        entries.append((asked, bool(hashes)))
    first = starts[0] if starts else 0
    urls = tuple(indexes)
    default = urls[0] if urls and not unnamed else ""
    sources = Sources(index_url=default, extra_index_urls=urls[1:] if default else urls)
    found = of_lock(entries, line=first, sources=sources)
    return Reading(path, (*found, *problems), tuple(_notes(lock)))


def _notes(lock: Any) -> Iterator[str]:
    if lock.requires_python is not None:
        yield f"It was locked for Python {lock.requires_python}."
    for extra in lock.extras or ():
        yield f"Its extra {extra} is not installed."


def _marker(package: Package, groups: frozenset[str]) -> str | None:
    """Return the marker that pip can evaluate; None for a package of an extra or another group."""
    marker = str(package.marker or "")
    if not re.search(r"\b(?:extras|dependency_groups)\b", marker):
        return marker

    def said(match: re.Match[str]) -> str:
        chosen = match["kind"] == "dependency_groups" and match["name"] in groups
        return f"os_name {'!=' if chosen != bool(match['not']) else '=='} ''"

    return left_of(_CHOSEN.sub(said, marker))


def _requirement(package: Package, folder: str) -> str:
    """Return the requirement by which pip installs the same file; empty without one."""
    if package.vcs is not None:
        vcs = package.vcs
        place = vcs.url or f"file://{folder}/{vcs.path}"
        below = f"#subdirectory={vcs.subdirectory}" if vcs.subdirectory else ""
        return f"{package.name} @ {vcs.type}+{place}@{vcs.commit_id}{below}"
    if package.directory is not None:
        flag = "-e " if package.directory.editable else ""
        return f"{flag}{_path(package.directory.path)}"
    if package.archive is not None:
        archive = package.archive
        place = f"{package.name} @ {archive.url}" if archive.url else _path(str(archive.path))
        return f"{place}{_hashes(archive.hashes)}"
    archives = [*(package.wheels or ()), *([package.sdist] if package.sdist else ())]
    if not archives or package.version is None:
        return ""
    if not any(archive.url for archive in archives) and (beside := [a for a in archives if a.path]):
        here = (each for each in beside if os.path.exists(os.path.join(folder, str(each.path))))
        chosen = next(here, beside[0])
        return f"{_path(str(chosen.path))}{_hashes(chosen.hashes)}"
    hashes = dict.fromkeys(_hashes(archive.hashes) for archive in archives)
    return f"{package.name}=={package.version}{''.join(hashes)}"


def _path(path: str) -> str:
    """Return a path in a form that pip takes for one."""
    return path if path.startswith(("/", ".")) else f"./{path}"


def _hashes(hashes: Any) -> str:
    return f" --hash=sha256:{hashes['sha256']}" if "sha256" in hashes else ""
