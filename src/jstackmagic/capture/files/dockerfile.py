"""A Dockerfile: its RUN lines are read like the shell lines of a notebook."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from ...model.spec import read_all
from ..effects import is_setting
from ..lines import recognise, recognise_argv
from ..shell import Word
from ..state import State, word_of
from . import Reading
from ._finds import folder_of, has, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.request import Request
    from .. import Found, Target

_NAME = re.compile(
    r"(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.(?:dockerfile|containerfile)",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(r"\s*(?P<name>[A-Za-z]+)\s+(?P<rest>.*)", re.DOTALL)
_FLAG = re.compile(r"(?:\s|\\\n)*--[a-z-]+(?:=\S+)?(?=\s|\\\n|$)")
_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_HEREDOC = re.compile(r"<<(?P<dash>-?)(?P<quote>['\"]?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_VARIABLE = re.compile(
    r"\\.|'[^']*'|\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?::-(?P<other>[^}]*))?\})"
)
_CONDA_DIR = re.compile(r"\$\{?CONDA_DIR\}?(?:/envs/(?P<name>[^/$]+))?/?")
_ASIDE = ("ADD", "COPY", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ONBUILD", "ENTRYPOINT", "CMD")


def recognises(path: Path) -> bool:
    """Return whether it has the name, and a FROM."""
    return _NAME.fullmatch(path.name) is not None and has(path, r"(?i)^\s*FROM\s+\S")


def read(path: Path) -> Reading:
    """Read what the image's own stage runs, and the stages that it is built on.

    What is copied into the image is found again beside the Dockerfile; the variables of ARG and ENV
    are put in where they have values.

    Raises:
        InvalidSpec: It is no text.
        OSError: It cannot be read.
    """
    stages = list(_stages(list(_instructions(text_of(path)))))
    wanted = _wanted(stages)
    found: list[Found] = []
    notes: list[str] = []
    for stage in stages:
        if stage not in wanted:
            notes.append(f"The stage {stage.shown} is not in the image: what it runs is left out.")
            continue
        if stage.base and not any(stage.base == other.name for other in stages):
            notes.append(f"It is built on {stage.base}, which is not read here.")
        found += _Runner(folder_of(path), stage.variables).run(stage.instructions)
        aside = dict.fromkeys(i.name for i in stage.instructions if i.name in _ASIDE)
        if aside:
            notes.append(f"Only installs are read; left out: {', '.join(aside)}.")
    return Reading(path, tuple(found), tuple(dict.fromkeys(notes)))


# Instructions: https://docs.docker.com/reference/dockerfile/


@dataclass(frozen=True, slots=True)
class _Instruction:
    """One instruction.

    Attributes:
        name: In capitals.
        text: What follows, its line continuations in it.
        line: Where it begins.
        body: Its here-documents, with the lines that end them.
    """

    name: str
    text: str
    line: int
    body: str = ""


def _instructions(text: str) -> Iterator[_Instruction]:
    lines = text.splitlines()
    directive = _DIRECTIVE.match(lines[0]) if lines else None
    escape = directive[1] if directive else "\\"
    at = 0
    while at < len(lines):
        start = at
        joined = lines[at].rstrip()
        at += 1
        if not joined.strip() or joined.lstrip().startswith("#"):
            continue
        while joined.endswith(escape) and at < len(lines):
            following = lines[at].rstrip()
            at += 1
            if not following.strip() or following.lstrip().startswith("#"):
                following = escape  # the builder takes these out, and goes on
            joined = f"{joined[:-1]}\\\n{following}"
        match = _INSTRUCTION.match(joined)
        if match is None:
            continue
        name, rest, body = match["name"].upper(), match["rest"], []
        if name in ("RUN", "COPY", "ADD"):
            for mark in _HEREDOC.finditer(rest):
                while at < len(lines):
                    line = lines[at]
                    at += 1
                    body.append(line)
                    if (line.lstrip("\t") if mark["dash"] else line) == mark["word"]:
                        break
        yield _Instruction(name, rest, start + 1, "\n".join(body))


@dataclass(frozen=True)
class _Stage:
    """One FROM and what follows it.

    Attributes:
        base: The image or the stage that it is built on.
        name: Its own name; empty without one.
        number: Among the stages.
        instructions: In order.
        variables: The values that the ARGs before the first FROM have.
    """

    base: str
    name: str
    number: int
    instructions: list[_Instruction] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        return self.name or str(self.number)


def _stages(instructions: list[_Instruction]) -> Iterator[_Stage]:
    stage: _Stage | None = None
    known: dict[str, str] = {}
    number = 0
    for instruction in instructions:
        if instruction.name == "FROM":
            if stage is not None:
                yield stage
            words = [w for w in instruction.text.split() if not w.startswith("--")] or [""]
            name = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
            stage = _Stage(_filled(words[0], known), name, number, variables=dict(known))
            number += 1
        elif stage is None:
            known.update(_assignments(instruction, known))
        else:
            stage.instructions.append(instruction)
    if stage is not None:
        yield stage


def _wanted(stages: list[_Stage]) -> list[_Stage]:
    """The last stage, and those it is built on."""
    wanted: list[_Stage] = []
    stage = stages[-1] if stages else None
    while stage is not None and stage not in wanted:
        wanted.append(stage)
        base = stage.base
        stage = next((s for s in stages if base in (s.name, str(s.number)) and base), None)
    return wanted


def _assignments(instruction: _Instruction, known: dict[str, str]) -> dict[str, str]:
    """Return what ARG or ENV sets; an ARG without a value keeps what it has."""
    if instruction.name not in ("ARG", "ENV"):
        return {}
    text = instruction.text.replace("\\\n", " ")
    if instruction.name == "ENV" and "=" not in text.split(maxsplit=1)[0]:
        name, _, value = text.strip().partition(" ")
        return {name: _filled(value.strip(), known)}
    try:
        words = shlex.split(_filled(text, known))
    except ValueError:
        return {}
    pairs = (word.partition("=") for word in words)
    return {name: value for name, equals, value in pairs if equals}


def _filled(text: str, known: dict[str, str]) -> str:
    """The text with the variables that are known; not between single quotes."""

    def value(match: re.Match[str]) -> str:
        name = match["name"] or match["braced"]
        if name is None:
            return match[0]
        return known.get(name, match["other"] if match["other"] is not None else match[0])

    return _VARIABLE.sub(value, text)


# Running them


class _Runner:
    """What one stage's instructions have settled so far.

    Args:
        context: The folder that COPY takes from.
        variables: What the ARGs before the first FROM have set.
    """

    def __init__(self, context: str, variables: dict[str, str]) -> None:
        self.context = context
        self.given = variables  # an ARG before the first FROM, which an ARG after it takes up
        self.variables: dict[str, str] = {}
        self.state = State(folder="/", closed=True)
        self.shell: list[str] = []
        self.copies: dict[str, str] = {}

    @property
    def folder(self) -> str | None:
        """The working folder."""
        return self.state.folder

    def run(self, instructions: list[_Instruction]) -> Iterator[Found]:
        """The finds of a stage."""
        for instruction in instructions:
            if instruction.name == "RUN":
                yield from map(self._resolved, self._found(instruction))
            elif instruction.name in ("ARG", "ENV"):
                self._set(instruction)
            elif instruction.name == "WORKDIR":
                path = _filled(instruction.text.strip(), self.variables)
                known = self.folder is not None and "$" not in path
                self.state.folder = posixpath.join(self.folder or "/", path) if known else None
            elif instruction.name == "SHELL":
                self.shell = _strings(instruction.text) or []
            elif instruction.name in ("COPY", "ADD") and not instruction.body:
                self._copy(instruction)

    def _set(self, instruction: _Instruction) -> None:
        new: dict[str, str] = {}
        if instruction.name == "ARG":
            words = instruction.text.split()
            new.update({word: self.given[word] for word in words if word in self.given})
        new.update(_assignments(instruction, self.variables))
        self.variables.update(new)
        for name, value in new.items():
            self.state.define(name, word_of(value))

    def _copy(self, instruction: _Instruction) -> None:
        text = _filled(instruction.text, self.variables)
        if re.search(r"(?:^|\s)--from=", text):
            return
        words = _strings(text) or [w for w in text.split() if not w.startswith("--") and w != "\\"]
        if len(words) < 2 or self.folder is None:
            return
        *sources, target = words
        into = len(sources) > 1 or target.endswith(("/", ".")) or target == "~"
        target = posixpath.normpath(posixpath.join(self.folder, target))
        for source in sources:
            place = os.path.normpath(os.path.join(self.context, source.lstrip("/")))
            inside = into and not os.path.isdir(place)
            path = posixpath.join(target, posixpath.basename(source)) if inside else target
            self.copies[path] = place
            self._wrote(path, place, instruction)

    def _wrote(self, path: str, place: str, instruction: _Instruction) -> None:
        """Take in a file that is copied, and a folder's: settings of pip's and conda's count."""
        by = f"{instruction.name}, line {instruction.line},"
        here = Path(place)
        if here.is_dir():
            for file in sorted(here.iterdir()):
                if file.is_file():
                    self._wrote(posixpath.join(path, file.name), str(file), instruction)
            return
        if not is_setting(path):
            return
        try:
            text: str | None = text_of(here)
        except (OSError, UsageError):
            text = None
        self.state.wrote(path, text, by=by)

    def _found(self, instruction: _Instruction) -> Iterator[Found]:
        text, line = instruction.text, instruction.line
        flags = re.match(rf"(?:{_FLAG.pattern})*(?:\s|\\\n)*", text)
        assert flags is not None
        line += flags[0].count("\n")
        text = text[flags.end() :]
        words = _strings(text)
        if words is not None:
            typed = text.replace("\\\n", " ")
            yield from recognise_argv(
                [Word(word) for word in words], state=self.state, line=line, command=typed
            )
            return
        if instruction.body:
            alone = _HEREDOC.match(text)
            if alone and not text[alone.end() :].strip():
                text, line = "\n".join(instruction.body.split("\n")[:-1]), line + 1
            else:
                text = f"{text}\n{instruction.body}"
        yield from recognise(text, state=self.state, shell=self.shell, line=line)

    # -- what the image has, in terms of this machine

    def _resolved(self, found: Found) -> Found:
        request = found.request
        target = named(found.target)
        if request is None:
            return replace(found, target=target)
        specs = read_all(request.manager, map(self._from_context, request.texts))
        changed: Request = replace(request, specs=specs)
        return replace(found, request=changed, target=target)

    def _from_context(self, spec: str) -> str:
        """A spec with the file beside the Dockerfile in the place of the copy in the image."""
        for target in sorted(self.copies, key=len, reverse=True):
            at = spec.find(target)
            before, after = spec[:at], spec[at + len(target) :]
            if at < 0 or (before and before[-1] not in " /") or (after and after[0] not in "/[;# "):
                continue
            if before.strip() not in ("", "-r", "-c", "-e", "--file") and "file://" not in before:
                continue
            return f"{before}{self.copies[target]}{after}"
        return spec


def named(target: Target) -> Target:
    """The environment's name, where the prefix is the Docker Stacks' way to say it."""
    match = _CONDA_DIR.fullmatch(target.prefix)
    return replace(target, name=match["name"] or "base", prefix="") if match else target


def _strings(text: str) -> list[str] | None:
    """The words of the exec form; None for the shell form."""
    try:
        words = json.loads(text.replace("\\\n", ""))
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return words if is_list and words else None
