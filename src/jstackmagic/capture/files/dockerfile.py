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
from urllib.parse import urlsplit

from ...io.reading import text_or_none
from ...model.spec import Constraint, RequirementsFile
from ...model.spec import read as read_spec
from .. import Found
from ..argv import repository
from ..lines import recognise, recognise_argv
from ..lists import listed_in, local_path
from ..machine import changes_apt, is_setting, origin_of, unknown_value
from ..python_tools import UV_SYSTEM
from ..shell import Command, Word, parse
from ..state import State, word_of
from . import Reading
from ._copied import Copy, carried
from ._finds import has, text_of
from ._image import ImageFiles, Origin, context_of, in_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...model.request import Request
    from ...model.sources import Sources
    from ...model.spec import Spec
    from .. import Target

_NAME = re.compile(
    r"(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.(?:dockerfile|containerfile)",
    re.IGNORECASE,
)
_INSTRUCTION = re.compile(r"\s*(?P<name>[A-Za-z]+)\s+(?P<rest>.*)", re.DOTALL)
_FLAG = re.compile(r"(?:\s|\\\n)*--[a-z-]+(?:=\S+)?(?=\s|\\\n|$)")
_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)", re.IGNORECASE)
_HEREDOC = re.compile(r"<<(?P<dash>-?)(?P<quote>['\"]?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_CONDA_DIR = re.compile(r"\$\{?CONDA_DIR\}?(?:/envs/(?P<name>[^/$]+))?/?")
_ARCHIVE = re.compile(r"\.(?:tar|tgz|tbz2|txz)$|\.tar\.\w+$")
_STACKS = re.compile(r"(?:^|/)jupyter/[\w-]+|-notebook(?::|$)|docker-stacks-foundation")
_SHELL = ("/bin/sh", "-c")
_JOVYAN = "/home/jovyan"  # the home and the working folder in the Docker Stacks
_HANDED = re.compile(r" The line for it: %envinstall .*-f (?P<path>/\S+)")
_LISTS = (RequirementsFile, Constraint)
_OPTION = r"(?:-r|-c|-e|--requirement|--constraint|--editable)"
_ABSOLUTE = re.compile(
    rf"^(?:[ \t]*(?:- )?(?:{_OPTION}[ \t=]*)?(?:file:)?/|[^#\n]*@[ \t]*file:).*", re.MULTILINE
)
_LATER = ("HEALTHCHECK", "ENTRYPOINT", "CMD")
_ASIDE = ("ADD", "COPY", "VOLUME", "STOPSIGNAL", *_LATER)


def recognises(path: Path) -> bool:
    """Return whether it has the name, and a FROM."""
    return _NAME.fullmatch(path.name) is not None and has(path, r"(?i)^\s*FROM\s+\S")


def read(path: Path) -> Reading:
    """Read the image's own stage, and the stages that it is built on.

    A path of the image is looked up in COPY, ADD, mounts and clones, and is never a path
    of this machine.

    Raises:
        InvalidSpec: It is not text.
        OSError: It cannot be read.
    """
    stages = list(_stages(list(_instructions(text_of(path)))))
    wanted = _wanted(stages)
    found: list[Found] = []
    notes: list[str] = []
    runners: dict[str, _Runner] = {}
    for stage in stages:
        runner = _Runner(context_of(path), stage, runners)
        runner.found = list(runner.run(stage.instructions))
        finds = [*runner.carried(), *runner.found]
        finds += runner.for_children() if stage is stages[-1] else ()
        runners |= {str(stage.number): runner, stage.name or str(stage.number): runner}
        if stage not in wanted:
            continue
        if stage.base and not any(stage.base.lower() == other.name for other in stages):
            notes.append(f"It is built on {stage.base}, which is not read here.")
        found += finds
        aside = dict.fromkeys(i.name for i in stage.instructions if i.name in _ASIDE)
        if aside:
            notes.append(f"Only installs are read; left out: {', '.join(aside)}.")
    notes += _left_out(stages, wanted, runners)
    return Reading(path, tuple(found), tuple(dict.fromkeys(notes)))


def _left_out(
    stages: list[_Stage], wanted: list[_Stage], runners: dict[str, _Runner]
) -> Iterator[str]:
    """Yield a note on each stage that the image does not stand on."""
    copies = [copy for stage in stages for copy in runners[str(stage.number)].copies]
    for stage in stages:
        paths = [copy.source for copy in copies if copy.stage == stage.shown]
        if stage in wanted:
            continue
        if paths:
            has = ", ".join(dict.fromkeys(paths))
            yield f"Of the stage {stage.shown}, the image has {has}: all else in it is left out."
        else:
            yield f"The stage {stage.shown} is not in the image: what it runs is left out."


# Instructions: https://docs.docker.com/reference/dockerfile/


@dataclass(frozen=True, slots=True)
class _Instruction:
    """One instruction.

    Attributes:
        name: Its name, in capitals.
        text: The text after it, with its line continuations.
        line: Its first line.
        body: Its here-documents, with the lines that end them.
        documents: Their texts, by the words that end them.
    """

    name: str
    text: str
    line: int
    body: str = ""
    documents: dict[str, str] = field(default_factory=dict)


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
        name, rest, body = match["name"].upper(), match["rest"], list[str]()
        documents: dict[str, str] = {}
        if name in ("RUN", "COPY", "ADD", "ONBUILD"):
            for mark in _HEREDOC.finditer(rest):
                documents[mark["word"]] = ""
                while at < len(lines):
                    body.append(lines[at])
                    line = lines[at].lstrip("\t") if mark["dash"] else lines[at]
                    at += 1
                    if line == mark["word"]:
                        break
                    documents[mark["word"]] += f"{line}\n"
        yield _Instruction(name, rest, start + 1, "\n".join(body), documents)


@dataclass(frozen=True)
class _Stage:
    """One FROM and the instructions after it.

    Attributes:
        base: The image or the stage that it is built on.
        name: Its own name; empty without one.
        number: Its number among the stages.
        given: The values of ARGs before the first FROM, which an ARG after it takes up.
        instructions: The instructions, in order.
    """

    base: str
    name: str
    number: int
    given: dict[str, Word]
    instructions: list[_Instruction] = field(default_factory=list)

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
            stage = _Stage(base, name, number, dict(outer.variables))
            number += 1
        elif stage is None:
            for name, value in _assignments(instruction, outer):
                outer.define(name, value)
        else:
            stage.instructions.append(instruction)
    if stage is not None:
        yield stage


def _wanted(stages: list[_Stage]) -> list[_Stage]:
    """Return the last stage, and the stages it is built on."""
    wanted: list[_Stage] = []
    stage = stages[-1] if stages else None
    while stage is not None and stage not in wanted:
        wanted.append(stage)
        base = stage.base.lower()
        stage = next((s for s in stages if base in (s.name, str(s.number)) and base), None)
    return wanted


def _assignments(instruction: _Instruction, state: State) -> Iterator[tuple[str, Word]]:
    """Yield the assignments of ARG or ENV; an ARG without a value keeps its value."""
    if instruction.name not in ("ARG", "ENV"):
        return
    text = instruction.text.replace("\\\n", " ").strip()
    if instruction.name == "ENV" and "=" not in text.split(maxsplit=1)[0]:
        name, _, value = text.partition(" ")
        yield name, state.value(word_of(value.strip()))
        return
    for word in _words(text):
        name, equals, _ = word.text.partition("=")
        if equals:
            yield name, state.value(word.tail(len(name) + 1))


def _words(text: str) -> list[Word]:
    """Split as a shell does, but keep its operators as text."""
    items = parse(text)
    if len(items) == 1 and isinstance(items[0], Command) and not items[0].redirections:
        return list(items[0].words)
    try:
        return [word_of(word) for word in shlex.split(text)]
    except ValueError:
        return []


# Running them


class _Runner:
    """Run one stage's instructions, and keep what they set.

    Args:
        context: The folder that COPY takes from.
        stage: The stage.
        stages: The previous stages, by their names and numbers.
    """

    def __init__(self, context: str, stage: _Stage, stages: dict[str, _Runner]) -> None:
        self.context = context
        self.given = stage.given
        self.stages = stages
        self.files: ImageFiles
        self.state: State
        base = stages.get(stage.base.lower())
        self.files = ImageFiles(base.files if base else None)
        self.shell: list[str] = list(base.shell) if base else []
        self.triggers: list[_Instruction] = []
        self.base = base
        self.stage = stage
        self.found: list[Found] = []
        self.copies: list[Copy] = []
        self.mounted: list[str] = []
        self.secrets: dict[str, Word | None] = {}
        self.inherited = base.triggers if base else []
        self.state = base.state.snapshot() if base else State(folder="/", closed=True)
        self.state.machine.look = self._text
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

    def run(self, instructions: Iterable[_Instruction]) -> Iterator[Found]:
        """Yield the finds of a stage, first those of ONBUILD for it."""
        for instruction in (*self.inherited, *instructions):
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
                reason = self._copy(instruction)
                if reason:
                    yield Found(f"{instruction.name} {text}", instruction.line, reason=reason)
            elif instruction.name in _LATER:
                yield from self._in_a_container(instruction)
            elif instruction.name == "ONBUILD" and (match := _INSTRUCTION.match(text)):
                name = match["name"].upper()
                self.triggers.append(replace(instruction, name=name, text=match["rest"]))

    def everything(self) -> list[Found]:
        """Return what the stage has, with what it stands on and what it copied."""
        below = self.base.everything() if self.base else []
        return [*below, *self.carried(), *self.found]

    def carried(self) -> Iterator[Found]:
        """Yield the finds of other stages that are copied into this one."""
        for copy in self.copies:
            other = self.stages[copy.stage]
            text = "\n".join(each.text for each in other.stage.instructions)
            yield from carried(other.everything(), copy, text)

    def for_children(self) -> Iterator[Found]:
        """Yield what ONBUILD runs in images that are built on this one."""
        for trigger in self.triggers:
            for found in self._run(trigger) if trigger.name == "RUN" else ():
                reason = (
                    "ONBUILD runs it in images that are built on this one, and not in this one."
                )
                yield replace(found, request=None, reason=reason)

    def _run(self, instruction: _Instruction) -> Iterator[Found]:
        lasting, machine = ImageFiles(self.files), self.state.machine
        before = machine.copy()
        for found in self._found(instruction):
            yield from self._resolved(found)
        self.files = lasting  # a mount is there for its RUN alone
        for path in self.mounted:
            machine.files.pop(path, None)
            if path in before.files:
                machine.files[path] = before.files[path]
        for name, value in self.secrets.items():
            self.state.put(name, value)

    def _in_a_container(self, instruction: _Instruction) -> Iterator[Found]:
        """Yield the finds of what runs when a container of the image does."""
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
        for name, value in _assignments(instruction, self.state):
            self.state.define(name, value)
            if name == "HOME":
                self.state.home, self.state.origins["HOME"] = value.text, "ENV"

    def _copy(self, instruction: _Instruction) -> str:
        """Note the files that come into the image; return the reason for listing it, if any."""
        text = instruction.text.replace("\\\n", " ")
        flags = re.match(rf"(?:{_FLAG.pattern})*\s*", text)
        assert flags is not None
        stage = re.search(r"--from=(\S+)", self._filled(flags[0]))
        words = _strings(text[flags.end() :]) or text[flags.end() :].split()
        words = [word if word.startswith("<<") else self._filled(word) for word in words]
        if len(words) < 2 or self.state.folder is None:
            return ""
        *sources, target = words
        into = len(sources) > 1 or target.endswith(("/", "."))
        target = posixpath.normpath(posixpath.join(self.state.folder, target))
        for source in sources:
            by = f"{instruction.name}, line {instruction.line},"
            mark = _HEREDOC.fullmatch(source)
            if stage is not None:
                self._copy_from(stage[1], source, target, into)
                self._took(stage[1], source, target, instruction.line)
            elif mark is not None:
                path = posixpath.join(target, mark["word"]) if into else target
                body = instruction.documents[mark["word"]]
                body = body if mark["quote"] else self._filled(body)
                self._add(path, Origin(text=body))
                if is_setting(path):
                    self.state.machine.wrote(path, body, by=by)
            elif instruction.name == "ADD" and _is_git(source):
                url, _, ref = source.partition("#")
                ref, _, below = ref.partition(":")
                self._add(target, Origin(url=repository(url, ref, below)))
            elif "://" in source:
                name = posixpath.basename(urlsplit(source).path)
                self._add(posixpath.join(target, name) if into else target, Origin(url=source))
            else:
                parents = "--parents" in flags[0]
                self._copy_local(instruction, source, target, into, parents=parents)
        return changes_apt(f"{target}/" if into else target)

    def _copy_local(
        self, instruction: _Instruction, source: str, target: str, into: bool, *, parents: bool
    ) -> None:
        places = in_context(self.context, source)
        for place in places:
            if instruction.name == "ADD" and _ARCHIVE.search(place):
                reason = f"ADD unpacks {source} there (line {instruction.line})."
                self._add(target, Origin(reason=reason))
                continue
            inside = (into or len(places) > 1) and not os.path.isdir(place)
            path = posixpath.join(target, os.path.basename(place)) if inside else target
            if parents:
                path = posixpath.join(target, os.path.relpath(place, self.context))
            self._add(path, Origin(place=place))
            self._wrote(path, place, instruction)

    def _copy_from(self, stage: str, source: str, target: str, into: bool) -> None:
        other = self.stages.get(stage.lower())
        source = posixpath.join("/", source)
        paths = [target]
        if into and not source.endswith("/"):  # a folder's content, or a file by its name
            paths.append(posixpath.join(target, posixpath.basename(source)))
        for path in paths:
            if other is None:
                self._add(path, Origin(reason=f"It comes from the image {stage}."))
            else:
                self.files.add_from(path, other.files, source)

    def _took(self, stage: str, source: str, target: str, line: int) -> None:
        other = self.stages.get(stage.lower())
        if other is not None:
            source = posixpath.normpath(posixpath.join("/", source))
            self.copies.append(Copy(other.stage.shown, source, target, other.state.home, line))

    def _add(self, path: str, origin: Origin) -> None:
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
                self.state.define(name, unknown_value(name))
            if kind not in ("bind", "secret") or not target:
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
                    self.files.add(target, Origin(place=place))
                    if is_setting(target):
                        self.state.machine.wrote(target, text_or_none(place), by="RUN --mount")

    def _wrote(self, path: str, place: str, instruction: _Instruction) -> None:
        """Apply a file that is copied, and a folder's: settings of pip's and conda's count."""
        here = Path(place)
        if here.is_dir():
            for file in sorted(here.iterdir()):
                if file.is_file():
                    self._wrote(posixpath.join(path, file.name), str(file), instruction)
        elif is_setting(path):
            by = f"{instruction.name}, line {instruction.line},"
            self.state.machine.wrote(path, text_or_none(place), by=by)

    def _found(self, instruction: _Instruction) -> Iterator[Found]:
        text, line = instruction.text, instruction.line
        flags = re.match(rf"(?:{_FLAG.pattern})*(?:\s|\\\n)*", text)
        assert flags is not None
        self._mount(flags[0])
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
        yield from recognise(text, state=self.state, shell=self.shell or _SHELL, line=line)

    # -- what the image has, in terms of this machine

    def _resolved(self, found: Found, depth: int = 0) -> Iterator[Found]:
        """Yield a find with its paths as they are here: a path of the image is never one here."""
        request = found.request
        found = replace(found, target=named(found.target))
        if request is None:
            yield replace(found, reason=self._advice(found.reason))
            return
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
            elif origin.place and is_list and (line := _absolute(origin.place)):
                lost.append(f"{path} names a path of the image, which is never one here: {line}")
            elif origin.place:
                kept.append(read_spec(request.manager, str(spec).replace(path, origin.place, 1)))
            elif origin.url and (
                request.manager == "apt"
                or (is_list and (request.manager != "pip" or "git+" in origin.url))
            ):
                lost.append(f"{path} is only in the image: it comes from {origin.url}.")
            elif origin.url:
                flag = f"{str(spec).split(maxsplit=1)[0]} " if is_list else ""
                kept.append(read_spec(request.manager, flag + origin.url))
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

    def _sources(self, request: Request, found: Found) -> tuple[Sources, list[str]]:
        """Return the sources with the folders of links as they are here, and what that loses."""
        links: list[str] = []
        notes: list[str] = []
        for place in request.sources.find_links:
            path = place.removeprefix("file://") if place.startswith(("/", "file:")) else ""
            origin = self._origin(path, found) if path else None
            if origin is not None and origin.place:
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

    def _origin(self, path: str, found: Found | None = None) -> Origin | None:
        """Return the origin of a path of the image: a line's text, a clone, the context."""
        written = self.state.machine.files
        if path in written:
            text = written[path]
            return Origin(text=text, reason="" if text is not None else "A line writes it.")
        fetched = origin_of(path, dict(found.fetched) if found else {})
        if fetched is None:
            return self.files.origin(path)
        origin, below = fetched
        if origin.revision is None:
            return Origin(reason=f"Which {origin.url} is there is known only when it runs.")
        url = origin.url if origin.is_file else repository(origin.url, origin.revision, below)
        return Origin(url=url)


def _absolute(place: str) -> str:
    """Return a list's line that names an absolute path; empty without one."""
    match = _ABSOLUTE.search(text_or_none(place) or "")
    return match[0].strip() if match else ""


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
