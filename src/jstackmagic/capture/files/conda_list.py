"""A list that `conda list --export` writes, or that `conda install --file` takes."""

from __future__ import annotations

import re
from pathlib import Path

from ...model.cell import read_cell
from ...model.errors import UsageError
from ...model.listed import listed_spec
from ...model.parsing import Asked, Problem, logical_lines
from . import Reading, explicit
from ._finds import beginning, check_platform, finds, folder_of, has, text_of

_HEADING = r"\A# This file may be used to create an environment using:"
_COLUMNS = r"(?:# )?Name +Version +Build\b.*"
_TABLE = re.compile(rf"^# packages in environment at |^ *{_COLUMNS}", re.MULTILINE)
_NAME = r"[A-Za-z0-9_][\w.-]*"
_BUILT = re.compile(rf"({_NAME})=([^=\s<>]+)=([^=\s]+)")
_PLAIN = re.compile(rf"({_NAME})=([^=\s<>]+)")


def recognises(path: Path) -> bool:
    """Return whether conda wrote it: by its heading, or else by lines ``name=version=build``."""
    if not path.is_file() or path.suffix in (".py", ".yml", ".yaml", ".toml", ".ipynb"):
        return False
    if explicit.recognises(path):
        return False
    usual = path.suffix in (".txt", ".in", ".pip")
    return has(path, _HEADING) or (usual and is_one(beginning(path)))


def is_one(text: str) -> bool:
    r"""Return whether most lines are conda's, and one has a build, which pip never writes.

    >>> is_one("numpy=1.19.2=py38_0\nsix=1.16\n"), is_one("numpy=1.19\nsix==1.16\n")
    (True, False)
    """
    lines = [line for _, line in logical_lines(text)]
    built = sum(_BUILT.fullmatch(line) is not None for line in lines)
    plain = sum(_PLAIN.fullmatch(line) is not None for line in lines)
    if _TABLE.search(text):
        return True
    return built > 0 and (built + plain) * 2 > len(lines)


def read(path: Path) -> Reading:
    """Read it; packages that pip had installed (build ``pypi_0``) are pip's."""
    text = text_of(path)
    check_platform(path, text)
    asked = Asked()
    is_table = _TABLE.search(text) is not None
    for number, line in logical_lines(text):
        is_heading = line.startswith("@") or re.fullmatch(_COLUMNS, line)  # how to read a list
        line = "=".join(line.split()[:3]) if is_table else line
        if is_heading:
            continue
        built = _BUILT.fullmatch(line)
        try:
            if built and built[3].startswith(("pypi_", "<pip>")):
                asked += Asked(specs=(("pip", f"{built[1]}=={built[2]}"),))
            else:
                if not line.startswith("-"):
                    listed_spec(line, folder=folder_of(path))  # stops at what conda refuses
                asked += read_cell(line, manager="conda", folder=folder_of(path))
        except UsageError as error:
            asked += Asked(problems=(Problem(line, error.problem, number),))
    notes = list(asked.notes)
    if path.name.startswith("requirements") or not has(path, _HEADING):
        notes.append("It is conda's list (name=version=build), which pip refuses.")
    return Reading(path, tuple(finds(asked, line=1)), tuple(notes))
