"""devcontainer.json: the commands that VS Code, Codespaces and others run in the container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...io.reading import files_below, text_or_none
from ...model.documents import parse_json, table
from ...model.shell import Word
from .. import Found
from ..commandlines import recognise, recognise_argv
from ..state import State, word_of
from . import Reading
from ._finds import line_of, text_of

_COMMANDS = (
    *("onCreateCommand", "updateContentCommand", "postCreateCommand"),
    *("postStartCommand", "postAttachCommand"),
)
"""In the order they run in, inside the container: https://containers.dev/implementors/json_reference/"""

_ASIDE = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)


def recognises(path: Path) -> bool:
    return path.name in ("devcontainer.json", ".devcontainer.json") and path.is_file()


def read(path: Path) -> Reading:
    """Read the installs of its commands; the image and its features are only named."""
    text = text_of(path)
    bare = _ASIDE.sub(lambda match: match[1] or " ", text)
    bare = _ASIDE.sub(lambda match: match[1] or " ", bare)  # a comma before a comment
    data = table(parse_json(bare, str(path)))
    folder = path.absolute().parent
    folder = folder.parent if folder.name == ".devcontainer" else folder
    state = State(folder=str(folder))
    state.machine.look, state.machine.names = text_or_none, files_below
    for name in ("containerWorkspaceFolder", "localWorkspaceFolder"):
        state.define(name, Word(str(folder)))
    for name, value in {**table(data, "containerEnv"), **table(data, "remoteEnv")}.items():
        said = re.sub(r"\$\{(?:container|local)Env:(\w+)(?::[^}]*)?\}", r"${\1}", str(value))
        state.define(name, state.value(word_of(said)))
    found = tuple(
        each
        for name in _COMMANDS
        for command in _each(data.get(name))
        for each in _run(command, state, line_of(text, f'"{name}"'))
    )
    return Reading(path, found, tuple(_notes(data)))


def _each(command: Any) -> Iterator[Any]:
    """Yield a command, or those of an object, which run side by side."""
    yield from command.values() if isinstance(command, dict) else [command]


def _run(command: Any, state: State, line: int) -> Iterator[Found]:
    if isinstance(command, str):
        yield from recognise(command, state=state, line=line, command=command)
    elif isinstance(command, list):
        yield from recognise_argv([Word(str(word)) for word in command], state=state, line=line)


def _notes(data: dict[str, Any]) -> Iterator[str]:
    built = table(data, "build").get("dockerfile") or data.get("dockerFile")
    if built:
        yield f"Its image is built by {built}: capture that file as well."
    if data.get("image"):
        yield f"It is built on {data['image']}, which is not read here."
    if data.get("initializeCommand"):
        yield "Its initializeCommand runs on the machine around the container, and is left out."
    features = ", ".join(table(data, "features"))
    if features:
        yield f"What its features install is not read here: {features}."
