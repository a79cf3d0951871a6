"""requirements.txt, pip's list of requirements, with -r, -c, hashes and markers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from ...model.errors import InvalidSpec, UsageError
from ...model.listed import NOTHING_READ, listed_requirement, pips_meaning
from ...model.parsing import Asked, Problem, logical_lines, split_words
from . import Reading, formats
from ._finds import finds, folder_of, has, masked, text_of
from ._image import PROJECT

_SUFFIXES = (".txt", ".in", ".pip")
_PROSE = 5  # lines: below it, what is wrong with each says more
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?=\S))(?P<path>(?!\w+://)\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)\b")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_SECRET = re.compile(r"://[^/\s]*\$\{([A-Z0-9_]+)\}[^/\s]*@")
"""A variable that pip fills in from the process environment, only in a file."""

_CONDA_BUILD = re.compile(
    r"/(?:[^/]+_\d{8,}|[^/]*croot)/|/feedstock_root/|/conda-bld/|/[A-Z]:/(?:b|bld|ci)/"
)
"""A folder that conda-build made for one build: ``…/babel_1607110387436/work``."""


def recognises(path: Path) -> bool:
    """Return whether it is a text file that is of no other format, and no Dockerfile."""
    if path.suffix not in _SUFFIXES or not path.is_file() or has(path, r"^FROM\s+\S"):
        return False
    others = (module for name, module in formats().items() if name != "requirements")
    return not any(module.recognises(path) for module in others)


def read(path: Path, *, folder: str = "") -> Reading:
    """Read it, and the files that it includes; only a line that pip would refuse is lost.

    Requirements with their own build settings are a request each. ``${NAME}`` is filled in from
    the environment, as pip does; if it has a credential, or decides the index and is not set
    here, the request is the file as a whole, which pip reads.

    Args:
        folder: The folder that local requirements are relative to; by default this one.
    """
    base = folder or os.getcwd()
    lines = list(_of_no_conflict(list(_lines(path))))
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
            asked += Asked(problems=(_problem(each, error),))
            continue
        if own:
            alone.append((each.at or each.number, replace(read, pip_options=own)))
        else:
            asked += read
    unread = [
        each
        for each in asked.problems
        if each.reason == NOTHING_READ or (len(each.text.split()) > 3 and "==" not in each.text)
    ]
    if not (asked.specs or alone) and len(unread) * 2 > len(lines) > _PROSE:
        raise InvalidSpec(
            f"{path} is no list of packages: pip reads no requirement in {len(unread)} of its"
            f" {len(lines)} lines, as in line {unread[0].line}: {unread[0].text[:60]}",
            advice="A list has a package a line: six==1.17.0",
        )
    found = [*finds(asked, line=first)]
    for number, one in alone:
        sources = replace(one, sources=asked.sources, pip_options=asked.pip_options)
        options = (*asked.pip_options, *one.pip_options)
        found += finds(replace(sources, pip_options=options), line=number)
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
class _LogicalLine:
    """A logical line."""

    number: int  #: its number in the file, from 1
    text: str  #: its text without comments
    file: Path
    reason: str = ""  #: why it requests nothing; empty if it may
    at: int = 0  #: the number of the line in the first file by which it is included; 0 in that file


def _read(line: _LogicalLine, base: str) -> tuple[Asked, tuple[str, ...]]:
    """Return a line's request, and the options for its requirement alone."""
    text = line.text
    if reason := _cannot_work(text):
        raise UsageError(reason)
    # pip's rule: options name files from the list's own folder, requirements from here
    here = bool(_EDITABLE.match(text)) or not text.startswith("-")
    own = folder_of(line.file)
    read = listed_requirement(text, folder=base if here else own)
    places = [spec.path for spec in read[0].of("pip") if spec.path]
    if here and places and own != os.path.abspath(base):
        beside = listed_requirement(text, folder=own)
        if all(_is_installable(spec.path) for spec in beside[0].of("pip")):
            if not all(map(_is_installable, places)):
                note = f"{text} is relative to the list: pip finds it from {own} alone."
                return replace(beside[0], notes=(*beside[0].notes, note)), beside[1]
            if beside[0].specs != read[0].specs:
                note = f"{text} is {places[0]} to pip, which runs there, and not what is in {own}."
                return replace(read[0], notes=(*read[0].notes, note)), read[1]
    for place in places:
        if not os.path.exists(place):
            raise UsageError(pips_meaning(text) or f"There is no {place} here.")
    return read


def _is_installable(path: str) -> bool:
    return os.path.isfile(path) or any(os.path.exists(os.path.join(path, p)) for p in PROJECT)


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


def _problem(line: _LogicalLine, error: UsageError) -> Problem:
    reason = error.problem
    if line.at:
        reason = f"In {line.file.name}, line {line.number}: {reason}"
    return Problem(line.text, reason, line.at or line.number)


def _of_no_conflict(lines: list[_LogicalLine]) -> Iterator[_LogicalLine]:
    """Yield the lines with a reason for those between the marks of a merge conflict."""
    last = max((n for n, line in enumerate(lines) if line.text.startswith(">>>>>>>")), default=0)
    inside = False
    for number, line in enumerate(lines):
        is_mark = re.match("<{7}|={7}|>{7}", line.text)
        inside = line.text[:7] != ">>>>>>>" if is_mark and number < last else inside and not is_mark
        one_side = "It is one side of a merge conflict: choose one."
        yield replace(line, reason=one_side if inside and not is_mark else line.reason)


def _lines(path: Path) -> Iterator[_LogicalLine]:
    """Yield the lines of a file, with included files in place of ``-r`` lines, each once."""
    seen = {os.path.realpath(path)}
    reading = [(path, logical_lines(text_of(path)), 0)]
    while reading:
        file, lines, at = reading[-1]
        number, line = next(lines, (0, ""))
        if not number:
            reading.pop()
            continue
        included = _INCLUDE.fullmatch(line)
        if not included or _VARIABLE.search(line):
            yield _LogicalLine(number, line, file, at=at)
            continue
        rest: list[str] = []
        other = Path(included["path"])
        try:
            named, *rest = split_words(included["path"])
            other = Path(folder_of(file), named)
            if (place := os.path.realpath(other)) not in seen:
                reading.append((other, logical_lines(text_of(other)), at or number))
                seen.add(place)
        except (OSError, UsageError, ValueError) as error:  # a name that no file can have
            said = getattr(error, "strerror", None) or getattr(error, "problem", error)
            reason = f"It includes {other}, which cannot be read: {str(said).rstrip('.')}."
            yield _LogicalLine(number, line, file, reason, at)
        if rest:
            reason = f"pip includes it everywhere: it reads over {' '.join(rest)!r}."
            yield _LogicalLine(number, line, file, reason, at)
