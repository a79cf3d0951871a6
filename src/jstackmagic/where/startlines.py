"""A kernel's command line → the environment that it starts in.

That a program lies in an environment does not mean that it runs there. What counts is an
interpreter that is the environment's own, or what can be read out of a shell's lines. No process is
started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from ..model.environment import TOOLS, Environment, prefix_of_name
from ..model.errors import UnknownEnvironment
from ..model.options import OptionTable
from ..model.shell import PASSING_ON, SHELLS, Operator, ShellCommand, Word, parse
from .detect import detect, find, is_conda_prefix

UNSAID = "its command line does not say which."


class Seen(NamedTuple):
    """The context of a command line."""

    own: str  #: the prefix of the server, whose programs are the first on its PATH
    #: the variables that it is known to start with; PATH only where that is set for it
    environ: Mapping[str, str] = {}
    folder: str = ""  #: the working folder; empty where only the run knows it
    active: Environment | None = None  #: where a bare name leads, if an environment is active
    unclear: str = ""  #: why a bare name leads nowhere that is known; empty if it leads somewhere
    #: the conda whose environments the names are: empty for the usual one, None if only the run
    #: knows it
    root: str | None = ""


_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*(?:[dmt]|-\w+)?")
_KERNEL = re.compile(
    r"R|Rscript|ir|julia|octave(?:-cli)?|sage|x(?:c|cpp|eus\w*|lua|python|r|sqlite)"
)
"""Programs that are kernels, or interpreters that run one, of their own environment."""

_MODULES = re.compile(
    r"(?:^|[._-])(?:remote\w*|ssh\w*|docker\w*|kube\w*|k8s|spark\w*|livy|slurm\w*|poetry|pixi|uv|hatch"
    r"|pipenv|pyenv|pdm|rye|juv|virtualenv|runner|launch\w*|tunnel|provision\w*|proxy|gateway|ec2"
    r"|singularity|apptainer|podman|conda)(?:[._-]|$)"
)
"""Modules that start a kernel elsewhere; ``ipykernel_launcher`` alone starts its own."""


def by_command(argv: Sequence[str], seen: Seen) -> Environment | None:
    """Return the environment of a command line; None if it does not say which.

    Raises:
        UnknownEnvironment: It names a program or an environment that is not here.
        JStackMagicError: conda's configuration is broken.
    """
    if not argv or "$" in argv[0] or "`" in argv[0]:
        return None
    command, *arguments = argv
    name = os.path.basename(command)
    if name == "env":
        return by_command(*_after_env(arguments, seen))
    if name in SHELLS:
        return _by_shell(arguments, seen)
    if name in TOOLS and "run" in arguments:
        return _by_conda_run(command, arguments, seen)
    if name in ("eval", "source", "."):
        return None
    if name in PASSING_ON:
        starts = (at for at, word in enumerate(arguments) if _is_start(os.path.basename(word)))
        return by_command(arguments[next(starts, len(arguments)) :], seen)
    return _by_program(command, arguments, seen)


def is_marked(folder: str) -> bool:
    """Return whether a folder says that it is an environment, as only system Pythons do not."""
    return is_conda_prefix(folder) or os.path.isfile(f"{folder}/pyvenv.cfg")


def starts_another(arguments: Sequence[str]) -> bool:
    """Return whether the program that Python runs may start the kernel somewhere else."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("-W", "-X"):
            del rest[:1]
        elif word == "-m" or re.match(r"-[A-Za-z]*m$", word):
            module = rest[0] if rest else ""
            return module != "ipykernel_launcher" and bool(_MODULES.search(module))
        elif re.match(r"-[A-Za-z]*c$", word):
            code = rest[0] if rest else ""
            starts = re.search(r"subprocess|Popen|os\.(?:exec|spawn|system)|paramiko", code)
            return starts is not None or "kernel" not in code.lower()
        elif "/" in word or word.endswith(".py"):
            script = word.rpartition("/")
            if script[2] == "ipykernel_launcher.py" or script[0].endswith("/ipykernel"):
                return False
            return not _is_kernel(_text_of(word))
    return False


def _is_start(name: str) -> bool:
    return _runs(name) or name in ("env", *SHELLS, *TOOLS)


def _runs(name: str) -> bool:
    return bool(_PYTHON.fullmatch(name) or _KERNEL.fullmatch(name))


def _by_program(command: str, arguments: Sequence[str], seen: Seen) -> Environment | None:
    """Return the environment of an interpreter; other programs in one may run another's.

    So ``pixi run`` and ``poetry run`` show nothing, wherever pixi and poetry are installed. An
    interpreter is inside its environment, at any depth: ``PREFIX/lib/R/bin/R``.
    """
    if seen.unclear and "/" not in command:
        raise UnknownEnvironment(seen.unclear)
    if seen.active is not None and "/" not in command:
        if not (_runs(command) or command in ("ipython", "ipython3")):
            return None
        is_other = _PYTHON.fullmatch(command) and starts_another(arguments)
        return None if is_other else seen.active
    path = _located(command, seen)
    links = tuple(_links(path))
    names = [os.path.basename(link) for link in links]
    # a shim is a link to another program, which looks for an interpreter
    name = next(filter(_runs, names), "") if _runs(names[-1]) else ""
    beside = {os.path.dirname(os.path.dirname(link)) for link in links}
    first = _text_of(path, limit=_LONGEST_LINE).partition("\n")[0]
    if first.startswith("#!") and not (name and any(map(is_marked, beside))):
        return _by_script(path, arguments, first, seen)
    if not name or (_PYTHON.fullmatch(name) and starts_another(arguments)):
        return None
    for location in links:
        for folder in Path(location).parents:
            # Python looks for a pyvenv.cfg where it was called, not where a link leads
            if (is_marked if location == path else is_conda_prefix)(str(folder)):
                return detect(folder)
    if _PYTHON.fullmatch(name):
        return detect(os.path.dirname(os.path.dirname(os.path.realpath(path))))
    return None


def _links(path: str) -> Iterator[str]:
    """Yield a path and its link targets one by one: a link may lead through an environment."""
    seen: set[str] = set()
    while path not in seen:
        seen.add(path)
        yield path
        if os.path.islink(path):
            path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    if (real := os.path.realpath(path)) not in seen:
        yield real


def _located(command: str, seen: Seen) -> str:
    from shutil import which

    if "/" not in command:
        searched = seen.environ.get("PATH")
        beside = f"{seen.own}/bin/{command}"
        path = beside if searched is None and os.path.exists(beside) else None
        path = path or which(command, path=searched)
    else:
        path = _absolute(command, seen)
        path = path if os.path.exists(path) else None
    if path is None:
        raise UnknownEnvironment(f"there is no {command}.")
    return path


def _absolute(path: str, seen: Seen) -> str:
    if os.path.isabs(path):
        return path
    if not seen.folder:
        raise UnknownEnvironment(f"{path} depends on the folder that it is started in.")
    return os.path.normpath(os.path.join(seen.folder, path))


# Scripts


_LONGEST_LINE = 256  # characters of a script's first line, as Linux reads it
_LONGEST_SCRIPT = 65_536  # characters; a helper script has a few lines


def _text_of(path: str, *, limit: int = _LONGEST_SCRIPT) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:
        return ""


def _is_kernel(script: str) -> bool:
    """Return whether a Python script is a kernel: a program's entry point is not one."""
    return bool(re.search(r"^(?:from|import) (?:ipykernel|IPython)\b", script, re.MULTILINE))


def _by_script(path: str, arguments: Sequence[str], first: str, seen: Seen) -> Environment | None:
    """Return the environment in a helper script."""
    words = first[2:].split()
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    interpreter = os.path.basename(words[0]) if words else ""
    script = _text_of(path)
    if interpreter in SHELLS:
        return _by_commands(script, path, arguments, seen)
    if _PYTHON.fullmatch(interpreter) and _is_kernel(script):
        return _by_program(words[0], (), seen)
    return None


# Programs that start another


_RUN = OptionTable.of(
    valued="-n/--name -p/--prefix -r/--root-prefix --cwd -a/--attach -e/--env --label --rc-file"
)
"""The options of ``conda run`` and of micromamba's that a value follows."""


def _by_conda_run(conda: str, arguments: Sequence[str], seen: Seen) -> Environment | None:
    """Return the environment of ``conda run -n NAME ...`` and ``conda run -p PREFIX ...``."""
    given, rest = _options(_RUN, arguments)
    if rest[:1] != ["run"]:
        return None
    more, argv = _options(_RUN, rest[1:])
    given |= more
    root = given.get("--root-prefix", "")
    if os.path.basename(conda) == "micromamba":
        variables = {**os.environ, **seen.environ}
        root = root or variables.get("MAMBA_ROOT_PREFIX", "")
    root = root or _root_of(conda)
    seen = seen._replace(folder=given.get("--cwd", seen.folder), root=root or seen.root)
    if "--prefix" in given:
        chosen = detect(_absolute(given["--prefix"], seen))
    elif "--name" in given:
        chosen = _named(given["--name"], seen)
    else:
        return by_command(argv, seen) if argv and "/" in argv[0] else None
    return by_command(argv, seen._replace(active=chosen, unclear=""))


def _options(table: OptionTable, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the values of options, and the words from the first that is none."""
    given, rest = {}, []
    for name, _, at, begin in table.walk(words, leading=True):
        if name:
            given[name] = "" if at is None else words[at][begin:]
        elif at is not None:
            rest.append(words[at])
    return given, rest


def _root_of(conda: str) -> str:
    """Return the root of a conda that is named by its path; empty without one."""
    root = os.path.dirname(os.path.dirname(conda))
    return root if os.path.isabs(conda) and is_conda_prefix(root) else ""


def _named(name: str, seen: Seen) -> Environment:
    """Return the environment that a name or prefix is for the conda that counts there."""
    if "/" in name:
        return detect(_absolute(name, seen))
    if seen.root is None:
        raise UnknownEnvironment(f"only the run knows of which conda {name} is an environment.")
    for root in (seen.root, os.path.expanduser("~/.conda")) if seen.root else ():
        prefix = prefix_of_name(root, name)
        if is_conda_prefix(prefix):
            return detect(prefix)
    found = find(name=name)
    if seen.root and os.path.realpath(found.root or "") != os.path.realpath(seen.root):
        raise UnknownEnvironment(f"{seen.root} has no environment {name}.")
    return found


def _after_env(arguments: Sequence[str], seen: Seen) -> tuple[Sequence[str], Seen]:
    """Return what ``env`` would run, after its options, with what it sets."""
    rest, environ, folder = list(arguments), dict(seen.environ), seen.folder
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        word = rest.pop(0)
        if word in {"-u", "--unset"}:
            del rest[:1]
        elif word in {"-C", "--chdir"}:
            folder = rest.pop(0) if rest else folder
        elif word in {"-S", "--split-string"} and rest:
            commands = [each for each in parse(rest.pop(0)) if isinstance(each, ShellCommand)]
            rest[:0] = [word.text for word in commands[0].words] if commands else []
        elif not word.startswith("-"):
            name, _, value = word.partition("=")
            environ[name] = os.path.expandvars(value)
    return rest, seen._replace(environ=environ, folder=folder)


# A shell's lines


def _by_shell(arguments: Sequence[str], seen: Seen) -> Environment | None:
    """Return the environment of ``bash -c SCRIPT`` or ``bash FILE``."""
    options = takewhile(lambda word: word.startswith("-"), arguments)
    if any(re.fullmatch(r"--login|-[a-z]*l[a-z]*", option) for option in options):
        seen = seen._replace(active=None, unclear=UNSAID)  # its profile sets PATH
    at = [at for at, each in enumerate(arguments) if re.fullmatch(r"-[a-z]*c", each)]
    if at:
        script, *given = [*arguments[at[0] + 1 :], "", ""][:-1]
        return _by_commands(script, given[0] if given else "", given[1:], seen)
    files = [at for at, each in enumerate(arguments) if not each.startswith("-")]
    if not files:
        return None
    file = _absolute(arguments[files[0]], seen)
    return _by_script(file, arguments[files[0] + 1 :], "#!/bin/sh", seen)


def _by_commands(script: str, name: str, given: Sequence[str], seen: Seen) -> Environment | None:
    """Return the environment of the program that a script ends with, or is replaced by.

    It is the last one; if another may be it, by a condition, none is.
    """
    shell = _Shell(seen, list(given), {"0": name, "HOME": os.path.expanduser("~"), **seen.environ})
    last: tuple[_Line, list[str], Seen] | None = None
    others = 0
    for command in _commands_of(script):
        words, there = shell.run(command)
        if words:
            others += last is not None and last[1][0] == "exec"
            last = (command, words, there)
            if words[0] == "exec" and not command.may_run:
                break
    if last is None or others or last[0].is_branch:
        return None
    _, words, there = last
    return by_command(_after_exec(words) if words[0] == "exec" else words, there)


def _after_exec(words: Sequence[str]) -> list[str]:
    return _options(OptionTable.of(valued="-a"), words[1:])[1]


class _Line(NamedTuple):
    """One command of a script."""

    words: tuple[Word, ...]
    may_run: bool  #: whether something decides if the shell runs it, or another shell does
    is_branch: bool  #: whether another command may run in its place


_OPENING = ("if", "for", "while", "until", "case", "select", "{")
_CLOSING = ("fi", "done", "esac", "}")
_KEYWORDS = (*_OPENING, *_CLOSING, "then", "else", "elif", "do", "!", "time")
_TESTS = ("[", "[[", "test", "command", "which", "type", "hash", "grep")


def _commands_of(script: str) -> Iterator[_Line]:
    depth, parentheses, before, tested = 0, 0, "", False
    items = parse(script)
    for item, after in zip(items, (*items[1:], None), strict=True):
        if isinstance(item, Operator):
            parentheses = max(parentheses + {"(": 1, ")": -1}.get(item.text, 0), 0)
            before = item.text
            continue
        words = item.words
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            word, *rest = words
            depth = max(depth + (word.text in _OPENING) - (word.text in _CLOSING), 0)
            words = () if word.text in ("for", "case", "select") else tuple(rest)
        is_piped = isinstance(after, Operator) and after.text in ("|", "|&")
        is_branch = depth + parentheses > 0 or before in ("||", "|", "|&")
        tested = is_branch or (before == "&&" and tested)
        if words:
            yield _Line(words, tested or is_piped, is_branch)
        tested = tested or bool(words and words[0].text in _TESTS)


_HARMLESS = re.compile(
    r"echo|printf|set|umask|ulimit|mkdir|sleep|true|:|trap|test|\[|\[\[|hash|stty|shopt|exit|return"
    r"|wait|date|hostname|pwd|ls|cat|tee|logger|touch|chmod|rm|kill|which|type|command"
)
"""Commands that leave alone which Python is found, and are no kernel."""

_HOOK = re.compile(r"shell\.\w+ hook|shell (?:-s \w+ )?hook")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=")
_DECLARING = ("export", "declare", "typeset", "local", "readonly")


@dataclass
class _Shell:
    """A shell that reads a script: where a bare name leads, and its variables."""

    seen: Seen
    arguments: list[str]
    values: dict[str, str]

    def run(self, command: _Line) -> tuple[list[str], Seen]:
        """Follow a command; return the words of the program that it starts, and its context."""
        seen, values = self.seen, dict(self.values)
        hooks = [hook for word in command.words if (hook := _hook(word))]
        words = self._filled(command.words)
        if not words:
            return [], seen
        assigned = [_ASSIGNED.match(word) for word in words]
        own = len(list(takewhile(bool, assigned)))
        for word in words[:own] if words[own:] else ():
            self._assign(word)
        started = words[own:]
        there = self.seen
        if started:
            self.seen, self.values = seen, values
        if hooks:
            conda = self._fill(hooks[0])
            is_root = os.path.isabs(conda) and not conda.endswith("/micromamba")
            self._chosen(None if "$" in conda else _up(conda, 2) if is_root else "")
        elif self._follow(started or words):
            started = []
        elif "/" not in started[0] and not _runs(started[0]):
            self._lost()  # it may be a function
        if command.may_run and (seen, values) != (self.seen, self.values):
            self._lost()
            same = self.seen.root == seen.root and self.seen.folder == seen.folder
            self.seen = self.seen if same else self.seen._replace(root=None, folder="")
            self.values = dict(self.values.items() & values.items())
        return [] if hooks else started, there

    def _follow(self, words: Sequence[str]) -> bool:
        """Follow a command that starts no program; return False for others."""
        first, *rest = words
        match os.path.basename(first):
            case "cd":
                self._enter(next((word for word in rest if not word.startswith("-")), "~"))
            case "shift":
                del self.arguments[: int(rest[0]) if rest and rest[0].isdecimal() else 1]
            case "unset":
                for word in rest:
                    self.values.pop(word, None)
            case "module" | "ml":
                self._lost()
                self.seen = self.seen._replace(root=None)
            case "source" | "." if rest:
                return self._source(*rest[:2])
            case "conda" | "mamba" | "micromamba" if rest[:1] == ["activate"]:
                self._chosen(_root_of(first))
                self._activate(next((w for w in rest[1:] if not w.startswith("-")), "base"))
            case "exec":
                return not _after_exec(words)
            case name if _ASSIGNED.match(first) or name in _DECLARING:
                for word in words:
                    self._assign(word)
            case name:
                return bool(_HARMLESS.fullmatch(name))
        return True

    def _source(self, script: str, target: str = "") -> bool:
        folder, name = os.path.split(script)
        if re.fullmatch(r"(?:conda|mamba)\.sh", name):
            real = script if is_conda_prefix(_up(script, 3)) else os.path.realpath(script)
            self._chosen(None if "$" in script else _up(real, 3))
        elif name == "activate" and target:
            self._chosen(None if "$" in folder else _up(script, 2) if folder else "")
            self._activate(target)
        elif name == "activate" and folder:
            self._activate(os.path.join(".", _up(script, 2)))
        else:
            return False
        return True

    def _activate(self, target: str) -> None:
        if "$" in target or "`" in target:
            self._lost()
            return
        try:
            active = _named(target, self.seen)
        except UnknownEnvironment as error:
            self._lost(error.problem)
        else:
            self.seen = self.seen._replace(active=active, unclear="")
            if os.path.isdir(f"{active.prefix}/envs"):
                self._chosen(active.prefix)

    def _lost(self, reason: str = UNSAID) -> None:
        self.seen = self.seen._replace(active=None, unclear=reason)

    def _chosen(self, root: str | None) -> None:
        if root != "":
            self.seen = self.seen._replace(root=root)

    def _enter(self, folder: str) -> None:
        folder = os.path.expanduser(folder)
        known = "$" not in folder and (os.path.isabs(folder) or self.seen.folder)
        folder = os.path.normpath(os.path.join(self.seen.folder, folder)) if known else ""
        self.seen = self.seen._replace(folder=folder)

    def _assign(self, word: str) -> None:
        match = _ASSIGNED.match(word)
        if not match:
            return
        name, value = match[1], os.path.expanduser(word[match.end() :])
        if name == "PATH":
            self._search(value)
        elif "$" in value or "`" in value:
            self.values.pop(name, None)
        else:
            self.values[name] = value
            self.seen = self.seen._replace(environ={**self.seen.environ, name: value})
            self._chosen(value if name == "MAMBA_ROOT_PREFIX" else "")

    def _search(self, path: str) -> None:
        """Follow a new PATH: its first Python, and its first conda."""
        for folder in map(os.path.expanduser, path.split(":")):
            if re.fullmatch(r"\$\{?PATH\}?", folder):
                return
            if "$" in folder or "`" in folder:
                self._lost()
                self.seen = self.seen._replace(root=None)
                return
            if any(os.path.exists(f"{folder}/{name}") for name in ("conda", "activate")):
                self._chosen(_root_of(f"{folder}/conda"))
            if any(os.path.exists(f"{folder}/{name}") for name in ("python", "python3")):
                self._activate(_up(folder, 1))
                return

    def _filled(self, words: Sequence[Word]) -> list[str]:
        found: list[str] = []
        for word in words:
            if word.text in ("$@", "$*"):
                found += self.arguments
            elif filled := self._fill(word):
                found.append(filled)
        return found

    def _fill(self, word: Word) -> str:
        """Return a word's text; what only the run knows stays as it is written."""
        known = {**self.values, **{str(at): each for at, each in enumerate(self.arguments, 1)}}
        parts = []
        for text, is_hole, _ in word.pieces():
            of_name = re.fullmatch(r"\$(?:\{(\w+)(?::-([^}$]*))?\}|(\w+))", text)
            if is_hole and of_name:
                text = known.get(of_name[1] or of_name[3]) or of_name[2] or text
            parts.append(text)
        is_home = not word.quoted and word.text.startswith("~")
        return os.path.expanduser("".join(parts)) if is_home else "".join(parts)


def _up(path: str, levels: int) -> str:
    for _ in range(levels):
        path = os.path.dirname(path)
    return path


def _hook(word: Word) -> Word | None:
    """Return the conda whose shell functions a word's command makes; None for other words."""
    for script in word.scripts:
        commands = [each for each in parse(script) if isinstance(each, ShellCommand)]
        words = commands[0].words if len(commands) == 1 else ()
        text = " ".join(each.text for each in words[1:])
        if words and _HOOK.match(text) and os.path.basename(words[0].text) in TOOLS:
            return words[0]
    return None
