"""requirements.txt, pip's list of requirements, with -r, -c, hashes and markers."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ...model.errors import UsageError
from ...model.listed import listed_requirement
from ...model.parsing import Asked, Problem, logical_lines
from . import Reading, conda_list
from ._finds import beginning, finds, folder_of, masked, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = (".txt", ".in", ".pip")
_OTHERS = ("apt.txt", "runtime.txt")
_EXPLICIT = re.compile(r"^@EXPLICIT\s*$", re.MULTILINE)
_HEADING = re.compile(r"\A# This file may be used to create an environment")
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?=\S))(?P<path>(?!\w+://)\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_SECRET = re.compile(r"://[^/\s]*\$\{([A-Z0-9_]+)\}[^/\s]*@")
"""A variable that pip fills in from the process environment, only in a file."""

_CONDA_BUILD = re.compile(r"/(?:[^/]+_\d{8,}|[^/]*croot)/|/feedstock_root/|/conda-bld/")
"""A folder that conda-build made for one build: ``…/babel_1607110387436/work``."""


def recognises(path: Path) -> bool:
    """Return whether it is a text file that is not conda's or apt's."""
    if path.suffix not in _SUFFIXES or path.name in _OTHERS or not path.is_file():
        return False
    text = beginning(path)
    return not (_EXPLICIT.search(text) or _HEADING.search(text) or conda_list.is_one(text))


def read(path: Path, *, folder: str = "") -> Reading:
    """Read it, and the files that it includes; only a line that pip would refuse is lost.

    Requirements with their own build settings are a request each. ``${NAME}`` is filled in from
    the environment, as pip does; if it has a credential, or decides the index and is not set
    here, the request is the file as a whole, which pip reads.

    Args:
        path: The file.
        folder: The folder that local requirements are relative to; by default this one.

    Raises:
        InvalidSpec: The file is not text.
        OSError: It cannot be read.
    """
    base = folder or os.getcwd()
    lines = list(_lines(path, ()))
    first = next((each.number for each in lines if each.file == path), 0)
    asked, alone = Asked(), []
    for each in lines:
        unset = [name for name in _VARIABLE.findall(each.text) if not os.environ.get(name)]
        secret = _SECRET.search(each.text)
        if (secret or (unset and each.text.startswith("-"))) and not each.reason:
            name = secret[1] if secret else unset[0]
            return _as_it_is(path, f"pip fills in ${{{name}}} where it runs: set {name} there.")
        each = replace(each, text=_VARIABLE.sub(_value, each.text))
        try:
            if each.reason:
                raise UsageError(each.reason)
            read, own = _read(each, base)
        except UsageError as error:
            asked += Asked(problems=(_problem(each, error, path),))
            continue
        if own:
            alone.append(replace(read, pip_options=own))
        else:
            asked += read
    found = [*finds(asked, line=first)]
    for one in alone:
        sources = replace(one, sources=asked.sources, pip_options=asked.pip_options)
        found += finds(replace(sources, pip_options=(*asked.pip_options, *one.pip_options)))
        asked = replace(asked, notes=(*asked.notes, *one.notes))
    return Reading(path, tuple(found), tuple(dict.fromkeys(asked.notes)))


def is_clean(reading: Reading) -> bool:
    """Return whether pip reads a list as we do, so that it can be passed to pip unchanged."""
    return not reading.problems and not reading.notes and len(reading.found) <= 1


def _value(variable: re.Match[str]) -> str:
    return os.environ.get(variable[1]) or variable[0]


def _as_it_is(path: Path, why: str) -> Reading:
    asked = Asked(specs=(("pip", f"-r {path.absolute()}"),))
    note = f"It is left to pip as a whole. {why}"
    return Reading(path, tuple(replace(f, note=note) for f in finds(asked, line=1)))


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line.

    Attributes:
        number: Its number in the file, from 1.
        text: Its text without comments.
        file: Its file.
        reason: Why it requests nothing; empty if it may.
    """

    number: int
    text: str
    file: Path
    reason: str = ""


def _read(line: _Line, base: str) -> tuple[Asked, tuple[str, ...]]:
    """Return a line's request, and the options for its requirement alone.

    Raises:
        UsageError: pip would refuse it, or could not do it here.
    """
    text = line.text
    if reason := _cannot_work(text):
        raise UsageError(reason)
    # pip's rule: options name files from the list's own folder, requirements from here
    here = bool(_EDITABLE.match(text)) or not text.startswith("-")
    return listed_requirement(text, folder=base if here else folder_of(line.file))


def _cannot_work(text: str) -> str:
    """Return why a valid line cannot work here, and what to write; empty if it may work."""
    variable = _VARIABLE.search(text)
    if variable:
        return f"{variable[1]} is not set here, and pip takes {variable[0]} as it stands: set it."
    placeholder = masked(text)
    if placeholder:
        return (
            f"{placeholder} stands where a credential was: write ${{NAME}} in its place, which pip"
            " takes from the environment."
        )
    direct = re.match(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*file:(?://)?(/\S*)", text)
    if direct is None:
        return ""
    name, place = direct[1], unquote(direct[2].partition("#")[0])
    if os.path.exists(place):
        return ""
    if _CONDA_BUILD.search(place):
        return (
            f"It is a build folder of conda's, on another machine: write {name}, or make the list"
            " with pip list --format=freeze, which has versions."
        )
    return f"There is no {place} here: write {name}, with the version that it had."


def _problem(line: _Line, error: UsageError, path: Path) -> Problem:
    reason = error.problem
    if line.file != path:
        reason = f"In {line.file.name}: {reason}"
    return Problem(line.text, reason, line.number)


def _lines(path: Path, includers: tuple[Path, ...]) -> Iterator[_Line]:
    """Yield the lines of a file, with included files in place of ``-r`` lines."""
    if path.resolve() in includers:
        return
    for number, line in logical_lines(text_of(path)):
        included = _INCLUDE.fullmatch(line)
        if not included or _VARIABLE.search(line):
            yield _Line(number, line, path)
            continue
        named, _, rest = included["path"].partition(" ")
        other = Path(folder_of(path), named.strip("'\""))
        try:
            yield from _lines(other, (*includers, path.resolve()))
        except (OSError, UsageError) as error:
            said = getattr(error, "strerror", None) or getattr(error, "problem", error)
            reason = f"It includes {other}, which cannot be read: {str(said).rstrip('.')}."
            yield _Line(number, line, path, reason)
        if rest.strip():
            reason = f"pip includes it everywhere: it reads over {rest.strip()!r}."
            yield _Line(number, line, path, reason)
