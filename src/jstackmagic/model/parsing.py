"""From a user's words to requests: which manager each spec is for, and what a cell says.

Pure: nothing here looks at an environment, a disk or a network. A spec without a manager, which
several could read, stays *unsaid*: the install verb decides, with the environment.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn
from urllib.parse import quote, unquote

from . import managers
from .credentials import mask
from .errors import InvalidSpec, UsageError
from .options import INSTALL, REQUIREMENTS, Option
from .packages import ManagerName
from .request import Request
from .sources import Sources
from .spec import CONDA_ARCHIVE, PIP_ARCHIVE, URL, Spec, is_vcs, read_all, split_hashes

_PREFIX = re.compile(r"([a-z]+):(?!//|:)(.*)", re.DOTALL)
_NAMED = r"([A-Za-z0-9._-]+(?:\s*\[[^\]]*\])?)\s*@\s*"
_DIRECT = re.compile(rf"{_NAMED}(?:{URL.pattern}|file:)")
NAMED_PATH = re.compile(rf"{_NAMED}(file:(?!/)|\.{{0,2}}/)([^\s#?]+)")
"""A requirement with a path behind its name: ``six @ file:./six``."""
_FLAGGED = ("-r ", "-e ", "-c ")
_LONGEST = 40_000  # characters of a requirement; one with a hundred hashes has 9,000
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_BEFORE_COMMENT = re.compile(
    r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|(?<=\S)\#|[^'"\\#])*""", re.DOTALL
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be carried out; the other lines are not affected."""

    text: str
    reason: str  #: why, and what to write
    line: int = 0  #: its number, from 1; 0 if unknown


@dataclass(frozen=True)
class Asked:
    """The request of a line or a cell, before any environment is looked at."""

    #: each text with its manager, or None if not given; in the user's order
    specs: tuple[tuple[ManagerName | None, str], ...] = ()
    sources: Sources = field(default_factory=Sources)
    #: other options of a requirements file, as pip's command line takes them
    pip_options: tuple[str, ...] = ()
    name: str = ""  #: the environment's name, if an ``environment.yml`` has one
    notes: tuple[str, ...] = ()  #: notes on what was ignored, for the user
    problems: tuple[Problem, ...] = ()  #: the lines that request nothing, each with the reason

    def of(self, manager: ManagerName) -> tuple[Spec, ...]:
        """Return the specs of one manager, each once."""
        return read_all(
            manager, dict.fromkeys(text for said, text in self.specs if said == manager)
        )

    def requests(self) -> Iterator[Request]:
        """Yield the install of each manager that was named, in the order in which they work."""
        for manager in managers.names():
            if specs := self.of(manager):
                options = self.pip_options if manager == "pip" else ()
                sources = self.sources.of(manager)
                yield Request("install", manager, specs, sources=sources, options=options)

    @property
    def unsaid(self) -> tuple[str, ...]:
        """The texts that more than one manager could read, each once."""
        return tuple(dict.fromkeys(text for said, text in self.specs if said is None))

    def __add__(self, other: Asked) -> Asked:
        sources = self.sources | other.sources
        return Asked(
            specs=self.specs + other.specs,
            sources=replace(sources, index_url=other.sources.index_url or sources.index_url),
            pip_options=self.pip_options + other.pip_options,
            name=other.name or self.name,
            notes=self.notes + other.notes,
            problems=self.problems + other.problems,
        )


def split_words(line: str) -> list[str]:
    """Split a magic's line as a shell does: quotes group, `` #`` begins a comment.

    Raises:
        UsageError: A quote is not closed.
    """
    # "#egg=" stands inside a word, and a comment may have an apostrophe: shlex knows neither
    code = _BEFORE_COMMENT.match(line)
    assert code is not None, "it may be empty"
    comment = line[code.end() :].startswith("#")
    lexer = shlex.shlex(code[0] if comment else line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise UsageError(
            f"The line cannot be split into words: {str(error).lower()}.",
            advice=f"Close the quote: {line.strip()}",
        ) from None


def read_specs(
    words: Iterable[str], *, manager: ManagerName | None = None, folder: str = "."
) -> Asked:
    """Read specs, each with an optional ``conda:``, ``pip:`` or ``apt:`` before it.

    Raises:
        InvalidSpec: No manager could read one of them.
    """
    return Asked(specs=tuple(_read_spec(word, manager, folder) for word in words))


def only_reader(spec: str) -> ManagerName | None:
    """Return the one manager that can read a spec; None if several can.

    >>> only_reader("conda-forge::numpy"), only_reader("numpy=1.26=py312_0")
    ('conda', 'conda')
    >>> only_reader("dask[array]"), only_reader("git+https://host.example/r.git")
    ('pip', 'pip')
    >>> only_reader("numpy>=1.20") is None
    True
    """
    if spec.startswith(_FLAGGED) or is_vcs(spec):
        return "pip"
    path = re.split(r"[?#]", spec, maxsplit=1)[0] if URL.match(spec) else spec
    if path.endswith(CONDA_ARCHIVE) and not path.endswith(PIP_ARCHIVE):
        return "conda"
    if path.endswith(".deb"):
        return "apt"
    if path.endswith(PIP_ARCHIVE) or URL.match(spec):
        return "pip"
    if "::" in spec:
        return "conda"
    if is_path(spec):
        return "pip"
    bracket = re.fullmatch(r"[A-Za-z0-9._-]+\s*\[([^\]]*)\].*", spec, re.DOTALL)
    if bracket:
        return "conda" if "=" in bracket[1] else "pip"
    if _DIRECT.match(spec) or (_NAME.match(spec) and re.search(r";|===", spec)):
        return "pip"
    if re.fullmatch(r"[A-Za-z0-9._-]+=[^=].*", spec) or re.fullmatch(
        r"[A-Za-z0-9._-]+\s+\d[^<>=!~]*", spec
    ):
        return "conda"
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*\+[a-z0-9.+-]*", spec):  # g++, libstdc++6
        return "apt"
    return None


def is_path(spec: str) -> bool:
    """Return whether a spec is a local path: pip's rule, it holds a separator or begins with a dot.

    >>> is_path("./pkg"), is_path("dist/x.whl"), is_path("numpy")
    (True, True, False)
    """
    if URL.match(spec) or is_vcs(spec) or _DIRECT.match(spec) or "::" in spec:
        return False
    head = spec.split("[", 1)[0].split(";", 1)[0]
    return head.startswith((".", "~/")) or os.sep in head


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that say something, with their numbers, as pip reads a requirements file.

    A backslash at a line's end joins it with the next; a comment begins a line or follows a space.
    """
    joined, first = "", 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += line[:-1]
            continue
        stripped = re.sub(r"(^|\s)#.*$", "", joined + line).strip()
        if stripped:
            yield first, stripped
        joined, first = "", 0


def read_requirement(line: str, *, folder: str = ".") -> Asked:
    """Read one logical line of a requirements file.

    A requirement's hashes stay with it, as ``six==1.17.0 --hash=sha256:…``.

    Raises:
        UsageError: pip would refuse it, or it has options that are not for the whole list.
    """
    check_length(line)
    if line.startswith("-"):
        return _read_option_line(line, folder)
    requirement, own, notes = own_options(line)
    if own:
        _refuse(f"{mask(line)!r} has options of its own")
    return replace(_one_requirement(requirement, folder), notes=notes)


def check_length(line: str) -> None:
    """Refuse a line that is longer than any requirement.

    Raises:
        UsageError: It is.
    """
    if len(line) > _LONGEST:
        _refuse(f"{mask(line[:60])}… has {len(line):,} characters, which no requirement needs")


def own_options(line: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Separate a requirement from the options after it on its line.

    pip reads them all, keeps those that one requirement can have, and drops the others
    (``pip._internal.req.req_file.handle_requirement_line``).

    Returns:
        The requirement with its hashes, the other options that pip keeps, and notes on the rest.

    Raises:
        UsageError: pip knows no such option.
    """
    start = re.search(r"(?:^|\s)-{1,2}\w", line)
    if start is None:
        return line, (), ()
    found = _options_of(line[start.start() :])
    hashes = "".join(f" --hash={option.value}" for option in found if option.name == "--hash")
    kept = (option for option in found if option.name in OF_ONE and option.name != "--hash")
    own = tuple(word for option in kept for word in (option.name, option.value))
    dropped = (option for option in found if option.name and option.name not in OF_ONE)
    notes = tuple(
        f"pip ignores {mask(option.words[0])} behind a requirement: it belongs on a line of its"
        " own."
        for option in dropped
    )
    return line[: start.start()].strip() + hashes, own, notes


def _one_requirement(text: str, folder: str) -> Asked:
    requirement, hashes = split_hashes(text)
    if is_requirement(requirement):
        requirement = squeeze(requirement)
    asked = read_specs([requirement], manager="pip", folder=folder)
    ((_, spec),) = asked.specs
    return replace(asked, specs=(("pip", " ".join((spec, *(f"--hash={h}" for h in hashes)))),))


def is_requirement(line: str) -> bool:
    """Return whether packaging reads a line as a requirement (PEP 508)."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(line)
    except InvalidRequirement:
        return False
    return True


def squeeze(requirement: str) -> str:
    """Write ``numpy >= 1.20`` and ``numpy (>=1.20)`` as ``numpy>=1.20``.

    A marker or a direct URL stays as it is.
    """
    requirement = re.sub(r"^([\w.\[\],-]+)\s*\(([^()]*)\)", r"\1\2", requirement)
    if ";" in requirement or "@" in requirement:
        return requirement
    return re.sub(r"\s+", "", requirement)


OF_ONE = ("--hash", "--config-settings", "--global-option", "--install-option")


def _refuse(problem: str) -> NoReturn:
    raise UsageError(
        f"A line cannot be read: {problem}.",
        advice="Save the list as a file and install it: %envinstall -r FILE",
    )


def _options_of(line: str) -> list[Option]:
    """Return the options and words of a line of a requirements file."""
    words = split_words(line)
    found = list(REQUIREMENTS.options(words))
    for option in found:
        if option.name and option.name not in REQUIREMENTS:
            word = next((word for word in words if word.startswith(option.words[0])), option.name)
            known = word.startswith("--") or len(word) == 2
            if known and option.name in INSTALL["pip"]:
                _refuse(f"{word} is for pip's command line; a list cannot hold it")
            _refuse(f"pip has no option {word}")
        if REQUIREMENTS.takes(option.name) and not option.value:
            _refuse(f"{option.name} lacks its value")
    return found


def _read_option_line(line: str, folder: str) -> Asked:
    """Read a line of options as pip does; ``-c`` is a constraints file there, not a channel."""
    sources = Sources()
    others: list[str] = []
    specs: list[str] = []
    stray: list[str] = []
    for name, value, words in _options_of(line):
        match name:
            case "":
                stray.append(value)
            case "--requirement" | "--constraint" | "--editable":
                specs.append(f"-{name[2]} {value}")
            case "--index-url":
                sources = replace(sources, index_url=value)
            case "--extra-index-url":
                extra = (*sources.extra_index_urls, value)
                sources = replace(sources, extra_index_urls=extra)
            case "--find-links":
                place = value if ":" in value else os.path.abspath(os.path.join(folder, value))
                sources = replace(sources, find_links=(*sources.find_links, place))
            case _ if name in OF_ONE:
                _refuse(f"{words[0]} is of one requirement: write it behind that one")
            case _:
                others += (name, value) if value else (name,)
    return replace(
        read_specs(specs, manager="pip", folder=folder),
        sources=sources,
        pip_options=tuple(others),
        notes=tuple(_stray(line, stray)),
    )


def _stray(line: str, words: list[str]) -> Iterator[str]:
    """Yield what pip reads over behind an option."""
    if not words:
        return
    rest = mask(" ".join(words))
    if words[0].startswith(";"):
        option = line.split()[0].partition("=")[0]
        yield f"Options have no markers: pip reads over {rest!r}, and takes {option} everywhere."
    else:
        yield f"pip reads over {rest!r} on the line {mask(line)!r}."


def _read_spec(
    word: str, manager: ManagerName | None, folder: str
) -> tuple[ManagerName | None, str]:
    said = _PREFIX.fullmatch(word)
    if said and said[1] in managers.names():
        manager = said[1]
        word = said[2]
    word = word.strip(" ")
    if not word or _CONTROL.search(word):
        shown = repr(word) if word else "An empty word"
        raise InvalidSpec(f"{shown} is not a package: a spec is one line of text.")
    manager = manager or only_reader(word)
    if f"{word} " in _FLAGGED:
        raise InvalidSpec(
            f"{word} names nothing.",
            advice=f"Its value comes after it: {word} {'PROJECT' if word == '-e' else 'FILE'}",
        )
    if word.startswith("-") and not word.startswith(_FLAGGED):
        raise InvalidSpec(
            f"{word!r} is an option, not a package.",
            advice=f"The manager's own options go after two dashes: … -- {word}",
        )
    if manager is None and not _NAME.match(word):
        raise InvalidSpec(
            f"{word!r} is not a package that conda, pip or apt could read.",
            advice="A spec begins with a name: %envinstall pymongo 'numpy>=1.20' apt:graphviz",
        )
    return manager, _absolute(word, manager, folder)


def _absolute(spec: str, manager: ManagerName | None, folder: str) -> str:
    """Make a local path absolute: a record must mean the same from any working folder."""
    if manager == "pip" and (named := NAMED_PATH.match(spec)):
        name, begins, path = named.groups()
        if begins != "file:":
            meant = f"{name} @ file:{'//' if begins == '/' else ''}{begins}{path}"
            raise InvalidSpec(f"pip takes a URL behind @, no path: write {meant}")
        full = quote(os.path.abspath(os.path.join(folder, unquote(path))))
        return f"{name} @ file://{full}{spec[named.end() :]}"
    flag, space, path = "", "", spec
    if spec.startswith(_FLAGGED):
        flag, space, path = spec[:2], " ", spec[3:].strip()
    path = re.sub(r"^file:(?!/)", "", path)
    if URL.match(path) or is_vcs(path) or not (flag or is_path(path) or _archive(path)):
        return spec
    if manager == "apt" and not path.endswith(".deb"):  # name/release
        return spec
    path, bracket, extras = path.partition("[")
    full = os.path.abspath(os.path.join(folder, os.path.expanduser(path)))
    return f"{flag}{space}{full}{bracket}{extras}"


def _archive(spec: str) -> bool:
    return spec.endswith((*CONDA_ARCHIVE, *PIP_ARCHIVE, ".deb")) and not _DIRECT.match(spec)
