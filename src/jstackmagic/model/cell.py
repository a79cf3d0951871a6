"""Reading a cell: specs, sections per manager, requirement lines, or an ``environment.yml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from . import managers
from .environmentfile import read_environment_yml
from .errors import InvalidSpec
from .packages import ManagerName
from .parsing import (
    Asked,
    is_requirement,
    logical_lines,
    read_requirement,
    read_specs,
    split_words,
    squeeze,
)
from .spec import CONDA_ARCHIVE, PIP_ARCHIVE

_CONTINUES = re.compile(r"[<>=!~*]|\d|\|")


def read_cell(body: str, *, manager: ManagerName | None = None, folder: str = ".") -> Asked:
    """Read a cell: specs, sections per manager, requirement lines, or an ``environment.yml``.

    Args:
        manager: For the lines before the first section.

    Raises:
        InvalidSpec: A line is not a spec; the error names the line.
    """
    if re.search(r"^(dependencies|channels)[ \t]*:", body, re.MULTILINE):
        asked = read_environment_yml(body, folder=folder)
        for problem in asked.problems:
            raise InvalidSpec(
                f"Line {problem.line}: {problem.text!r} is not a package. {problem.reason}"
            )
        if not asked.name:
            return asked
        note = f"The environment.yml is named {asked.name!r}; the target stays as it is."
        return replace(asked, notes=(*asked.notes, note))
    asked = Asked()
    section = manager
    for _, line in logical_lines(body):
        header = re.fullmatch(r"([a-z]+):(?:\s+(.*))?", line)
        if header and header[1] in managers.names():
            section = header[1]
            line = header[2] or ""
        line = re.sub(r"^-\s+", "", line)  # a list item, as in YAML
        if line:
            asked += _read_line(line, section, folder)
    return asked


def _read_line(line: str, manager: ManagerName | None, folder: str) -> Asked:
    if line.startswith("-") or " --hash" in line:
        return read_requirement(line, folder=folder)
    if manager in (None, "pip") and is_requirement(line):
        return read_specs([squeeze(line)], manager=manager, folder=folder)
    return read_specs(_join_versions(split_words(line)), manager=manager, folder=folder)


def _join_versions(words: list[str]) -> Iterator[str]:
    """Join ``numpy >=1.20 py39_0`` to one match spec; ``numpy pandas`` stay two."""
    spec = ""
    for word in words:
        if spec and _CONTINUES.match(word) and not word.endswith(CONDA_ARCHIVE + PIP_ARCHIVE):
            spec += word if not word[0].isdigit() else f" {word}"
        else:
            if spec:
                yield spec
            spec = word
    if spec:
        yield spec
