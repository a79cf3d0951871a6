"""A cell as IPython runs it: shell escapes, magics, and Python that runs commands."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

from ..model.environment import TOOLS
from ..model.shell import Word, words_of
from ..model.words import listed
from . import Found, Target, calls, own
from .argv import ProgramOptions
from .blocks import Path, alternatives
from .cellsource import SourceLine, code_cells, logical_lines
from .commandlines import READERS, installs_later, recognise, recognise_event
from .effects import load_variables
from .machine import unknown_value
from .others import DOWNLOADERS, IN_CODE, OTHERS, julia_reason, r_reason
from .state import State

_NAMES = sorted({*READERS, *OTHERS, *DOWNLOADERS}, key=len, reverse=True)
_MENTION = re.compile(
    r"install|INSTALL|env(?:remove|replay|undo)"
    rf"|(?<![A-Za-z])(?:{'|'.join(map(re.escape, _NAMES))})(?![A-Za-z])"
    r"|(?:site|dist)-packages|Pkg\.|p_load|py_install|biocLite|pkg_|renv|debconf|pyodide"
    r"|/etc/apt|%sh|%%shell|\.sh\b|%run\b|\bgit\b"
    r"|PIP|CONDA|MAMBA|chdir|%cd|%p(?:ush|op)d|subprocess|get_ipython|(?:import|from)\s+os"
    r"|\A\s*(?:cd|pushd|popd)\b"
)

_SETS = re.compile(
    r"^[ \t]*\w+[ \t]*(?::[^=\n]+)?\+?=|environ|dotenv|%(?:set_)?env\b|%%writefile"
    r"|\A\s*(?:set_)?env[ \t]|^[ \t]*!|^%%(?:\w*sh|script|system|sx)\b"
    r"|>[ \t]*[\w./~-]+\.\w|open\(|write_|shutil|urlretrieve|os\.re|^[ \t]*(?:for|with)\b",
    re.MULTILINE,
)
"""Text that may set something later cells depend on."""

_SHELL_MAGICS = ("sx", "system", "!", "sh", "shell")
_SHELL_CELLS = ("bash", "sh", "zsh", "shell", "ksh", "dash")
_DATABRICKS = re.compile(r"%(?:sh|bash)[ \t]*(?:-e)?[ \t]*\n")
_COMMENT = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\\n])*')|#.*""")
_FORM = re.compile(r"(?:[ \t]*(?:#@.*)?\n)+(?=%%)")
_WRITES = ("writefile", "file")
_TIMED = ("time", "timeit", "prun", "memit", "capture", "debug", "mprun", "lprun", "notify")
"""Magics whose line or cell is Python, or IPython's, itself."""

_PYTHON_CELLS = (*_TIMED, "python", "python2", "python3", "pypy", "pypy3")
_TEXT_CELLS = listed(
    """
    html HTML javascript js latex markdown svg SVG cython css sql
    writetemplate octave fortran
    """
)
"""Cells in which an install is only text, or another language's."""

_ALIASED = ProgramOptions.of(valued="-p/--params", flags="-l/--line -c/--cell")
_PACKAGING = ("pip", "uv")
_STATE_MAGICS = ("cd", "pushd", "popd", "env", "set_env", "dotenv")
_OURS = [f"env{verb}" for verb in own.VERBS]
_AUTOMAGIC = (
    *(*_PACKAGING, *TOOLS, *_OURS, *_STATE_MAGICS, *_TIMED),
    *("sx", "system", "shell", "run"),
)
_KERNEL = "{sys.executable}"


def mentions_install(source: str) -> bool:
    """Return whether a cell is worth reading: of one that is not, nothing would be found."""
    return _MENTION.search(source) is not None


class CellReader:
    """Read the cells of one session or notebook, in order: what one sets holds for the next.

    Args:
        folder: The working folder; None if known only at run time.
        notebook: Whether the text is a notebook's cell, rather than a plain script.
    """

    def __init__(self, *, folder: str | None = ".", notebook: bool = True) -> None:
        self.state = State(folder=folder)
        self.state.python = self._value
        self.notebook = notebook
        self.state.names = calls.KnownNames()
        self._running: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._tree: ast.Module | None = None

    @property
    def folder(self) -> str | None:
        """The working folder; None if known only at run time."""
        return self.state.folder

    def _value(self, hole: str) -> Word | None:
        """Return what IPython fills in for ``{expression}``, ``$name`` and ``$name.attribute``."""
        if hole.startswith("{"):
            return calls.value_of(hole[1:-1], self.state.names.values)
        name = hole[1:]
        if not re.fullmatch(r"[\w.]+", name) or name[0].isdigit():
            return None
        return calls.value_of(name, self.state.names.values)

    def read(self, source: str) -> Iterator[Found]:
        """Yield the installs and removals of one cell, in their order."""
        known = bool(self.state.machine.files or self._aliases)  # one of them may be run
        if not (known or mentions_install(source) or _SETS.search(source)):
            return
        text = source.replace("\r\n", "\n")
        self.state.effort.begin(text)
        body = text.lstrip("\n \t")
        line = 1 + text[: len(text) - len(body)].count("\n")
        if body.startswith("%%"):
            yield from self._cell_magic(body, line)
        elif form := _FORM.match(text):
            body, line = text[form.end() :], 1 + form[0].count("\n")
            note = f"Colab alone takes {body.split()[0]} below #@."
            for found in self._cell_magic(body, line):
                yield replace(found, note=f"{note} {found.note}".rstrip())
        elif _DATABRICKS.match(body):  # its cell magics have one %
            yield from self._cell_magic(f"%{body}", line)
        elif self._is_automagic(body):
            yield from self._magic(*_divided(body.strip()), line=line, typed=body.strip())
        else:
            yield from self._python(text)

    def _is_automagic(self, body: str) -> bool:
        """Return whether the cell is one line that IPython takes for a magic without its ``%``."""
        line = body.strip()
        return (
            self.notebook
            and "\n" not in line
            and _divided(line)[0] in (*_AUTOMAGIC, *self._aliases)
            and (line == "popd" or calls.parse(line) is None)
        )

    def _moved(self, found: Iterator[Found], lines: int) -> Iterator[Found]:
        """Yield finds whose text begins so many lines below the first."""
        machine = self.state.machine
        machine.above += lines
        finds = list(found)
        machine.above -= lines
        yield from (replace(each, line=each.line + lines) for each in finds)

    # -- cells in another language, or under a magic

    def _cell_magic(self, text: str, line: int) -> Iterator[Found]:
        first, _, body = text.partition("\n")
        name, rest = _divided(first[2:])
        yield from self._cell(name, rest, body, line=line + 1)

    def _cell(self, name: str, rest: str, body: str, *, line: int) -> Iterator[Found]:
        """Yield the finds under a cell magic, whose body begins at ``line``."""
        shown = f"%%{name}"
        if name == "script":
            rest = re.sub(r"^(?:--(?:(?:out|err|proc)[ =]\S+|\S+)\s+)*", "", rest)
            words = [word for word in rest.split() if not word.startswith("-")]
            name = os.path.basename(words[0]) if words else ""
            shown = f"{shown} {name}"
            if name in ("false", "true", "echo", ":", "cat"):  # the cell is text to them
                return
            if name in ("sudo", "env", "nice", "conda", "su"):
                end = "END_OF_CELL"
                script = f"{rest} <<'{end}'\n{body}\n{end}"
                yield from recognise(script, state=self.state, line=line - 1)
                return
        if name in _SHELL_CELLS:
            said = words_of(f"{name} {rest}" if name != "shell" else "", braces=True)
            shell = [each for word in said for each in self.state.words(word)]
            yield from recognise(body, state=self.state, line=line, shell=shell)
        elif name in _SHELL_MAGICS:
            yield from recognise(body, state=self.state, line=line, braces=True)
        elif name in _WRITES:
            yield from self._write(rest, body, line)
        elif name in ("R", "julia"):
            yield from foreign(name, body, line)
        elif name in _PYTHON_CELLS:
            yield from self._moved(self._inner(self.read(body), body, shown), line - 1)
        elif name == "envinstall":
            yield from self._moved(
                self._own(name, rest, body, f"%%{name} {rest}".rstrip()), line - 2
            )
        elif name in ("perl", "ruby"):
            for number, text in enumerate(body.split("\n"), start=line):
                if IN_CODE.search(text):
                    reason = f"%%{name} runs it, in a way that is not read here."
                    yield Found(text.strip(), number, reason=reason)
        elif name in _AUTOMAGIC:
            reason = f"IPython has no %%{name}; %{name} takes a line of its own."
            yield Found(f"%%{name} {rest}".rstrip(), line - 1, reason=reason)
        elif name not in _TEXT_CELLS:
            reason = f"It stands under {shown}, and what that does with it is not known here."
            for found in self._moved(self._python(body), line - 1):
                yield replace(found, request=None, reason=reason)

    def _write(self, rest: str, body: str, line: int) -> Iterator[Found]:
        """Apply ``%%writefile [-a] FILE``."""
        words = rest.split()
        names = [word.strip("'\"") for word in words if not word.startswith("-")]
        if names:
            path = self.state.path_of(Word(names[0]))
            by = f"%%writefile, {self.state.machine.at(line - 1)},"
            text = body if body.endswith("\n") else f"{body}\n"
            reason = self.state.machine.wrote(path, text, append="-a" in words, by=by)
            if reason := reason or installs_later(path, text, self.state):
                yield Found(f"%%writefile {rest}", line - 1, reason=reason)

    # -- Python

    def _python(self, text: str) -> Iterator[Found]:
        """Yield the finds of a cell, or if Python cannot read it, of each line it can."""
        lines = list(logical_lines(text))
        source = "".join(line.python for line in lines)
        tree = self._tree = calls.parse(source)
        finds: list[tuple[Found, Path]] = []

        def run(step: calls.Event | SourceLine, path: Path, number: int = 0) -> None:
            if isinstance(step, SourceLine):
                found, number = self._escape(step.text), step.number
            else:
                found, number = self._found(step), number or step.line
                found = (replace(each, line=1) for each in found)
            finds.extend((each, path) for each in self._moved(found, number - 1))

        def run_alone(number: int, step: calls.Event | SourceLine, _: Path) -> None:
            run(step, (), number)

        escaped = [line for line in lines if line.escaped]
        if not calls.walk(tree, source, self.state, run, escaped):
            finds.clear()
            for line in lines:
                typed = line.text.strip()
                if line.escaped:
                    run(line, ())
                elif mentions_install(typed):
                    here = partial(run_alone, line.number)
                    if not calls.walk(*calls.parse_line(typed), self.state, here):
                        refused = self._moved(self._unreadable(typed), line.number - 1)
                        finds += [(found, ()) for found in refused]
        finds.sort(key=lambda each: each[0].line)  # an else is run before an except
        yield from alternatives(finds)

    def _unreadable(self, typed: str) -> Iterator[Found]:
        """Yield the finds of a line that Python refuses, such as a command without ``!``."""
        if typed.split()[0] in READERS and any(recognise(typed, folder=self.folder)):
            yield Found(typed, reason="Without ! or % before it, Python refuses the line.")
        elif re.search(r"[:;]\s*[!%]\w", typed):
            yield Found(typed, reason="IPython takes a ! or % at the start of a line alone.")
        elif re.search(r"\b(system|popen|subprocess|check_call|get_ipython)\b", typed):
            yield Found(typed, reason="Python cannot read the line.")

    def _found(self, event: calls.Event) -> Iterator[Found]:
        what, typed = event.what, event.typed
        if isinstance(what, calls.MagicCall) and what.body is not None:
            yield from self._cell(what.name, what.line, what.body, line=2)
        elif isinstance(what, calls.MagicCall):
            yield from self._magic(what.name, what.line, line=1, typed=typed)
        elif isinstance(what, calls.Cell):
            yield from self._inner(self.read(what.text), what.text, typed)
        else:
            yield from recognise_event(event, self.state, typed)

    # -- IPython's lines

    def _escape(self, text: str) -> Iterator[Found]:
        """Yield the finds of a line that begins with ``!`` or ``%``."""
        if text.startswith("!"):
            command = text.lstrip("!")
            yield from recognise(command, state=self.state, braces=True)
            if re.fullmatch(r"\s*(?:\{[^{}]+\}|\$\w+)\s*", command):
                yield from self._any_of(command.strip())
        elif not text.rstrip().endswith("?"):
            name, rest = _divided(text.lstrip("%"))
            finds = self._magic(name, rest, line=1, typed=text.strip())
            if text[1:2].isspace():
                reason = f"IPython takes no blank behind the %. Write %{name}."
                finds = (replace(each, request=None, reason=reason) for each in finds)
            yield from finds

    def _any_of(self, hole: str) -> Iterator[Found]:
        """List what a line that is all in a name may run, if only the run can tell."""
        if (value := self._value(hole)) is not None and not value.holes:
            return
        reason = f"!{hole} may run it; only the run can tell."
        for text, line in calls.installs_in(self._tree, self.state.names.values.values()).items():
            if any(recognise(line, folder=self.folder)):
                yield Found(text, reason=reason)

    def _set_variable(self, rest: str) -> None:
        """Apply ``%env NAME=VALUE`` or ``%set_env NAME VALUE``; a name alone shows it."""
        match = re.match(r"(\w+)\s*(?:=\s*|\s)(.+)", rest, re.DOTALL)
        if match:
            self.state.define(match[1], self._expanded(match[2].strip()))

    def _expanded(self, text: str) -> Word:
        """Return a line magic's argument with what IPython fills in."""
        words = words_of(f'"{text}"', braces=True)
        return self.state.value(words[0]) if len(words) == 1 else Word(text)

    def _magic(self, name: str, rest: str, *, line: int, typed: str) -> Iterator[Found]:
        found: Iterator[Found] = iter(())
        script: str | None = None
        name, _, text = self._aliases.get(name, name).partition(" ")
        if text and name != "!":
            rest, text = f"{text} {rest}", ""
        if text:
            script = text.replace("%s", rest) if "%s" in text else f"{text} {rest}"
        elif name in ("alias", "alias_magic"):
            self._alias(name, rest)
        elif name in _PACKAGING:
            script = f"{_KERNEL} -m {name} {rest}"
        elif name in TOOLS:
            found = self._conda(name, rest, typed)
        elif name in _SHELL_MAGICS:
            script = rest
        elif name in ("R", "julia"):
            found = foreign(name, rest, 1, command=typed)
        elif name == "run":
            found = self._run(rest, typed)
        elif name in ("env", "set_env"):
            self._set_variable(rest)
        elif name == "dotenv":
            words = [word for word in words_of(rest) if not word.text.startswith("-")]
            file = words[0] if words else Word(".env")
            load_variables(self.state, file, line, override="-o" in rest.split())
        elif name in ("cd", "pushd"):
            self._changed(rest, within=name == "pushd")
        elif name == "popd":
            self.state.leave()
        elif name in _TIMED:
            found = self._timed(rest)
        elif name in _OURS:
            found = self._own(name, rest, None, typed)
        if script is not None:
            found = recognise(script, state=self.state, braces=True, command=typed)
        yield from self._moved(found, line - 1)

    def _alias(self, magic: str, rest: str) -> None:
        """Apply ``%alias NAME COMMAND`` and ``%alias_magic NAME MAGIC``."""
        if magic == "alias":
            name, _, command = rest.strip().partition(" ")
            if command:
                self._aliases[name] = f"! {command.strip()}"
            return
        given = _ALIASED.read(map(Word, rest.split()))
        if len(given.words) > 1:
            name, aliased = (word.text.lstrip("%") for word in given.words[:2])
            self._aliases[name] = f"{aliased} {given.last('--params')}".strip()

    def _changed(self, rest: str, *, within: bool) -> None:
        """Apply ``%cd`` and ``%pushd``."""
        path = rest.strip().strip("'\"").removeprefix("-q ").strip()
        back = path.startswith("-")
        word = unknown_value("OLDPWD") if back else self._expanded(path or "~")
        self.state.enter(word, within=within)

    def _own(self, name: str, rest: str, body: str | None, typed: str) -> Iterator[Found]:
        for found in own.requests(name[3:], rest, body, command=typed, folder=self.folder):
            prefix = found.target.prefix and self.state.path_of(Word(found.target.prefix))
            yield replace(found, target=replace(found.target, prefix=prefix))

    def _run(self, rest: str, typed: str) -> Iterator[Found]:
        """Yield the finds of a script that ``%run`` reads into this session."""
        names = [word for word in rest.split() if not word.startswith("-")]
        name = names[0].strip("'\"") if names else ""
        path = self.state.path_of(Word(name))
        readable = name.endswith((".py", ".ipy", ".ipynb"))
        text = self.state.machine.text(path) if readable else None
        if text is not None and path not in self._running:
            self._running.add(path)
            sources = _sources(text) if name.endswith(".ipynb") else [text]
            finds = (each for source in sources for each in self.read(source))
            for found in self._inner(finds, text, typed):
                yield replace(found, line=1)
            self._running.discard(path)
        elif text is None and re.search(r"install|setup|requirement|depend", name):
            yield Found(typed, reason=f"What {name} installs is not seen here.")

    def _conda(self, name: str, rest: str, typed: str) -> Iterator[Found]:
        """IPython's ``%conda`` takes the quotes off and gives the line to a shell as it is then."""
        try:
            words = shlex.split(rest)
        except ValueError as error:
            yield Found(typed, reason=f"IPython cannot split the line: {error}.")
            return
        quotes = re.search("['\"]", rest)
        here = Target(prefix="{sys.prefix}")
        state = replace(self.state.subshell(), target=here, conda=here)
        for found in recognise(" ".join([name, *words]), state=state, braces=True, command=typed):
            lost = f"IPython's %{name} loses the quotes. {found.note}".rstrip()
            yield replace(found, note=lost) if quotes and (found.note or found.reason) else found

    def _timed(self, rest: str) -> Iterator[Found]:
        """Yield the finds of the statement after the options: ``%time !pip install six``."""
        words = rest.split(" ")
        while words and words[0].startswith("-"):
            words.pop(0)
            if words and words[0].isdigit():  # -n 1
                words.pop(0)
        statement = " ".join(words)
        escaped = statement.startswith(("!", "%"))
        finds = self._escape(statement) if escaped else self._python(statement)
        yield from self._inner(finds, statement, statement)

    def _inner(self, finds: Iterator[Found], text: str, typed: str) -> Iterator[Found]:
        """Yield the finds of a text that a line or a cell runs, if it is not too much."""
        yield from self.state.effort.followed(finds, len(text), Found(typed), text=text)


def foreign(language: str, code: str, line: int, *, command: str = "") -> Iterator[Found]:
    """Give an install in another language's code, with the reason."""
    why = r_reason if language.lower() in ("r", "ir") else julia_reason
    bare = _COMMENT.sub(r"\1", code).split("\n")
    starts = [at for at, text in enumerate(bare) if why(text)]
    for at, end in pairwise((*starts, len(bare))):
        reason = why("\n".join(bare[at:end]))  # what it names may stand on the lines after it
        yield Found(command or code.split("\n")[at].strip(), line + at, reason=reason)


def _sources(notebook: str) -> list[str]:
    """Return the code cells of a notebook's text; none of one that cannot be read."""
    try:
        return code_cells(json.loads(notebook))
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _divided(text: str) -> tuple[str, str]:
    name, _, rest = text.strip().partition(" ")
    return name, rest.strip()
