"""A program's arguments: which words are options, which their values, which the specs."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from ..model.environment import TOOLS
from ..model.errors import InvalidSpec
from ..model.listed import archive_of_another_system, no_package_of_pip, several_specs
from ..model.options import OptionTable
from ..model.packages import ManagerName
from ..model.parsing import NAMED_PATH, is_path, read_specs
from ..model.request import Action, Request
from ..model.shell import Redirection, Word
from ..model.slips import lone_version, names_a_list, repeated_verb
from ..model.spec import CONDA_ARCHIVE, PIP_ARCHIVE, URL, read_all, turned
from . import Found, Target
from .machine import Machine
from .programs import program_name as program_name
from .state import State, expanded

_MEANT = {
    **dict.fromkeys(("add", "get", "i", "update", "upgrade"), ("install",)),
    **dict.fromkeys(("delete", "erase", "rm", "remove", "uninstall"), ("remove", "uninstall")),
}
"""Verbs of other managers, and what is meant by them."""

_ARCHIVES = (*CONDA_ARCHIVE, *PIP_ARCHIVE, ".deb")
_TAKES_NONE = {"pip": no_package_of_pip, "conda": archive_of_another_system}
_NAMED = re.compile(rf"([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*@\s*(?={URL.pattern})")
_REMOTE = re.compile(rf"(?:{_NAMED.pattern})?(?:{URL.pattern}|(?:git|hg|svn|bzr)\+)")


def _is_unnamed(word: Word) -> bool:
    """Return whether an option's name has a hole: it may be any option, or several."""
    return word.text.startswith("-") and any(
        hole in word.text.partition("=")[0] and word.text.startswith(("--", f"-{hole}"))
        for hole in word.holes
    )


class ProgramOptions(OptionTable):
    """The options of a program in a line of a shell."""

    def read(self, words: Iterable[Word], *, leading: bool = False) -> Given:
        """Separate options from other words; see `OptionTable.walk`."""
        words = list(words)
        texts = [word.holes[0] if _is_unnamed(word) else word.text for word in words]
        walk = self.walk(texts, leading=leading)
        return Given(
            tuple((name, None if at is None else words[at].tail(cut)) for name, _, at, cut in walk)
        )

    def unknown(self, given: Given) -> frozenset[str]:
        """Return the names of the long options that are not in the table."""
        names = {name for name, _ in given.items if name.startswith("--")}
        return frozenset(names - self.names.keys())

    def misread(self, words: Iterable[Word]) -> str:
        """Return why a program refuses a misspelt option; else empty.

        >>> table = ProgramOptions.of(flags="-U/--upgrade")
        >>> table.misread([Word("-upgrade")])
        'It reads -upgrade letter by letter. Write --upgrade.'
        >>> table.misread([Word("--upgarde")])
        'It has no option --upgarde; --upgrade is one.'
        """
        words = list(words)
        for name in self.unknown(self.read(words)):
            for meant in get_close_matches(name, self.names, n=1, cutoff=0.85):
                if not name.endswith(meant[2:]) and not meant.endswith(name[2:]):  # --no-NAME
                    return f"It has no option {name}; {meant} is one."
        for word in words:
            if word.text == "--":
                break
            letters = re.fullmatch(r"-([A-Za-z!][A-Za-z!-]*)", word.text)
            if letters is None or word.text in self.names:
                continue
            if f"-{word.text}" in self.names:
                return f"It reads {word.text} letter by letter. Write -{word.text}."
            for letter in letters[1]:
                if (takes_value := self.takes(f"-{letter}")) is None:
                    within = f", as in {word.text}" if letters[1] != letter else ""
                    return f"It has no option -{letter}{within}."
                if takes_value:
                    break
        return ""


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of one call, parsed."""

    #: in the order they were typed: an option's name and its value, or "" and a word
    items: tuple[tuple[str, Word | None], ...]

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that are not options."""
        return tuple(word for name, word in self.items if not name and word is not None)

    def has(self, *names: str) -> bool:
        """Return whether one of the options is there."""
        return any(name in names for name, _ in self.items)

    def values(self, *names: str) -> tuple[Word, ...]:
        """Return the values of options, in the order they were typed."""
        return tuple(word for name, word in self.items if name in names and word is not None)

    def last(self, *names: str) -> str:
        """Return the last value of an option that may be repeated; empty without one."""
        return next((word.text for word in reversed(self.values(*names))), "")

    def only(self, names: Container[str]) -> Given:
        """Return the options of these names, without the other words."""
        return Given(tuple(item for item in self.items if item[0] and item[0] in names))

    def all_but(self, names: Container[str]) -> Given:
        """Return the options of other names, without the other words."""
        return Given(tuple(item for item in self.items if item[0] and item[0] not in names))

    def without_verbs(self, number: int) -> Given:
        """Without the first words, which say what to do."""
        at = [at for at, (name, _) in enumerate(self.items) if not name][:number]
        return Given(tuple(item for n, item in enumerate(self.items) if n not in at))

    def written(self) -> tuple[str, ...]:
        """Options and their values as words again."""
        return tuple(
            part for name, word in self.items for part in ((name, word.text) if word else (name,))
        )


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipeline as far as it is read."""

    start: int  #: its first character
    end: int  #: its end so far
    fetched: bool  #: whether a download flows in it
    text: str | None = None  #: the text that flows in it; None if unknown
    file: str = ""  #: the file whose lines flow in it; empty if there is none


@dataclass(frozen=True, slots=True)
class Call:
    """One program and its arguments, with their context."""

    words: tuple[Word, ...]
    command: str  #: as typed
    line: int = 1  #: the line it begins on
    folder: str | None = "."  #: what relative paths are relative to; None if known only at run time
    home: str = ""  #: as a state has it
    #: the environment that the words before it chose
    target: Target = field(default_factory=Target)
    variables: Mapping[str, Word] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  #: the names of those that are set for it alone
    unexported: tuple[str, ...] = ()  #: the names that the shell alone sees
    #: the environment of the Python on PATH, whatever is active
    system: Target = field(default_factory=Target)
    machine: Machine = field(default_factory=Machine)  #: the settings that lines before it made
    #: for a variable that goes through a file's lines, that file
    origins: Mapping[str, str] = field(default_factory=dict)
    note: str = ""  #: the effect of its redirections
    doubt: str = ""  #: what is unknown about the target, if its own words name none
    fed: str = ""  #: why some of its words are unknown; empty if all are known
    #: the conda that lines before it chose, whose names its names are; empty without one
    root: str = ""
    pipe: Pipe | None = None  #: the commands whose output flows into it
    redirections: tuple[Redirection, ...] = ()

    @property
    def program(self) -> str:
        """The name that `program_name` gives it."""
        return program_name(self.words[0])

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words after the program."""
        return self.words[1:]

    def reaching(self, **hints: Any) -> Call:
        """Return the call with further hints on its target; empty ones add nothing."""
        given = {name: value for name, value in hints.items() if value}
        return replace(self, target=replace(self.target, **given))

    def input(self, state: State) -> str | None:
        """Return the text that flows into it; None without one, or if only the run can tell."""
        text = state.document(self.redirections)
        return self.pipe.text if text is None and self.pipe else text

    @property
    def input_files(self) -> list[Word]:
        """The files behind its ``<``, of which the last one counts."""
        return [each.target for each in self.redirections if each.operator == "<"]

    def noting(self, *notes: str) -> Call:
        """Return the call with more for the reader to know."""
        return replace(self, note=" ".join(dict.fromkeys(filter(None, (self.note, *notes)))))

    def leaving_out(self, names: Collection[str]) -> Call:
        """Return the call with a note on options that are not known here."""
        said = ", ".join(sorted(names))
        return self.noting(f"Not known here, and left out: {said}." if said else "")

    def by(self, word: Word) -> Call:
        """Return the call with the interpreter, and its prefix if it is ``PREFIX/bin/PROGRAM``.

        A bare name is looked up in an active environment; other names are not.
        """
        text = word.text
        if "\\" in text and not word.holes:  # C:\\envs\\x\\Scripts\\pip.exe
            text = text.replace("\\", "/")
            if re.match(r"[A-Za-z]:/", text):
                prefix = re.sub(r"/(?:Scripts/)?[^/]*$", "", text)
                return self.elsewhere(interpreter=word.text, prefix=prefix)
        if "/" in text and not word.holes:
            text = expanded(text, self.home)
            if not text.startswith(("/", "~", "$")):
                text = os.path.normpath(os.path.join(self.folder or "$PWD", text))
        prefix, bin_folder = os.path.split(os.path.dirname(text))
        if bin_folder not in ("bin", "condabin", "Scripts") or not prefix:
            chosen = self.elsewhere if word.holes else self.reaching
            return chosen(interpreter=word.text)
        return self.elsewhere(interpreter=word.text, prefix=prefix)

    def by_python(self, word: Word) -> Call:
        """Return the call with what ``--python`` names: a version, an interpreter or a prefix."""
        text = word.text.rstrip("/")
        if re.fullmatch(r"\d+(?:\.\d+)*", text):
            return self.by(Word(f"python{text}"))
        is_program = re.match(r"python|pypy|cpython|graalpy", os.path.basename(text))
        is_path = "/" in text or text.startswith(".") or self.path(text) in self.machine.made
        if word.holes or is_program or not is_path:
            return self.by(word)
        return self.elsewhere(interpreter=word.text, prefix=self.path(text))

    def elsewhere(self, **hints: Any) -> Call:
        """Return the call with another target than the words before it chose."""
        return replace(self, target=Target(**{"interpreter": self.target.interpreter, **hints}))

    def found(self, request: Request, *, note: str = "") -> Found:
        """Return the find with its request."""
        indexes = (request.sources.index_url, *request.sources.extra_index_urls)
        urls = (*indexes, *request.sources.channels, *(spec.place for spec in request.specs))
        logins = self.machine.logins(urls) if request.action == "install" else ()
        return Found(
            command=self.command,
            line=self.line,
            request=request,
            target=self._made(),
            note=" ".join(part for part in (self.note, self.doubt, note, *logins) if part),
            fetched=tuple(self.machine.fetched.items()),
            written=tuple(
                (spec.place, self.machine.files[spec.place])
                for spec in request.specs
                if spec.place in self.machine.files
            ),
            wheels=tuple(self.machine.wheels.items()),
        )

    def _made(self) -> Target:
        """Return the target, which lines before it may have made: by its name, or there."""
        target, made = self.target, self.machine.made
        folder, name = os.path.split(target.prefix)
        if not self.machine.has_made(target.prefix) and name in made and folder.endswith("/envs"):
            root = os.path.dirname(folder)
            return replace(target, name=name, prefix="", made=True, root=root)
        made_here = target.made or self.machine.has_made(target.prefix or target.name)
        return replace(target, made=made_here, root=self.root if target.name else "")

    def fills(self, folder: Word, finds: Iterable[Found]) -> None:
        """Note that the call gets wheels into a folder, and of what."""
        if not folder.holes and (self.folder is not None or os.path.isabs(folder.text)):
            path = self.path(folder.text)
            self.machine.wheels[path] = (*self.machine.wheels.get(path, ()), *finds)

    def unread(self, reason: str) -> Found:
        """Return the find with the reason why it is not understood."""
        said = " ".join(filter(None, (self.note, self.doubt)))
        return Found(
            command=self.command, line=self.line, target=self.target, reason=reason, note=said
        )

    def unclear(self, words: Iterable[Word | None]) -> tuple[Found, ...]:
        """Return an uncaptured find if some words have holes; nothing otherwise."""
        reasons = [unknown(word) for word in words if word is not None and word.holes]
        return (self.unread(" ".join(dict.fromkeys(reasons))),) if reasons else ()

    def misspelt(self, verb: Word, verbs: Iterable[str]) -> Iterator[Found]:
        """Yield the call as not understood if its verb is nearly one of those that install."""
        verbs = [*verbs]
        meant = [verb for verb in _MEANT.get(verb.text, ()) if verb in verbs]
        meant = meant or get_close_matches(verb.text, verbs, n=1, cutoff=0.8)
        if meant and verb.text != meant[0] and not verb.holes:
            yield self.unread(f"{self.program} has no command {verb.text}; {meant[0]} is one.")

    def ask(
        self,
        action: Action,
        manager: ManagerName,
        specs: Sequence[tuple[str, Word]],
        *,
        note: str = "",
        **fields: Any,
    ) -> Iterator[Found]:
        """Yield a request for the specs that are clear, and the reason for each that is not.

        Args:
            specs: The specs, each with its option (``-r``, ``-e``, ``-c``, ``--file``) or "".
        """
        if self.fed or not specs:
            yield self.unread(self.fed or "It names no package.")
            return
        slip = repeated_verb([flag or word.text for flag, word in specs])
        if slip is not None and slip[1]:
            end = next(at for at, (_, word) in enumerate(specs) if word.text == slip[0]) + 1
            specs = specs[end:]
            note = f"{note} {slip[0]} is typed twice, and the second is left out.".strip()
        lists = [word.text for flag, word in specs if not flag and names_a_list(word.text)]
        if lists and action == "install":  # the manager finds no such package
            line = line_for(manager, lists[0])
            yield self.unread(f"{lists[0]} is a list of packages, not a package. The line: {line}")
            return
        version, meant = lone_version([flag or word.text for flag, word in specs], manager)
        if version:
            yield self.unread(f"{version} is a version, not a package. Probably meant: {meant}.")
            return
        other = _TAKES_NONE.get(manager) if action == "install" else None
        reasons = [
            self._unclear(flag, word, manager) or (other and not flag and other(word.text))
            for flag, word in specs
        ]
        clear = [item for item, reason in zip(specs, reasons, strict=True) if not reason]
        read = [self._spec(flag, word.text, manager) for flag, word in clear]
        wrong = [word.text for (_, word), spec in zip(clear, read, strict=True) if not spec]
        if wrong:  # the manager refuses the whole call
            said = f"{', '.join(map(repr, wrong))}: {manager} reads no package in it."
            meant = ", ".join(repr(turned(text)) for text in wrong if turned(text) != text)
            yield self.unread(f"{said} Probably meant: {meant}." if meant else said)
            return
        if read:
            request = Request(
                action=action,
                manager=manager,
                specs=read_all(manager, dict.fromkeys(read)),
                **fields,
            )
            yield self.found(request, note=note)
        if any(reasons):
            rest = self.unread(" ".join(dict.fromkeys(reason for reason in reasons if reason)))
            yield replace(rest, sources=fields.get("sources"))

    def _unclear(self, flag: str, word: Word, manager: ManagerName) -> str:
        """Return why a spec is known only at run time; empty if it is clear."""
        if word.assumed:
            word = replace(word, holes=(*word.holes, *word.assumed))
        if word.holes:
            from .handed import file_of

            whole = word.text if word.text in word.holes else ""  # not a version within
            scripts = (
                *(word.scripts if whole else ()),
                *([whole[2:-1]] if whole[:2] == "$(" else []),
            )
            files = [file_of(script) for script in dict.fromkeys(scripts)]
            files += [self.origins.get(hole, "") for hole in word.holes]
            lines = [f" The line for it: {line_for(manager, file)}" for file in files if file]
            return unknown(word) + "".join(lines)
        local = (
            bool(flag)
            or is_path(word.text)
            or NAMED_PATH.match(word.text)
            or word.text.endswith(_ARCHIVES)
        )
        if not local or _REMOTE.match(word.text):
            return ""
        if word.pattern and os.path.dirname(self.path(word.text)) not in self.machine.wheels:
            return f"The shell chooses the files by the pattern {word.text} when it runs."
        if self.folder is None and not os.path.isabs(expanded(word.text, self.home)):
            return f"The folder that {word.text} is relative to is only known when it runs."
        return ""

    def _spec(self, flag: str, text: str, manager: ManagerName) -> str:
        """Return a spec as requests hold it; empty if the manager could not read it."""
        folder = self.folder or "."
        if self.home and text.startswith("~"):
            text = expanded(text, self.home)
        if flag == "--file":
            return f"--file {text if _REMOTE.match(text) else self.path(text)}"
        named = _NAMED.match(text)
        if named and not flag:
            text = f"{named[1]} @ {text[named.end() :]}"
        written = f"{flag} {text}" if flag else text
        try:
            spec = read_specs([written], manager=manager, folder=folder).specs[0][1]
        except InvalidSpec:
            return ""
        return spec if flag or _is_spec(manager, spec) else ""

    def path(self, text: str) -> str:
        """Return a path, made absolute."""
        return os.path.normpath(os.path.join(self.folder or ".", expanded(text, self.home)))


def repository(url: str, revision: str = "", below: str = "") -> str:
    """Return a git URL as pip takes it.

    >>> repository("https://git.example.com/p.git", "v1"), repository("git@h.example:a/b")
    ('git+https://git.example.com/p.git@v1', 'git+ssh://git@h.example/a/b')
    """
    ssh = re.fullmatch(r"(\w+@[\w.-]+):(?!//)(.+)", url)
    url = f"ssh://{ssh[1]}/{ssh[2]}" if ssh else url.removeprefix("git+")
    at, folder = revision and f"@{revision}", below and f"#subdirectory={below}"
    return f"git+{url}{at}{folder}"


def name_of_repository(url: str) -> str:
    """Return the folder that ``git clone`` makes for a URL.

    >>> name_of_repository("git@h.example:a/b.git/")
    'b'
    """
    return re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")


MANAGER_OF: dict[str, ManagerName] = {
    **dict.fromkeys(("pip", "uv", "pipx"), "pip"),
    **dict.fromkeys(TOOLS, "conda"),
    **dict.fromkeys(("apt", "apt-get", "aptitude"), "apt"),
}


def line_for(manager: str, file: str) -> str:
    """Return the line of ours that installs a list.

    >>> line_for("apt", "apt.txt"), line_for("conda", "list.txt")
    ('%envinstall -f apt.txt', '%envinstall --conda -f list.txt')
    """
    name = os.path.basename(file).lower()
    owner = {"apt.txt": "apt", "requirements.txt": "pip"}.get(name, "")
    said = "" if owner == manager or name.endswith((".yml", ".yaml")) else f" --{manager}"
    return f"%envinstall{said} -f {file}"


def unknown(word: Word) -> str:
    """Return the sentence that reports a word's holes."""
    # the colon: see `effects.document`
    holes = [*dict.fromkeys(hole.replace(":?}", "}") for hole in word.holes)]
    return f"{', '.join(holes)} {'is' if len(holes) == 1 else 'are'} only known when it runs."


@lru_cache(maxsize=4096)
def _is_spec(manager: ManagerName, spec: str) -> bool:
    """Return whether the manager could read a spec that is not a path."""
    if manager == "pip":
        from packaging.requirements import InvalidRequirement, Requirement

        if _REMOTE.match(spec) or is_path(spec):
            return True
        try:
            Requirement(spec)
        except InvalidRequirement:
            return False
        return True
    if manager == "conda":
        named = re.match(r"(\S+::?)?[A-Za-z0-9_*][\w.*-]*([^\w,]|$)", spec)
        read = named is not None and turned(spec) == spec and not several_specs(spec)
        return read or is_path(spec)
    # NAME- after ``install`` means to remove it, which no request can say
    debian = r"[A-Za-z0-9^?.*\[(]([\w.+:^?*~=/|()[\]$-]*[\w.+^?*)\]$])?"
    return re.fullmatch(debian, spec) is not None or is_path(spec)
