"""A shell script, such as postBuild, a lifecycle script of a hub's or install.sh."""

from __future__ import annotations

from pathlib import Path

from ...io.reading import files_below, text_or_none
from ...model.shell import SHELLS, Word
from .. import Found
from ..commandlines import recognise
from ..effects import shell_of
from ..state import State
from . import Reading
from ._finds import beginning, text_of

_SUFFIXES = (".sh", ".bash", ".zsh")


def recognises(path: Path) -> bool:
    """Return whether its name or its first line says so."""
    if path.suffix not in ("", *_SUFFIXES) or not path.is_file():
        return False
    return path.suffix in _SUFFIXES or shell_of(beginning(path)) in SHELLS


def read(path: Path, *, folder: str = "") -> Reading:
    """Read its commands.

    Args:
        folder: The folder it runs in; by default its own.
    """
    text = text_of(path)
    program = shell_of(text) or "sh"
    if program not in SHELLS:
        reason = f"It is a script for {program}, which is not read here."
        return Reading(path, (Found(path.name, reason=reason),))
    state = State(folder=folder or str(path.absolute().parent))
    for name in ("0", "BASH_SOURCE"):
        state.define(name, Word(str(path.absolute())))
    state.machine.look, state.machine.names = text_or_none, files_below
    return Reading(path, tuple(recognise(text, state=state, shell=(Word(program),))))  # noqa: S604 - read, not run
