"""A Dockerfile: its RUN lines are read like the shell lines of a notebook."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ...io.reading import text_or_none
from ...model.managers import is_system
from ...model.request import Request
from ...model.shell import ShellCommand, Word, parse
from ...model.sources import Sources
from ...model.spec import Constraint, RequirementsFile, Spec
from ...model.spec import read as read_spec
from ...model.words import listed
from .. import Found, Target
from ..argv import repository
from ..commandlines import installs_later, recognise, recognise_argv
from ..downloads import taken
from ..effects import ARCHIVE
from ..lists import at_url, listed_in, local_path
from ..machine import changes_apt, is_setting, origin_of, unknown_value
from ..others import RUN_LATER
from ..python_tools import UV_SYSTEM
from ..state import State, word_of
from . import Reading
from ._copied import Copy, StageFind
from ._copied import carried as carries
from ._finds import has, text_of
from ._image import (
    AllStages,
    CopyOrigin,
    ImageFiles,
    below,
    context_of,
    ignored,
    in_context,
    left_out,
)

_NAME = re.compile(
    r"(?:[\w.-]+\.)?(?:Dockerfile|Containerfile)(?:\.[\w.-]+|[_-][\w-]+(?:\.\d+)*)?(?<!\.dockerignore)",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(r"\s*(?P<name>\S+)\s*(?P<rest>.*)", re.DOTALL)
_FLAGS = re.compile(r"(?:(?:\s|\\\n)*--[a-z-]+(?:=\S+)?(?=\s|\\\n|$))*(?:\s|\\\n)*")
_ESCAPE = re.compile(r"(?:\s*#\s*(?!escape)\w+\s*=.*\n)*\s*#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_HEREDOC = re.compile(r"<<(?P<dash>-?)(?P<quote>['\"]?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_CONDA_DIR = re.compile(r"\$\{?CONDA_DIR\}?(?:/envs/(?P<name>[^/$]+))?/?")
_BASES = re.compile(
    r"base|root|/usr(?:/local)?|/(?:opt|root|srv|home/\w+)/\.?\w*(?:conda|forge)\d?"
)
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2|txz)$|\.tar\.\w+$")
_PYTHON = re.compile(r"(?:^|/)(?:python|pypy):(\d\.\d+)")
_DISTRIBUTION = re.compile(
    r"(?:^|(?<=/))(?:debian|ubuntu):[\w.-]+|(?:ubuntu|debian)-?\d+(?:\.\d+)?"
    r"|\b(?:focal|jammy|noble|bionic|buster|bullseye|bookworm|trixie)\b"
)
_WINDOWS = re.compile(r"windows|nanoserver", re.IGNORECASE)
_WINDOWS_SHELL = re.compile(r"(?:(powershell|pwsh)|cmd)(?:\.exe)?$", re.IGNORECASE)
_PLAIN = re.compile(r"[^$(){}@|%,`']*")
"""A line that is to cmd what it is to a shell; to PowerShell, a line in single quotes is, too."""
_PLAIN_QUOTED = re.compile(r"[^$(){}@|%,`]*")
_STACKS = re.compile(r"(?:^|/)jupyter/[\w-]+|-notebook(?::|$)|docker-stacks-foundation")
_SHELL = ("/bin/sh", "-c")
_JOVYAN = "/home/jovyan"  # the home and the working folder in the Docker Stacks
_HANDED = re.compile(r" The line for it: %envinstall .*-f (?P<path>/\S+)")
_LISTS = (RequirementsFile, Constraint)
_OPTION = r"(?:-r|-c|-e|--requirement|--constraint|--editable)"
_ABSOLUTE = re.compile(
    rf"^(?:[ \t]*(?:- )?(?:{_OPTION}[ \t=]*)?(?:file:)?/|[^#\n]*@[ \t]*file:).*", re.MULTILINE
)
_RELATIVE = re.compile(
    r"^[ \t]*(?:- )?"
    r"(?:(?P<option>-r|-c|--requirement|--constraint)[ \t=]*|(?:-e|--editable)[ \t=]*)?"
    r"(?P<path>(?(option)(?!\w+:)[^\s#]+|\.{1,2}(?:/[^\s#\[;]*)?(?=[\s\[;]|$)))",
    re.MULTILINE,
)
_KEPT_IN = re.compile(r"\.?docker\w*|\.?containers?|\.?devcontainer|build|ci|deploy\w*|images?")
"""Names of folders in which projects keep Dockerfiles whose context is above."""
_LATER = ("HEALTHCHECK", "ENTRYPOINT", "CMD")
_KNOWN = listed(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL"
    " STOPSIGNAL USER VOLUME WORKDIR"
)
_ASIDE = ("ADD", "COPY", "VOLUME", "STOPSIGNAL", *_LATER)


def recognises(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None and has(path, r"(?i)^\s*FROM\s+\S")


def read(path: Path) -> Reading:
    """Read the image's own stage, and the stages that it is built on.

    A path of the image is looked up in COPY, ADD, mounts and clones, and is never a path
    of this machine.
    """
    stages = list(_stages(list(_instructions(text_of(path)))))
    found: list[Found] = []
    context, notes = _context(path, stages)
    shared = AllStages(path, ignored(path, context))
    by_name: dict[str, _StageRunner] = {}
    runners: list[_StageRunner] = []
    for stage in stages:
        runner = _StageRunner(context, shared, stage, by_name)
        runner.run()
        runners.append(runner)
        by_name |= {str(stage.number): runner, stage.name or str(stage.number): runner}
    wanted = _wanted(runners)
    for runner in wanted:
        stage = runner.stage
        finds = [*(held.found for held in runner.carried), *runner.found]
        finds += (*runner.for_children(), *runner.in_a_container()) if runner is runners[-1] else ()
        if stage.base and runner.base is None:
            notes.append(_built_on(stage.base))
            system = _DISTRIBUTION.search(stage.base)
            if system and any(f.request and is_system(f.request.manager) for f in finds):
                notes.append(f"Its Debian packages are of {system[0]}, in names and in versions.")
        python = _PYTHON.search(runner.image)
        found += [_by_python(each, python[1]) for each in finds] if python else finds
        aside = dict.fromkeys(i.name for i in stage.instructions if i.name in _ASIDE)
        if aside:
            notes.append(f"Only installs are read; left out: {', '.join(aside)}.")
    notes += _left_out(runners, wanted)
    return Reading(path, tuple(map(_of_the_base, found)), tuple(dict.fromkeys(notes)))


def _built_on(base: str) -> str:
    if base.lower() == "scratch":
        return "It begins empty, with no Python: what it runs and holds is copied into it."
    windows = " It is an image of Windows, with builds of its own." if _WINDOWS.search(base) else ""
    return f"It is built on {base}, which is not read here.{windows}"


def _by_python(found: Found, version: str) -> Found:
    """Return a find by the Python of an image whose name has its version."""
    target = found.target
    plain = not (target.name or target.prefix) and target.interpreter in ("pip", "python", "uv")
    return (
        replace(found, target=replace(target, interpreter=f"python{version}")) if plain else found
    )


def _of_the_base(found: Found) -> Found:
    """Return a find of the image's own environment as one that the target may stand in for."""
    own = _BASES.fullmatch(found.target.name or found.target.prefix)
    return replace(found, target=replace(found.target, advised=True)) if own else found


def _context(path: Path, stages: list[_Stage]) -> tuple[str, list[str]]:
    """Return the folder that COPY takes from, and a note on one that is not the usual.

    A build may be given any folder (``docker build -f docker/Dockerfile .``): of the usual one and
    the two above, as far as they are of one project, the one with most of what is copied is meant.
    """
    usual = context_of(path)
    above = [
        str(folder.parent)
        for folder in (Path(usual), Path(usual).parent)
        if _KEPT_IN.fullmatch(folder.name) or (folder.parent / ".git").exists()
    ]
    named = [
        source
        for stage in stages
        for instruction in stage.instructions
        if instruction.name in ("COPY", "ADD") and "--from=" not in instruction.text
        for source in _arguments(instruction)[:-1]
        if not re.search(r"[$<:]|\.\.", source)
    ]
    held = {
        folder: sum(any(map(os.path.exists, in_context(folder, each))) for each in named)
        for folder in (usual, *above)
    }
    context = max(held, key=lambda folder: held[folder])
    if context == usual:
        return usual, []
    return context, [f"What it copies lies in {context}, which is taken for its context."]


def _arguments(instruction: _Instruction) -> list[str]:
    """Return the sources and the target of COPY or ADD."""
    text = instruction.rest.replace("\\\n", " ")
    return _strings(text) or text.split()


def _wanted(runners: list[_StageRunner]) -> list[_StageRunner]:
    """Return the stages that the last one is built on, and it, in their order."""
    wanted: list[_StageRunner] = []
    runner = runners[-1] if runners else None
    while runner is not None:
        wanted.append(runner)
        runner = runner.base
    return wanted[::-1]


def _left_out(runners: list[_StageRunner], wanted: list[_StageRunner]) -> Iterator[str]:
    """Yield a note on each stage that the image does not stand on."""
    copied: dict[str, dict[str, None]] = {}
    for runner in runners:
        for _, copy in runner.copies:
            copied.setdefault(copy.stage, {})[copy.source] = None
    numbers = {runner.stage.number for runner in wanted}
    for stage in (runner.stage for runner in runners if runner.stage.number not in numbers):
        if paths := copied.get(stage.shown):
            has = ", ".join(paths)
            yield f"Of the stage {stage.shown}, the image has {has}: all else in it is left out."
        else:
            yield f"The stage {stage.shown} is not in the image: what it runs is left out."


# Instructions: https://docs.docker.com/reference/dockerfile/


@dataclass(frozen=True, slots=True)
class _Instruction:
    """One instruction."""

    name: str  #: its name, in capitals
    text: str  #: the text after it, with its line continuations
    line: int  #: its first line
    body: str = ""  #: its here-documents, with the lines that end them
    #: their texts, by the words that end them
    documents: dict[str, str] = field(default_factory=dict)

    @property
    def flags(self) -> str:
        """Return the options that the text begins with, and the blanks after them."""
        return self.text[: len(self.text) - len(self.rest)]

    @property
    def rest(self) -> str:
        """Return the text after the options."""
        return _FLAGS.sub("", self.text, count=1)


def _instructions(text: str) -> Iterator[_Instruction]:
    directive = _ESCAPE.match(text)
    escape = directive[1] if directive else "\\"
    if escape == "`":  # for paths of Windows, where / does as well and C: is the root
        text = re.sub(r"\b[Cc]:(?=/)", "", text.replace("\\", "/"))
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        start = at
        parts = [lines[at].rstrip()]
        at += 1
        if not parts[0].strip() or parts[0].lstrip().startswith("#"):
            continue
        while parts[-1].endswith(escape) and at < len(lines):
            following = lines[at].rstrip()
            at += 1
            if not following.strip() or following.lstrip().startswith("#"):
                following = escape  # the builder takes these out, and goes on
            parts[-1] = parts[-1][:-1]
            parts.append(following)
        match = _INSTRUCTION.match("\\\n".join(parts))
        if match is None:
            continue
        name, rest, body = match["name"].upper(), match["rest"], list[str]()
        documents: dict[str, str] = {}
        if name in ("RUN", "COPY", "ADD", "ONBUILD"):
            for mark in _HEREDOC.finditer(rest):
                document: list[str] = []
                while at < len(lines):
                    body.append(lines[at])
                    line = lines[at].lstrip("\t") if mark["dash"] else lines[at]
                    at += 1
                    if line == mark["word"]:
                        break
                    document.append(f"{line}\n")
                documents[mark["word"]] = "".join(document)
        yield _Instruction(name, rest, start + 1, "\n".join(body), documents)


@dataclass(frozen=True)
class _Stage:
    """One FROM and the instructions after it."""

    base: str  #: the image or the stage that it is built on
    name: str  #: its own name; empty without one
    number: int  #: its number among the stages
    #: the values of ARGs before the first FROM, which an ARG after it takes up
    given: dict[str, Word]
    instructions: list[_Instruction] = field(default_factory=list)  #: the instructions, in order

    @property
    def shown(self) -> str:
        return self.name or str(self.number)


def _stages(instructions: Iterable[_Instruction]) -> Iterator[_Stage]:
    stage: _Stage | None = None
    outer = State(folder="/", closed=True)
    number = 0
    for instruction in instructions:
        if instruction.name == "FROM":
            if stage is not None:
                yield stage
            words = [w for w in instruction.text.split() if not w.startswith("--")] or [""]
            name = words[2].lower() if len(words) > 2 and words[1].upper() == "AS" else ""
            base = outer.value(word_of(words[0])).text
            stage = _Stage(base, name, number, outer.variables)
            number += 1
        elif stage is None:
            for name, value in _assignments(instruction, outer):
                outer.define(name, value)
        else:
            stage.instructions.append(instruction)
    if stage is not None:
        yield stage


_SETTING = re.compile(r"(?:PIP|UV)_(?!VERSION)\w+|CONDA_(?:CHANNELS|SUBDIR|OVERRIDE_\w+)")
"""Arguments of a build by which a manager goes, although no line names them: ``ARG PIP_INDEX_URL``
without a value has that of ``--build-arg``."""


def _assignments(instruction: _Instruction, state: State) -> Iterator[tuple[str, Word]]:
    """Yield the assignments of ARG or ENV; an ARG without a value keeps its value."""
    if instruction.name not in ("ARG", "ENV"):
        return
    text = instruction.text.replace("\\\n", " ").strip()
    if instruction.name == "ENV" and "=" not in text.split(maxsplit=1)[0]:
        name, _, value = text.partition(" ")
        value = re.sub(r"([\"'])((?:\\.|(?!\1).)*)\1", r"\2", value.strip())
        yield name, state.value(word_of(value))
        return
    for word in _words(text):
        name, equals, _ = word.text.partition("=")
        if equals:
            yield name, state.value(word.tail(len(name) + 1))


def _words(text: str) -> list[Word]:
    """Split as a shell does, but keep its operators as text."""
    items = parse(text)
    if len(items) == 1 and isinstance(items[0], ShellCommand) and not items[0].redirections:
        return list(items[0].words)
    try:
        return [word_of(word) for word in shlex.split(text)]
    except ValueError:
        return []


# Running them


class _StageRunner:
    """Run one stage's instructions, and keep what they set."""

    def __init__(
        self, context: str, shared: AllStages, stage: _Stage, stages: dict[str, _StageRunner]
    ) -> None:
        self.context = context
        self.given = stage.given
        self.stages = stages
        self.state: State
        base = stages.get(stage.base.lower())
        self.files: ImageFiles = ImageFiles(shared, base.files if base else None)
        #: the image that the stage, or those below it, begins with
        self.image: str = base.image if base else stage.base
        self.shell: list[str] = list(base.shell) if base else []
        self.triggers: list[_Instruction] = []
        #: by their names, the instructions that say what a container runs
        self.starts: dict[str, _Instruction] = dict(base.starts) if base else {}
        self.base = base
        self.stage = stage
        self.found: list[Found] = []
        self.carried: list[StageFind] = []  #: what it copies of other stages' finds
        self.holds: list[StageFind] = []  #: what it copies, runs, and stands on
        self.copies: list[tuple[_StageRunner, Copy]] = []
        self.wheels: dict[str, tuple[Found, ...]] = dict(base.wheels) if base else {}
        self.mounted: list[str] = []
        self.secrets: dict[str, Word | None] = {}
        self.inherited = base.triggers if base else []
        self.state = (
            base.state.snapshot() if base else State(folder="/", closed=True, effort=shared.effort)
        )
        self.state.machine.look = self._text
        self.state.machine.names = lambda path: self.files.below(path)
        if base is None:
            self._lives_in("/root")
        if base is None and _STACKS.search(stage.base):
            self._lives_in(_JOVYAN)
            self.state.folder = _JOVYAN
            self.shell = ["/bin/bash", "-o", "pipefail", "-c"]

    def _lives_in(self, home: str) -> None:
        self.state.home = home
        self.state.define("HOME", Word(home))

    def _text(self, path: str) -> str | None:
        """Return the text of a file of the image; None for one that is not seen."""
        origin = self.files.origin(path)
        if origin is None or not origin.place:
            return origin.text if origin else None
        return text_or_none(origin.place)

    def _filled(self, text: str) -> str:
        """Return a text with the variables that are known."""
        return self.state.value(word_of(text)).text

    def run(self) -> None:
        """Find what the stage runs, copies and has; from then on others may stand on it."""
        self.found = list(self._runs())
        carried: dict[tuple[object, ...], StageFind] = {}
        for other, copy in self.copies:
            self.files.shared.count(looks=len(other.holds))
            for held in carries(other.holds, copy, other.text):
                carried.setdefault(held.key, held)
        self.carried = list(carried.values())
        own = (StageFind(found, found) for found in self.found)
        self.holds = [*(self.base.holds if self.base else ()), *self.carried, *own]

    @cached_property
    def text(self) -> str:
        """The instructions of the stage."""
        return "\n".join(each.text for each in self.stage.instructions)

    def _runs(self) -> Iterator[Found]:
        """Yield the finds of the instructions, first those of ONBUILD for the stage."""
        for instruction in (*self.inherited, *self.stage.instructions):
            text = instruction.text.strip()
            if instruction.name == "RUN":
                yield from self._run(instruction)
            elif instruction.name in ("ARG", "ENV"):
                self._set(instruction)
            elif instruction.name == "WORKDIR":
                path = self._filled(text.strip("'\""))
                known = self.state.folder is not None and "$" not in path
                folder = posixpath.join(self.state.folder or "/", path) if known else None
                self.state.folder = folder
            elif instruction.name == "USER":
                self._become(self._filled(text).partition(":")[0])
            elif instruction.name == "SHELL":
                self.shell = _strings(text) or []
            elif instruction.name in ("COPY", "ADD"):
                for reason in self._copy(instruction):
                    yield Found(f"{instruction.name} {text}", instruction.line, reason=reason)
            elif instruction.name in _LATER:
                self.starts[instruction.name] = instruction  # of several, the last counts
            elif instruction.name not in _KNOWN:
                reason = f"Docker has no instruction {instruction.name}: its build stops there."
                yield Found(f"{instruction.name.lower()} {text}", instruction.line, reason=reason)
            elif instruction.name == "ONBUILD" and (match := _INSTRUCTION.match(text)):
                name = match["name"].upper()
                self.triggers.append(replace(instruction, name=name, text=match["rest"]))

    def for_children(self) -> Iterator[Found]:
        """Yield what ONBUILD runs in images that are built on this one."""
        for trigger in self.triggers:
            for found in self._run(trigger) if trigger.name == "RUN" else ():
                reason = (
                    "ONBUILD runs it in images that are built on this one, and not in this one."
                )
                yield replace(found, request=None, reason=reason)

    def _run(self, instruction: _Instruction) -> Iterator[Found]:
        lasting, machine = self.files, self.state.machine
        self.files = ImageFiles(lasting.shared, lasting)
        wheels = dict(self.wheels)
        before = machine.copy()
        for found in self._found(instruction):
            yield from self._resolved(found)
        self.files = lasting  # a mount is there for its RUN alone
        for folder in self.wheels.keys() - wheels:
            machine.wheels.pop(folder, None)
        self.wheels = wheels
        for path in self.mounted:
            machine.files.pop(path, None)
            if path in before.files:
                machine.files[path] = before.files[path]
        for name, value in self.secrets.items():
            self.state.put(name, value)

    def in_a_container(self) -> Iterator[Found]:
        """Yield the finds of what runs when a container of the image does."""
        finds = [found for each in self.starts.values() for found in self._started(each)]
        entry, command = self.starts.get("ENTRYPOINT"), self.starts.get("CMD")
        if entry and command and not finds:  # CMD is then what ENTRYPOINT is given
            words = _strings(entry.text), _strings(command.text)
            if words[0] and words[1]:
                both = replace(command, text=json.dumps([*words[0], *words[1]]))
                finds = list(self._started(both))
        yield from finds

    def _started(self, instruction: _Instruction) -> Iterator[Found]:
        state, self.state = self.state, self.state.snapshot()
        text = re.sub(r"^CMD\s+", "", instruction.text.strip())
        for found in self._found(replace(instruction, text=text)):
            reason = f"{instruction.name} runs it in a container, and not in the image."
            yield replace(found, request=None, reason=reason)
        self.state = state

    def _become(self, user: str) -> None:
        if "HOME" in self.state.origins:  # ENV has set it
            return
        if user in ("", "0", "root"):
            self._lives_in("/root")
        elif "NB_U" in user or (user.isdigit() and self.state.folder == _JOVYAN):
            self._lives_in(_JOVYAN)
        else:
            self._lives_in(f"/home/{user}")

    def _set(self, instruction: _Instruction) -> None:
        if instruction.name == "ARG":
            for name in instruction.text.split():
                if name in self.given:
                    self.state.define(name, self.given[name])
                elif _SETTING.fullmatch(name) and name not in self.state.variables:
                    self.state.define(name, unknown_value(name))
        for name, value in _assignments(instruction, self.state):
            self.state.define(name, value)
            if name == "HOME":
                self.state.home, self.state.origins["HOME"] = value.text, "ENV"

    def _copy(self, instruction: _Instruction) -> Iterator[str]:
        """Note the files that come into the image; yield the reasons for listing it."""
        stage = re.search(r"--from=(\S+)", self._filled(instruction.flags))
        words = _arguments(instruction)
        words = [word if word.startswith("<<") else self._filled(word) for word in words]
        if len(words) < 2 or (self.state.folder is None and words[-1][:1] != "/"):
            return
        *sources, target = words
        into = len(sources) > 1 or target.endswith(("/", "."))
        target = posixpath.normpath(posixpath.join(self.state.folder or "/", target))
        before = len(self.files)
        for source in sources:
            mark = _HEREDOC.fullmatch(source)
            if stage is not None:
                self._copy_from(stage[1], source, target, into)
                self._took(stage[1], source, target, instruction.line)
            elif mark is not None:
                path = posixpath.join(target, mark["word"]) if into else target
                body = instruction.documents[mark["word"]]
                body = body if mark["quote"] else self._filled(body)
                self._add(path, CopyOrigin(text=body))
            elif instruction.name == "ADD" and _is_git(source):
                url, _, ref = source.partition("#")
                ref, _, below = ref.partition(":")
                self._add(target, CopyOrigin(url=repository(url, ref, below)))
            elif "://" in source:
                name = posixpath.basename(re.split(r"[?#]", source, maxsplit=1)[0])
                self._add(posixpath.join(target, name) if into else target, CopyOrigin(url=source))
            else:
                self._copy_local(instruction, source, target, into)
        if reason := changes_apt(f"{target}/" if into else target):
            yield reason
        by = f"{instruction.name}, line {instruction.line},"
        brought = self.files.below("/", since=before)
        folders = {posixpath.dirname(path) for path in brought}
        for path in sorted(brought - folders):
            yield from self._brought(path, by)

    def _brought(self, path: str, by: str) -> Iterator[str]:
        """Apply a file that is copied if it is a setting; yield the reason if it runs later."""
        if not (is_setting(path) or RUN_LATER.search(path)):
            return
        origin = self.files.origin(path)
        if origin is None or origin.absent:
            return
        text = self._text(path)
        if is_setting(path):
            self.state.machine.wrote(path, text, by=by)
        if reason := installs_later(path, text, self.state):
            yield reason

    def _copy_local(self, instruction: _Instruction, source: str, target: str, into: bool) -> None:
        places = in_context(self.context, source)
        excluded = tuple(re.findall(r"--exclude=(\S+)", instruction.flags))
        for place in places:
            if instruction.name == "ADD" and _ARCHIVE.search(place):
                reason = f"ADD unpacks {source} there (line {instruction.line})."
                self._add(target, CopyOrigin(reason=reason))
                continue
            inside = (into or len(places) > 1) and not os.path.isdir(place)
            path = posixpath.join(target, os.path.basename(place)) if inside else target
            if "--parents" in instruction.flags:
                path = posixpath.join(target, os.path.relpath(place, self.context))
            self._add(path, replace(self._of_context(place), excluded=excluded))

    def _of_context(self, place: str) -> CopyOrigin:
        return left_out(place) if self.files.shared.hidden(place) else CopyOrigin(place=place)

    def _copy_from(self, stage: str, source: str, target: str, into: bool) -> None:
        other = self.stages.get(stage.lower())
        source = posixpath.join("/", source)
        files = other.state.machine.below(source) if other else []
        named = posixpath.join(target, posixpath.basename(source))
        paths = [target]
        if into and not source.endswith("/"):  # a folder's content, or a file by its name
            paths = [named] if files == [source] else paths if files else [target, named]
        for path in paths:
            if other is None:
                self._add(path, CopyOrigin(reason=f"It comes from the image {stage}."))
            else:
                self.files.add_from(path, other.files, source)
                self._copy_made(other, posixpath.normpath(source), path)
        if other is not None and re.search(r"[*?]", source):
            for file in files:
                path = posixpath.join(target, posixpath.basename(file))
                self.files.add_from(path, other.files, file)

    def _copy_made(self, other: _StageRunner, source: str, target: str) -> None:
        """Note what lines of another stage made: wheels, and the texts of files."""
        machine = other.state.machine
        for folder, finds in machine.wheels.items():
            if posixpath.dirname(source) == folder:  # some of its files
                rest: str | None = "" if re.search(r"[*?\[]", source) else ".."
            else:
                rest = below(folder, source)
            if rest is None:
                continue
            path = posixpath.normpath(posixpath.join(target, rest))
            made = [*other.wheels.get(folder, ()), *(e for f in finds for e in other._resolved(f))]
            self.wheels[path] = tuple(made)
            self.state.machine.wheels[path] = ()
        for file in machine.files:
            if (rest := below(file, source)) is not None:
                by = f"{machine.writers.get(file) or 'A line,'} in the stage {other.stage.shown}"
                path = posixpath.normpath(posixpath.join(target, rest))
                text = machine.files[file]
                self._add(
                    path,
                    CopyOrigin(text=text, reason="" if text is not None else f"{by} writes it."),
                )

    def _took(self, stage: str, source: str, target: str, line: int) -> None:
        other = self.stages.get(stage.lower())
        if other is not None:
            source = posixpath.normpath(posixpath.join("/", source))
            copy = Copy(other.stage.shown, source, target, other.state.home, line)
            self.copies.append((other, copy))

    def _add(self, path: str, origin: CopyOrigin) -> None:
        self.files.add(path, origin)
        self.state.machine.files.pop(path, None)

    def _mount(self, flags: str) -> None:
        self.mounted, self.secrets = [], {}
        for mount in re.findall(r"--mount=(\S+)", self._filled(flags)):
            keys = dict(part.partition("=")[::2] for part in mount.split(","))
            target = keys.get("target") or keys.get("dst") or keys.get("destination")
            kind = keys.get("type", "bind")
            if kind == "secret" and keys.get("env"):
                name = keys["env"]
                self.secrets[name] = self.state.variables.get(name)
                secret = f"$(cat /run/secrets/{keys.get('id') or name})"  # never the variable unset
                self.state.define(name, Word(secret, holes=(secret,)))
            filled = kind == "cache" and "from" in keys  # a cache that begins with a stage's files
            if not (kind in ("bind", "secret") or filled) or not target:
                continue
            target = posixpath.join(self.state.folder or "/", target)
            self.mounted.append(target)
            if kind == "secret":
                by = f"The secret {keys.get('id', '')}"
                if is_setting(target):
                    self.state.machine.wrote(target, None, by=by)
                continue
            source = keys.get("source") or keys.get("src") or "."
            if "from" in keys:
                self._copy_from(keys["from"], source, target, False)
            else:
                for place in in_context(self.context, source):
                    self.files.add(target, self._of_context(place))
                    if is_setting(target):
                        self.state.machine.wrote(target, text_or_none(place), by="RUN --mount")

    def _found(self, instruction: _Instruction) -> Iterator[Found]:
        self._mount(instruction.flags)
        text = instruction.rest
        line = instruction.line + instruction.flags.count("\n")
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
        windows = _WINDOWS_SHELL.search("".join(self.shell[:1]))
        as_here = windows and (_PLAIN_QUOTED if windows[1] else _PLAIN).fullmatch(text)
        shell = [*map(Word, _SHELL if as_here else self.shell or _SHELL)]
        yield from recognise(text, state=self.state, shell=shell, line=line)

    # -- what the image has, in terms of this machine

    def _resolved(self, found: Found, depth: int = 0) -> Iterator[Found]:
        """Yield a find with its paths as they are here: a path of the image is never one here."""
        request = found.request
        found = replace(found, target=named(found.target))
        if request is None:
            yield replace(found, reason=self._advice(found.reason))
            return
        left, done = taken(found, lambda folder: self._made_of(folder, found))
        yield from done
        if left is None or left.request is None:
            return
        found, request = left, left.request
        kept: list[Spec] = []
        lists: list[tuple[str, str]] = []
        lost: list[str] = []
        for spec in request.specs:
            path = local_path(spec)
            origin = self._origin(path, found) if path else None
            is_list = isinstance(spec, _LISTS)
            if not path:
                kept.append(spec)
            elif origin is None:
                lost.append(f"{path} is only in the image: no COPY or ADD brings it.")
            elif origin.reason:
                lost.append(f"{path} is only in the image. {origin.reason}")
            elif origin.place and path not in str(spec):
                lost.append(f"{path} is only in the image, as {spec} writes it.")
            elif origin.place and is_list and (line := self._elsewhere(path, origin.place)):
                lost.append(f"{path} names a path of the image, which is never one here: {line}")
            elif origin.place:
                kept.append(read_spec(request.manager, str(spec).replace(path, origin.place, 1)))
            elif origin.url and (
                request.manager == "apt"
                or (is_list and (request.manager != "pip" or "git+" in origin.url))
            ):
                lost.append(f"{path} is only in the image: it comes from {origin.url}.")
            elif origin.url:
                kept.append(at_url(spec, request.manager, origin.url))
            elif isinstance(spec, RequirementsFile) and depth < 5:
                lists.append((path, origin.text or ""))
            else:
                lost.append(f"{path} is only in the image: the Dockerfile writes it.")
        sources, notes = self._sources(request, found)
        if notes and "--no-index" in request.options:
            lost += notes
        elif any(not isinstance(spec, Constraint) for spec in kept):
            note = " ".join(filter(None, (found.note, *notes)))
            asked = replace(request, specs=tuple(kept), sources=sources)
            yield replace(found, request=asked, note=note)
        for path, text in lists:
            for each in listed_in(found, request, path, text, folder=self.state.folder or "/"):
                yield from self._resolved(each, depth + 1)
        if lost:
            yield replace(found, request=None, reason=" ".join(lost))

    def _made_of(self, folder: str, found: Found) -> list[Found]:
        """Return what the wheels in a folder of the image are of, in terms of this machine."""
        own = dict(found.wheels).get(folder, ())
        return [*self.wheels.get(folder, ()), *(e for each in own for e in self._resolved(each))]

    def _elsewhere(self, path: str, place: str) -> str:
        """Return a list's line with a path that the image has not as it is here; empty without one.

        An option's path is relative to the list, a requirement's to the working folder.
        """
        text = text_or_none(place) or ""
        if match := _ABSOLUTE.search(text):
            return match[0].strip()
        for match in _RELATIVE.finditer(text):
            folder = posixpath.dirname(path) if match["option"] else self.state.folder or "/"
            inside = posixpath.normpath(posixpath.join(folder, match["path"]))
            here = os.path.normpath(os.path.join(os.path.dirname(place), match["path"]))
            origin = self.files.origin(inside)
            if origin is None or os.path.normpath(origin.place) != here:
                return match[0].strip()
        return ""

    def _sources(self, request: Request, found: Found) -> tuple[Sources, list[str]]:
        """Return the sources with the folders of links as they are here, and what that loses."""
        links: list[str] = []
        notes: list[str] = []
        for place in request.sources.find_links:
            path = place.removeprefix("file://") if place.startswith(("/", "file:")) else ""
            origin = self._origin(path, found) if path else None
            if origin is not None and os.path.exists(origin.place):
                links.append(origin.place)
            elif path:
                notes.append(f"pip looks into {path} there, which is only in the image.")
            else:
                links.append(place)
        urls = (*request.sources.channels, request.sources.index_url)
        folders = [url for url in urls if url.startswith(("/", "file:"))]
        notes += [f"{url} is a folder of the image, and none here." for url in folders]
        return replace(request.sources, find_links=tuple(links)), notes

    def _advice(self, reason: str) -> str:
        """Return a reason whose advice names the file; without the advice if it is not here."""
        match = _HANDED.search(reason)
        if match is None or self.state.folder is None:
            return reason
        origin = self._origin(posixpath.join(self.state.folder, match["path"]))
        if origin is None or not origin.place:
            return f"{reason[: match.start()]} {match['path']} is only in the image."
        return f"{reason[: match.start('path')]}{origin.place}{reason[match.end('path') :]}"

    def _origin(self, path: str, found: Found | None = None) -> CopyOrigin | None:
        """Return the origin of a path of the image: a line's text, a clone, the context."""
        written = self.state.machine.files
        if path in written:
            text = written[path]
            return CopyOrigin(text=text, reason="" if text is not None else "A line writes it.")
        fetched = origin_of(path, dict(found.fetched) if found else {})
        if fetched is None:
            return self.files.origin(path)
        origin, below = fetched
        if origin.revision is None:
            unpacked = f"It is unpacked from {origin.url}."
            which = f"Which {origin.url} is there is known only when it runs."
            return CopyOrigin(reason=unpacked if ARCHIVE.search(origin.url) else which)
        url = origin.url if origin.is_file else repository(origin.url, origin.revision, below)
        return CopyOrigin(url=url)


def _is_git(source: str) -> bool:
    return re.match(r"(git@|git://|ssh://)|https?://\S+\.git(#|$)", source) is not None


def named(target: Target) -> Target:
    """Return the environment's name, if the prefix is the Docker Stacks' form of it."""
    if target.interpreter == UV_SYSTEM:  # the image's own Python
        target = replace(target, interpreter="uv")
    match = _CONDA_DIR.fullmatch(target.prefix)
    return replace(target, name=match["name"] or "base", prefix="") if match else target


def _strings(text: str) -> list[str] | None:
    """Return the words of the exec form; None for the shell form."""
    try:
        words = json.loads(text.replace("\\\n", ""))
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(words, list) and all(isinstance(word, str) for word in words)
    return words if is_list and words else None
