"""The state that lines build up before they install: one model for cells, scripts, Dockerfiles.

A `State` says what the next command would find: the working folder, the variables, the
environment that ``pip`` and ``conda`` reach, and, in its `Machine`, the settings and files that
outlast a shell. Where lines branch, what the branches leave different is unknown afterwards, and
said to be: an unknown variable is a word whose text is its own hole (``$NAME``).
"""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..model.environment import TOOLS
from ..model.shell import MAX_DEPTH, Operator, Redirection, Word, parse, words_of
from . import Found, Target
from .handed import CHANGED, FILTERS, formatted, number_of, shortened, unescaped
from .machine import LONGEST_FILE, Machine, home_as_tilde, same, unknown_value
from .programs import program_name

_SIMPLE = re.compile(r"\$(?:(\w+|[@*#])|\{(\w+|[@*#])\})")
_ARRAY = re.compile(r"\$\{(\w+)\[[@*]\]\}")
_SPLIT = re.compile(rf"{_ARRAY.pattern}|\$@|\$\{{@\}}")
"""Expansions that become several words, even between quotes."""
_OTHERWISE = re.compile(r"\$\{(\w+)(:?)([-=+])(.*)\}", re.DOTALL)

_ENVIRONMENT = re.compile(
    r"envs/[^/]+|\.?(?:v|virtual)?env(?:[-_.]?\w+)?|[\w.-]*(?:venv|virtualenv)[\w.-]*"
    r"|[\w.-]*(?:conda|mamba|miniforge|micromamba)[\w.-]*",
    re.IGNORECASE,
)
_ROOT = re.compile(r"[\w.-]*(?:conda|mamba|miniforge)\d*", re.IGNORECASE)
_ROOTS = re.compile(r"\$\{?(CONDA_DIR|CONDA_ROOT|MAMBA_ROOT_PREFIX)\}?")
_PREFIXES = re.compile(
    r"\$\{?(?:VIRTUAL_ENV|VENV\w*|CONDA_\w+|MAMBA_ROOT_PREFIX|NB_PYTHON_PREFIX|KERNEL_PYTHON_PREFIX)"
    r"\}?(?:/envs/[^/]+)?"
)
_NO_PYTHON = re.compile(
    r"^(?:/usr(?:/local)?|/usr/games|/snap|~|\$\{?HOME\}?|/root|/home/[^/]+)?(?:/\.local)?$"
    r"|cuda|nvidia|cargo|rust|/go\b|golang|node|npm|nvm|yarn|pnpm|deno|bun|java|jvm|jdk|jre|spark"
    r"|hadoop|hive|texlive|TinyTeX|julia|rstudio|/R\b|scala|sbt|maven|gradle|google-cloud|gcloud"
    r"|aws|azure|kube|terraform|dotnet|ruby|perl|cmake|llvm|gcc|mpi|slurm|code-server|quarto"
    r"|pandoc|poetry|pipx|mysql|postgres|ffmpeg|blender",
    re.IGNORECASE,
)
"""Folders of PATH without a pip of an environment."""


_NESTED = 4
"""The most substitutions within one that is worked out."""

MAX_FOLLOWED = 10_000
"""The most commands that a short text's scripts and functions run; an installer's run hundreds."""

NESTED = f"It is nested more than {MAX_DEPTH} deep, which is not read here."

_LONGEST = 2**14
"""Characters of a value that is filled in: ``a=$a$a`` doubles it. Linux has 128 KB for all."""
_MOST_HOLES = 100


def expanded(path: str, home: str) -> str:
    """Return a path with the home in the place of its ``~``.

    >>> expanded("~/x", "/home/jovyan"), expanded("y", "")
    ('/home/jovyan/x', 'y')
    """
    if home and (path == "~" or path.startswith("~/")):
        return home + path[1:]
    return os.path.expanduser(path)


def has_no_python(name: str) -> bool:
    """Return whether a folder or a module is known for other things than a Python."""
    return _NO_PYTHON.search(name) is not None


def is_environment(prefix: str) -> bool:
    """Return whether a prefix has the name of an environment, or of a conda.

    >>> is_environment("/opt/conda/envs/lab"), is_environment("$CONDA_DIR"), is_environment("/tmp")
    (True, True, False)
    """
    names = ("/".join(prefix.rsplit("/", 2)[1:]), os.path.basename(prefix))
    named = any(map(_ENVIRONMENT.fullmatch, names)) or bool(_PREFIXES.fullmatch(prefix))
    return named or prefix in ("/usr", "/usr/local", "{sys.prefix}")


def word_of(text: str) -> Word:
    """Return a text as a word, its variables as holes: what ENV holds, for one."""
    words = words_of(f'"{text}"')
    return words[0] if len(words) == 1 and "`" not in text and '"' not in text else Word(text)


def joined(words: Iterable[Word]) -> Word:
    """Put words together into one, their holes kept."""
    text, holes, spans, pattern, quoted = "", [], [], False, False
    assumed: dict[str, None] = {}
    for word in words:
        assumed.update(dict.fromkeys(word.assumed))
        at = len(text)
        for piece, hole, said in word.pieces():
            if hole:
                holes.append(piece)
                spans.append((at, at + len(piece), said))
            at += len(piece)
        text += word.text
        pattern, quoted = pattern or word.pattern, quoted or word.quoted
    return Word(text, tuple(holes), (), pattern, quoted, spans=tuple(spans), assumed=tuple(assumed))


def joined_by_blanks(words: Sequence[Word]) -> Word:
    """Put words together, apart by blanks; unknown where one holds a blank itself."""
    if any(re.search(r"\s", word.text) for word in words):
        return unknown_value("@")
    parts: list[Word] = []
    for word in words:
        parts += [Word(" ")] * bool(parts) + [word]
    return joined(parts)


@dataclass
class Effort:
    """The work that is left for the scripts and functions that a text runs.

    A few lines can run each other without end. All states of one text share it.
    """

    left: int = MAX_FOLLOWED  #: the commands, by their length
    depth: int = 0  #: how deep what is read is nested in what runs it

    def begin(self, text: str) -> None:
        """Begin a text; the longer it is, the more it may run."""
        if not self.depth:
            self.left += len(text) // 4

    def followed(
        self,
        finds: Iterable[Found],
        size: int,
        line: Found,
        text: str | None = None,
    ) -> Iterator[Found]:
        """Yield the finds of what a line runs; if that is too much, the line with the reason.

        Args:
            finds: Read as they are taken.
            size: The characters of what is run.
            line: The line, without a reason.
            text: What is run: one without installs is not listed for its depth. None if it is.
        """
        if self.depth >= MAX_DEPTH:
            if text is None or "install" in text:
                yield replace(line, reason=NESTED)
            return
        self.left -= 1 + size // 20
        if self.left < 0:
            reason = f"Scripts and functions run more than {MAX_FOLLOWED:,} commands there."
            yield replace(line, reason=f"{reason} It is not read here.")
        else:
            self.depth += 1
            try:
                yield from finds
            finally:
                self.depth -= 1


@dataclass
class State:
    """The state of a shell after the lines so far."""

    folder: str | None = "."  #: the working folder; None if known only at run time
    home: str = ""  #: the user's home in an image; empty for the one here
    #: the environment of ``python`` and ``pip``, by an activation or by PATH
    target: Target = field(default_factory=Target)
    #: the environment of ``conda``, by an activation; empty for its base
    conda: Target = field(default_factory=Target)
    root: Target = field(default_factory=Target)  #: the first conda on PATH, if PATH was set
    #: their values, which may have holes; unset ones are missing
    variables: dict[str, Word] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)  #: the names that programs see
    #: whether a variable that was never set is known to be unset, as in a Dockerfile
    closed: bool = False
    doubt: str = ""  #: what is unknown about ``target``; empty if it is clear
    all_exported: bool = False  #: whether ``set -a`` is on
    #: returns the value of an expression, if Python fills in ``{expression}``
    python: Callable[[str], Word | None] | None = None
    #: what was active before, for each activation
    outer: tuple[tuple[Target, Target, Word | None], ...] = ()
    #: for a variable that goes through a file's lines, that file
    origins: dict[str, str] = field(default_factory=dict)
    #: the shell's functions; the values belong to `lines`
    functions: dict[str, Any] = field(default_factory=dict)
    names: Any = None  #: the values of Python's names, as `calls.KnownNames`; None in a shell
    left: tuple[str | None, ...] = ()  #: the working folders to come back to
    machine: Machine = field(default_factory=Machine)  #: what outlasts this shell
    effort: Effort = field(default_factory=Effort)

    # -- shells and branches

    def subshell(self) -> State:
        """Return the state of a subshell: what it sets is lost, what it writes stays."""
        return replace(
            self,
            variables=dict(self.variables),
            exported=set(self.exported),
            origins=dict(self.origins),
            functions=dict(self.functions),
        )

    def process(self) -> State:
        """Return the state of a new shell: it sees what is exported."""
        seen = {name: value for name, value in self.variables.items() if name in self.exported}
        return replace(
            self,
            variables=seen,
            exported=set(self.exported),
            functions={},
            all_exported=False,
            python=None,
        )

    def snapshot(self) -> State:
        """Return a copy that shares nothing: what a branch begins with."""
        names = self.names and self.names.copy()
        return replace(self.subshell(), machine=self.machine.copy(), names=names)

    def become(self, other: State) -> None:
        """Take over what another state holds."""
        for name in vars(other):
            if name not in ("python", "machine"):
                setattr(self, name, getattr(other, name))
        for name, value in vars(other.machine.copy()).items():
            setattr(self.machine, name, value)  # others may share it

    def merge(self, ends: Sequence[State]) -> None:
        """Become the state after one of several branches: different values are unknown."""
        if not ends:
            return
        first = ends[0].snapshot()
        for other in ends[1:]:
            first._join(other)
        self.become(first)

    def _join(self, other: State) -> None:
        names = dict.fromkeys((*self.variables, *other.variables))
        for name in names:
            if not same(self.variables.get(name), other.variables.get(name)):
                self.variables[name] = unknown_value(name)
        self.exported |= other.exported
        self.folder = self.folder if self.folder == other.folder else None
        self.functions = {**other.functions, **self.functions}
        if (self.target, self.conda) != (other.target, other.conda):
            self.doubt = "Which environment is active there is only known when it runs."
            self.target = self.conda = Target()
        self.doubt = self.doubt or other.doubt
        if self.names is not None:
            self.names.join(other.names)
        self.machine.join(other.machine)

    # -- variables

    def define(self, name: str, value: Word, *, export: bool = True) -> None:
        """Set a variable; PATH and similar ones change where the next commands go."""
        value = self.value(value)
        if _is_long(value):
            value = unknown_value(name)
        if export or self.all_exported:
            self.exported.add(name)
        if name == "PATH":
            self._path(value)
        self.variables[name] = value

    def put(self, name: str, value: Word | None) -> None:
        """Set a variable of the process, or take it away."""
        if value is None:
            self.unset(name)
        else:
            self.define(name, value)

    def forget(self, *names: str) -> None:
        """Take values for unknown."""
        for name in names:
            self.variables[name] = unknown_value(name)

    def forget_all(self) -> None:
        """Take every value for unknown: something that is not seen may have set it."""
        self.forget(*self.variables)

    def unset(self, *names: str) -> None:
        """Take variables away."""
        for name in names:
            self.variables.pop(name, None)
            self.exported.discard(name)

    def seen(self, own: Mapping[str, Word]) -> dict[str, Word]:
        """Return the variables that a program sees, with those that are set for it alone."""
        outer = {name: word for name, word in self.variables.items() if name in self.exported}
        return {**outer, **own}

    def value(self, word: Word) -> Word:
        """Return a word with known values filled in, as one word."""
        if not word.holes:
            return word
        filled = joined(self._pieces(word))
        return word if _is_long(filled) else _in_place_of(word, filled)

    def words(self, word: Word) -> list[Word]:
        """Return the words that the shell makes of one: an unquoted value is split at blanks."""
        if not word.holes:
            return [word]
        lists: list[list[Word]] = [[]]
        for (piece, hole, said), value in zip(word.pieces(), self._pieces(word), strict=False):
            if not hole or (said and not _SPLIT.fullmatch(piece)) or value.text == piece:
                lists[-1].append(value)
                continue
            parts = split(value)
            lists[-1] += parts[:1]
            lists += [[part] for part in parts[1:]]
        if sum(len(part.text) for parts in lists for part in parts) > _LONGEST:
            return [word]
        if not lists[0] and len(lists) == 1 and (not word.quoted or word.text in ("$@", "${@}")):
            return []
        first, *others = [_in_place_of(word, joined(parts)) for parts in lists]
        made = [first, *(replace(each, scripts=()) for each in others)]
        return [each for each in made if each.text or word.quoted]

    def _pieces(self, word: Word) -> Iterator[Word]:
        """Yield the values of a word's pieces, as far as they are not too long together."""
        length = 0
        for piece, hole, said in word.pieces():
            if length <= _LONGEST:
                value = self._filled(piece, hole, said)
                length += len(value.text)
                yield value

    def _filled(self, piece: str, hole: bool, quoted: bool) -> Word:
        if not hole:
            return Word(piece)
        value = self._lookup(piece)
        if value is None:
            return Word(piece, (piece,), spans=((0, len(piece), quoted),))
        return value if quoted else replace(value, pattern=bool(re.search(r"[*?]", value.text)))

    def _lookup(self, hole: str) -> Word | None:
        if self.python is not None and (value := self.python(hole)) is not None:
            return value
        if hole[:1] == "`" or (hole.startswith("$(") and hole[2:3] != "("):
            text = self.output(hole[1:-1] if hole[0] == "`" else hole[2:-1])
            return None if text is None else Word(text.rstrip("\n"))
        simple = _SIMPLE.fullmatch(hole)
        if simple:
            name = simple[1] or simple[2]
            value = self.variables.get(name)
            if value is None and name == "PWD" and self.folder is not None:
                return Word(self.folder)
            if value is not None and is_array(value):
                return _elements(value, only_first="ZSH_VERSION" not in self.variables)
            return value
        if hole == "${BASH_SOURCE[0]}":
            return self.variables.get("BASH_SOURCE")
        if hole.startswith("$(("):
            return self._number(hole[3:-2])
        if (changed := CHANGED.fullmatch(hole)) is not None:
            value = self.variables.get(changed[1])
            clear = value is not None and not value.holes and not is_array(value)
            text = shortened(value.text, changed[2]) if clear and value else None
            return None if text is None else Word(text)
        array = _ARRAY.fullmatch(hole)
        if array:
            return _elements(self.variables.get(array[1]))
        match = _OTHERWISE.fullmatch(hole)
        if match is None:
            return None
        name, colon, operator, other = match.groups()
        value = self.variables.get(name)
        if value is not None and value.holes:
            return None
        is_set = value is not None and not (colon and not value.text)
        if operator == "+":
            known = self._text(other) if is_set else Word("")
            return None if value is None and not self.closed else known
        known = value if is_set else self._text(other)
        if known is not None and value is None and not self.closed:
            known = replace(known, assumed=(*known.assumed, hole))
        if operator == "=" and known is not None and not is_set:
            self.variables[name] = known
        return known

    def _number(self, expression: str) -> Word | None:
        """Return the value of ``$((expression))``; None if known only at run time."""

        def value(match: re.Match[str]) -> str:
            known = self.variables.get(match[1])
            return known.text if known is not None and not known.holes else "?"

        text = re.sub(r"\$?\{?\b([A-Za-z_]\w*)\}?", value, expression).strip()
        try:
            number = number_of(ast.parse(text, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError):
            return None
        known = isinstance(number, int) and number.bit_length() <= 64
        return Word(str(number)) if known else None

    def array(self, value: Word) -> Word:
        """Return an array with known values filled in; other values as they are."""
        if not is_array(value):
            return value
        words = words_of(value.text[1:-1], braces=self.python is not None)
        filled = [each for word in words for each in self.words(word)]
        if any(word.holes or word.pattern for word in filled):
            return value
        return replace(value, text=f"({' '.join(shlex.quote(word.text) for word in filled)})")

    def _text(self, text: str) -> Word | None:
        """Return the value of the text behind ``:-``."""
        text = re.sub(r"""^(["'])(.*)\1$""", r"\2", text, flags=re.DOTALL)
        if re.search(r"[`\\\"]|\$\(", text) or text.count("${") > _NESTED:
            return None
        value = self.value(word_of(text))
        return None if value.holes else value

    # -- the working folder

    def enter(self, word: Word, *, within: bool = False) -> None:
        """Change the working folder; it is unknown after a word with holes.

        Args:
            within: Whether `leave` comes back to the one before.
        """
        self.left = (*self.left, self.folder) if within else self.left
        path = expanded(word.text, self.home)
        if word.holes or (self.folder is None and not os.path.isabs(path)):
            self.folder = None
        else:
            self.folder = os.path.normpath(os.path.join(self.folder or "", path))

    def leave(self) -> None:
        """Go back to the folder before the last one that was entered for a block."""
        *left, self.folder = self.left or (None,)
        self.left = tuple(left)

    # -- files, and what commands print

    def path_of(self, word: Word) -> str:
        """Return a file's path as seen from the working folder."""
        path = home_as_tilde(word.text)
        path = expanded(path, self.home) if self.home else path
        if word.holes or path.startswith(("~", "/")) or self.folder is None:
            return path
        return os.path.normpath(os.path.join(self.folder, path))

    def program(self, word: Word) -> Word | None:
        """Return a program by its path; None for one that no line and no COPY put on PATH."""
        if "/" in word.text or word.holes:
            return word if "/" in word.text else None
        for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/bin"):
            path = f"{folder}/{word.text}"
            if (self.closed or path in self.machine.files) and self.machine.text(path) is not None:
                return replace(word, text=path)
        return None

    def text_of(self, word: Word) -> str | None:
        """Return the text of a file, or of ``<(command)``; None if it is not seen."""
        if len(word.scripts) == 1 and word.text in word.holes:
            return self.output(word.scripts[0])
        return self.machine.text(self.path_of(word))

    def output(self, script: str) -> str | None:
        """Return what a command substitution prints; None if known only at run time."""
        text: str | None = None
        if len(re.findall(r"[$<]\(|`", script)) >= _NESTED:
            return None
        shell = self.subshell()
        items = [*parse(script.lstrip(), braces=self.python is not None)]
        while items and isinstance(items[-1], Operator):
            items.pop()
        for item in items:
            if isinstance(item, Operator):
                if item.text != "|" and not (item.text in ("&&", ";") and text == ""):
                    return None
                continue
            words = [each for word in item.words for each in self.words(word)]
            if words and words[0].text == "cd":
                shell.enter(words[-1] if len(words) > 1 else unknown_value("HOME"))
                text = ""
                continue
            text = shell.printed(words, item.redirections, text)
            if text is None or any(word.holes for word in words):
                return None
        return text

    def printed(
        self, words: Sequence[Word], redirections: Sequence[Redirection], piped: str | None = None
    ) -> str | None:
        """Return what a command prints; None if known only at run time.

        Args:
            piped: The text that flows into it; None without one.
        """
        program = program_name(words[0]) if words else "cat"
        arguments = list(words[1:])
        if program == "echo":
            end = "\n"
            while arguments and re.fullmatch(r"-[neE]+", arguments[0].text):
                end = "" if "n" in arguments.pop(0).text else end
            return unescaped(" ".join(word.text for word in arguments)) + end
        if program == "printf":
            return formatted([word.text for word in arguments])
        if program == "pwd":
            return self.folder
        if program in ("which", "type") or (program == "command" and arguments[:1]):
            found = arguments[-1].text if arguments else ""
            shown = re.fullmatch(r"(?:python|pip)[\d.]*|conda|mamba", found)
            return f"{found}\n" if shown else None
        if program in ("dirname", "basename", "realpath", "readlink"):
            names = [word for word in arguments if not word.text.startswith("-")]
            if len(names) != 1 or names[0].holes:
                return None
            if program == "dirname":
                return os.path.dirname(names[0].text) or "."
            if program == "basename":
                return os.path.basename(names[0].text)
            return self.path_of(names[0])
        if program in ("ls", "find"):
            options = ("-1", "-type", "f")
            said = " ".join(word.text for word in arguments if word.text not in options)
            said = re.sub(r" -i?name (?=\S+$)", "/", said)
            folder = self.path_of(Word(os.path.dirname(said)))
            known = folder in self.machine.wheels and re.fullmatch(r"\S*\*\.whl", said)
            return f"{folder}/{os.path.basename(said)}\n" if known else None
        if (filtered := FILTERS.get(program)) is None:
            return None
        files, given = filtered.read(arguments)
        patterns, text = given.pop("--regexp", []), piped
        lists = [self.text_of(file) for file in given.pop("--file", ())]
        files = [] if program == "tee" else files
        inputs = [each.target for each in redirections if each.operator == "<"]
        several = len(files) > 1 and program.endswith("grep") and "--no-filename" not in given
        if several or None in lists or any(word.holes for word in patterns):
            return None  # of several files, each line has its file before it
        if files or inputs:
            texts = [self.text_of(file) for file in files or inputs[-1:]]
            seen = [each for each in texts if each is not None]
            if len(seen) < len(texts) or sum(map(len, seen)) > LONGEST_FILE:
                return None
            text = "".join(seen)
        elif (body := self.document(redirections)) is not None:
            text = f"{body}\n"
        lines = [line for each in lists for line in (each or "").splitlines()]
        lines += [word.text for word in patterns]
        return None if text is None else filtered.run(text, lines, {*given})

    def document(self, redirections: Sequence[Redirection]) -> str | None:
        """Return the text that a command is given by ``<<`` or ``<<<``; None without one.

        Where its delimiter is not quoted, this shell fills in its variables before the command sees
        them: one that is not known is left as ``${NAME:?}``, which nothing later takes for its own.
        """
        documents = [each for each in redirections if each.operator in ("<<", "<<-")]
        strings = [each for each in redirections if each.operator == "<<<"]
        if not documents:
            return self.value(strings[-1].target).text if strings else None
        last = documents[-1]
        if last.target.quoted:
            return last.body

        length = 0

        def value(match: re.Match[str]) -> str:
            nonlocal length
            if match[0].startswith("\\"):
                return match[0][1:]
            name = match[1] or match[2]
            known = self.variables.get(name)
            length += 0 if known is None else len(known.text)
            unclear = known is None or known.holes or length > LONGEST_FILE
            return f"${{{name}:?}}" if unclear or known is None else known.text

        name = r"[A-Za-z_]\w*|\d"
        return re.sub(rf"\\[$`\\]|\$(?:({name})|\{{({name})\}})", value, last.body)

    # -- where programs go

    def _path(self, value: Word) -> None:
        """Find the environment that PATH now leads to first."""
        self.doubt = ""
        for entry in split(value, "[^:]+"):
            if any("PATH" in hole for hole in entry.holes) and entry.text in entry.holes:
                return  # what it was before comes now
            prefix = _prefix(entry, self.folder)
            if prefix is None:
                if any("PATH" in hole for hole in entry.holes):
                    self.doubt = f"PATH begins with {entry.text}, which is only known when it runs."
                continue
            kind = self._kind(prefix)
            self.doubt = entry.assumption
            if kind == "environment":
                made = self.machine.has_made(prefix)
                self.target = Target(prefix=prefix, made=made)
                named = re.fullmatch(_ROOT, os.path.basename(prefix)) or _ROOTS.fullmatch(prefix)
                if named or self.path_of(Word(prefix)) in self.machine.roots:
                    self.root = Target(prefix=prefix)
                return
            if kind == "unknown":
                first = f"PATH begins with {entry.text}"
                self.doubt = f"{first}: a pip or conda of that folder goes first."
        self.target = Target()  # nothing of the old PATH is left

    def _kind(self, prefix: str) -> str:
        known = self.path_of(Word(prefix)) in self.machine.roots
        if known or self.machine.has_made(prefix) or _PREFIXES.fullmatch(prefix):
            return "environment"
        if has_no_python(prefix) and not re.search(r"envs/[^/]+$", prefix):
            return "other"
        return "environment" if is_environment(prefix) else "unknown"

    def activate(self, target: Target, *, conda: bool) -> None:
        """Enter an environment, as its ``activate`` does."""
        self.outer = (*self.outer, (self.target, self.conda, self.variables.get("PATH")))
        self.target, self.doubt = target, ""
        if "PATH" in self.variables:
            self.forget("PATH")
        self.unset("VIRTUAL_ENV")
        if conda:
            self.conda = target
            self.unset("CONDA_DEFAULT_ENV")
            for name, value in self.machine.held.get(target.prefix or target.name, {}).items():
                self.define(name, value)
        else:
            self.define("VIRTUAL_ENV", Word(target.prefix))

    def deactivate(self) -> None:
        """Leave it; without one that was entered in sight, nothing is known to change."""
        if not self.outer:
            return
        self.unset(*self.machine.held.get(self.conda.prefix or self.conda.name, ()))
        *outer, (self.target, self.conda, path) = self.outer
        self.outer, self.doubt = tuple(outer), ""
        if path is not None:
            self.variables["PATH"] = path
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"):
            self.unset(name)

    def aim(self, program: str, variables: Mapping[str, Word]) -> tuple[Target, str]:
        """Return the environment of a program that is given none, and a note on it.

        Args:
            program: ``pip``, ``conda``, ``uv``.
        """
        if program in TOOLS:
            root = variables.get("MAMBA_ROOT_PREFIX") if program == "micromamba" else None
            target, note = self._aim_of_conda(variables)
            if target == Target() and root is not None and not root.holes:
                return Target(prefix=root.text), note
            return target, note
        if program == "uv":
            active = variables.get("VIRTUAL_ENV")
            system = variables.get("UV_SYSTEM_PYTHON")
            if system is not None and system.text.lower() not in ("", "0", "false"):
                return self.target, self.doubt
            if active is not None:
                return Target(prefix=active.text, made=active.text in self.machine.made), ""
            if self.conda != Target():
                return self.conda, ""
            conda = variables.get("CONDA_PREFIX")
            if conda is not None and conda.text:
                return Target(prefix=conda.text), ""
            for folder in upwards(self.folder):
                if f"{folder}/.venv" in self.machine.made:
                    return Target(prefix=f"{folder}/.venv", made=True), ""
        chosen = self.machine.chosen if self.target == Target() else ""
        return self.target, " ".join(filter(None, (self.doubt, chosen)))

    def _aim_of_conda(self, variables: Mapping[str, Word]) -> tuple[Target, str]:
        if self.conda != Target():
            return self.conda, ""
        active, default = variables.get("CONDA_PREFIX"), variables.get("CONDA_DEFAULT_ENV")
        if active is not None and active.text:
            return Target(prefix=active.text), ""
        if default is not None and default.text not in ("", "base", "root"):
            is_path = "/" in default.text
            named = Target(prefix=default.text) if is_path else Target(name=default.text)
            return named, _BY_DEFAULT
        on_path = self.machine.roots & {"/usr", "/usr/local"}
        if on_path and self.root == Target():
            return Target(prefix=on_path.pop()), ""
        return self.root, self.doubt if self.root == Target() else ""


_BY_DEFAULT = (
    "conda goes there by CONDA_DEFAULT_ENV, where no CONDA_PREFIX is set: an activated shell counts"
    " first."
)


def _in_place_of(word: Word, value: Word) -> Word:
    """Return a value as the word that stood there."""
    text, holes, spans, assumed = value.text, value.holes, value.spans, value.assumed
    pattern = word.pattern or value.pattern
    return replace(word, text=text, holes=holes, spans=spans, assumed=assumed, pattern=pattern)


def _is_long(value: Word) -> bool:
    return len(value.text) > _LONGEST or len(value.holes) > _MOST_HOLES


def is_array(value: Word) -> bool:
    """Return whether a value is an array's: ``(one two)``."""
    return not value.quoted and value.text[:1] == "(" and value.text.endswith(")")


def _elements(array: Word | None, *, only_first: bool = False) -> Word | None:
    """Return an array's elements separated by blanks; None if blanks would not separate them."""
    if array is None or array.holes or not is_array(array):
        return None
    words = words_of(array.text[1:-1])[: 1 if only_first else None]
    if any(word.holes or re.search(r"\s", word.text) for word in words):
        return None
    return Word(" ".join(word.text for word in words))


def split(value: Word, part: str = r"\S+") -> list[Word]:
    """Split a value at the blanks outside of its holes, or into other parts, as a pattern."""
    marks = "".join(("\0" * len(piece)) if hole else piece for piece, hole, _ in value.pieces())
    return [value.part(match.start(), match.end()) for match in re.finditer(part, marks)]


def _prefix(entry: Word, folder: str | None) -> str | None:
    """Return the prefix whose ``bin`` an entry of PATH is; None for another folder."""
    prefix, last = os.path.split(entry.text.rstrip("/"))
    if last not in ("bin", "condabin", "Scripts") or not prefix:
        return None
    if entry.holes or os.path.isabs(prefix) or prefix.startswith("~"):
        return prefix
    return None if folder is None else os.path.normpath(os.path.join(folder, prefix))


def upwards(folder: str | None) -> Iterator[str]:
    """Yield a folder and all its parents, without a slash at the end."""
    while folder:
        yield folder.rstrip("/")
        above = os.path.dirname(folder)
        folder = "" if above == folder else above
