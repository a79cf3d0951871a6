"""A program's arguments: which words are options, which their values, which the specs."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..model.credentials import names_a_secret
from ..model.errors import InvalidSpec
from ..model.parsing import is_path, read_specs
from ..model.request import Action, Request
from ..model.slips import repeated_verb
from ..model.spec import CONDA_ARCHIVE, PIP_ARCHIVE, read_all
from . import Found, Target
from .machine import Machine
from .programs import listed as listed
from .programs import program_name as program_name
from .shell import Word
from .state import expanded

if TYPE_CHECKING:
    from ..model.packages import ManagerName

_ARCHIVES = (*CONDA_ARCHIVE, *PIP_ARCHIVE, ".deb")
_NAMED = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*@\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_REMOTE = re.compile(rf"(?:{_NAMED.pattern})?(?:[A-Za-z][A-Za-z0-9+.-]*://|(?:git|hg|svn|bzr)\+)")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a program, by every way to write them.

    Attributes:
        names: For each spelling, the name used here and whether a value follows.
        manner: Those that change only how the program works: the result is the same.
    """

    names: Mapping[str, tuple[str, bool]]
    manner: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, *, valued: str = "", flags: str = "", manner_valued: str = "", manner_flags: str = ""
    ) -> Options:
        """Declare options as text, apart by blanks: ``-c/--channel``, the last name is its own."""
        names: dict[str, tuple[str, bool]] = {}
        for text, takes_value in (
            (f"{valued} {manner_valued}", True),
            (f"{flags} {manner_flags}", False),
        ):
            for words in (word.split("/") for word in text.split()):
                names.update(dict.fromkeys(words, (words[-1], takes_value)))
        manner = f"{manner_valued} {manner_flags}".split()
        return cls(names, frozenset(words.rpartition("/")[2] for words in manner))

    def __or__(self, other: Options) -> Options:
        return Options({**self.names, **other.names}, self.manner | other.manner)

    def takes(self, name: str) -> bool | None:
        """Return whether a value follows the option; None for an unknown option."""
        return self.names[name][1] if name in self.names else None

    def read(self, words: Iterable[Word], *, leading: bool = False) -> Given:
        """Separate options from other words, as getopt, optparse and argparse do.

        A long name may be shortened if that is clear, short ones may share a dash, a value may
        follow after a blank, ``=`` or nothing; after ``--`` no word is an option.

        Args:
            words: The arguments.
            leading: Whether the first word that is not an option ends the reading; it and the rest
                become the words.
        """
        rest = list(words)
        items: list[tuple[str, Word | None]] = []
        while rest:
            word = rest.pop(0)
            if word.text == "--":
                break
            if word.text.startswith("--"):
                items.append(self._long(word, rest))
            elif word.text.startswith("-") and len(word.text) > 1:
                items += self._short(word, rest)
            elif leading:
                rest.insert(0, word)
                break
            else:
                items.append(("", word))
        items += [("", word) for word in rest]
        return Given(tuple(items))

    def _long(self, word: Word, rest: list[Word]) -> tuple[str, Word | None]:
        name, equals, _ = word.text.partition("=")
        own, takes_value = self._resolve(name)
        takes_value = takes_value or (own not in self.names and names_a_secret(own.lstrip("-")))
        if equals:
            return own, word.tail(len(name) + 1)
        return own, rest.pop(0) if takes_value and rest else None

    def _resolve(self, name: str) -> tuple[str, bool]:
        if name in self.names:
            return self.names[name]
        meant = {self.names[known] for known in self.names if known.startswith(name)}
        return meant.pop() if len(meant) == 1 else (name, False)

    def _short(self, word: Word, rest: list[Word]) -> Iterator[tuple[str, Word | None]]:
        for at in range(1, len(word.text)):
            own, takes_value = self.names.get(f"-{word.text[at]}", (f"-{word.text[at]}", False))
            value = word.tail(at + 1)
            if value.text.startswith("="):
                yield own, value.tail(1)
                return
            if takes_value:
                yield own, value if value.text else (rest.pop(0) if rest else None)
                return
            yield own, None


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of one call, parsed.

    Attributes:
        items: In the order they were typed: an option's name and its value, or "" and a word.
    """

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
class Call:
    """One program and its arguments, with their context.

    Attributes:
        words: The program and its arguments.
        command: As typed.
        line: The line it begins on.
        folder: What relative paths are relative to; None if known only at run time.
        home: As a state has it.
        target: The environment that the words before it chose.
        variables: The variables it sees.
        own: The names of those that are set for it alone.
        unexported: The names that the shell alone sees.
        system: The environment of the Python on PATH, whatever is active.
        machine: The settings that lines before it made.
        origins: For a variable that goes through a file's lines, that file.
        note: The effect of its redirections.
        fed: Why some of its words are unknown; empty if all are known.
        root: The conda that lines before it chose, whose names its names are; empty without one.
    """

    words: tuple[Word, ...]
    command: str
    line: int = 1
    folder: str | None = "."
    home: str = ""
    target: Target = field(default_factory=Target)
    variables: Mapping[str, Word] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    unexported: tuple[str, ...] = ()
    system: Target = field(default_factory=Target)
    machine: Machine = field(default_factory=Machine)
    origins: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    fed: str = ""
    root: str = ""

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

    def noting(self, *notes: str) -> Call:
        """Return the call with more for the reader to know."""
        return replace(self, note=" ".join(dict.fromkeys(filter(None, (self.note, *notes)))))

    def by(self, word: Word) -> Call:
        """Return the call with the interpreter, and its prefix if it is ``PREFIX/bin/PROGRAM``.

        A bare name is looked up in an active environment; other names are not.
        """
        text = word.text
        if text.startswith("./") and not word.holes and self.folder is not None:
            text = os.path.normpath(os.path.join(self.folder, text))
        folder = os.path.dirname(text)
        prefix, bin_folder = os.path.split(folder)
        if bin_folder not in ("bin", "condabin", "Scripts") or not prefix:
            chosen = self.elsewhere if word.holes else self.reaching
            return chosen(interpreter=word.text)
        if not os.path.isabs(prefix) and not word.holes and self.folder is not None:
            prefix = os.path.normpath(os.path.join(self.folder, expanded(prefix, self.home)))
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
        return Found(
            command=self.command,
            line=self.line,
            request=request,
            target=self._made(),
            note=" ".join(part for part in (self.note, note) if part),
            fetched=tuple(self.machine.fetched.items()),
            written=tuple(
                (spec.place, self.machine.files[spec.place])
                for spec in request.specs
                if spec.place in self.machine.files
            ),
        )

    def _made(self) -> Target:
        """Return the target, which lines before it may have made: by its name, or there."""
        target, made = self.target, self.machine.made
        folder, name = os.path.split(target.prefix)
        if target.prefix not in made and name in made and folder.endswith("/envs"):
            return replace(target, name=name, prefix="", made=True)
        made_here = target.made or (target.prefix or target.name) in made
        return replace(target, made=made_here, root=self.root if target.name else "")

    def unread(self, reason: str) -> Found:
        """Return the find with the reason why it is not understood."""
        return Found(
            command=self.command, line=self.line, target=self.target, reason=reason, note=self.note
        )

    def unclear(self, words: Iterable[Word | None]) -> tuple[Found, ...]:
        """Return an uncaptured find if some words have holes; nothing otherwise."""
        reasons = [unknown(word) for word in words if word is not None and word.holes]
        return (self.unread(" ".join(dict.fromkeys(reasons))),) if reasons else ()

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
            action: Install or remove.
            manager: The manager.
            specs: The specs, each with its option (``-r``, ``-e``, ``-c``, ``--file``) or "".
            note: A note for the reader.
            fields: The request's other fields.
        """
        if self.fed or not specs:
            yield self.unread(self.fed or "It names no package.")
            return
        slip = repeated_verb([flag or word.text for flag, word in specs])
        if slip is not None:
            end = next(at for at, (_, word) in enumerate(specs) if word.text == slip[0]) + 1
            specs = specs[end:]
            note = f"{note} {slip[0]} is typed twice, and the second is left out.".strip()
        reasons = [self._unclear(flag, word, manager) for flag, word in specs]
        clear = [item for item, reason in zip(specs, reasons, strict=True) if not reason]
        read = [self._spec(flag, word.text, manager) for flag, word in clear]
        wrong = [word.text for (_, word), spec in zip(clear, read, strict=True) if not spec]
        if wrong:  # the manager refuses the whole call
            yield self.unread(f"{', '.join(map(repr, wrong))}: {manager} reads no package in it.")
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
            yield self.unread(" ".join(dict.fromkeys(reason for reason in reasons if reason)))

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
        local = bool(flag) or is_path(word.text) or word.text.endswith(_ARCHIVES)
        if not local or _REMOTE.match(word.text):
            return ""
        if word.pattern:
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


MANAGER_OF: dict[str, ManagerName] = {
    **dict.fromkeys(("pip", "uv", "pipx"), "pip"),
    **dict.fromkeys(("conda", "mamba", "micromamba"), "conda"),
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
        return bool(re.match(r"(\S+::?)?[A-Za-z0-9_*][\w.*-]*([^\w,]|$)", spec)) or is_path(spec)
    # NAME- after ``install`` means to remove it, which no request can say
    return bool(re.match(r"[A-Za-z0-9^?.*]([\w.+:^?*~=/-]*[\w.+^?*])?$", spec)) or is_path(spec)
