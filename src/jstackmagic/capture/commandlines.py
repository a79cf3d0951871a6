"""A command line followed to the programs it runs: through chains, wrappers and activations."""

from __future__ import annotations

import os
import re
import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from ..model.environment import TOOLS
from ..model.shell import (
    MAX_DEPTH,
    PASSING_ON,
    SHELLS,
    Operator,
    Redirection,
    ShellCommand,
    Word,
    parse,
    words_of,
)
from ..model.spec import turned
from . import Found, Target, calls, effects, others
from .argv import Call, Pipe, program_name
from .blocks import Course, Path, alternatives
from .cellsource import SourceLine
from .conda_tools import conda, configure, keeps
from .debian_tools import apt, dpkg
from .handed import file_of
from .machine import BASH_FILES
from .others import DOWNLOADERS
from .own import MAGICS, jstackmagic
from .python_tools import builds, pip, pipx, uv
from .state import NESTED, State, joined
from .wrappers import unwrapped

READERS: dict[str, Callable[[Call], Iterator[Found]]] = {
    "pip": pip,
    "uv": uv,
    "pipx": pipx,
    **dict.fromkeys(TOOLS, conda),
    **dict.fromkeys(("apt", "apt-get", "aptitude", "apt-fast", "nala"), apt),
    "dpkg": dpkg,
    **dict.fromkeys(("jstackmagic", *MAGICS), jstackmagic),
}
"""The programs whose requests can be read."""

_PROGRAMS = frozenset(
    name.lower()
    for name in (
        *(*READERS, *others.INSTALLERS, *PASSING_ON, *others.REMOTE),
        *(*SHELLS, *DOWNLOADERS, "python", "py", "sudo", "env", "su", "source"),
    )
)
"""Programs that an unread program may be given to run."""

_MAY_INSTALL = re.compile(
    r"install|conda|mamba|forge|setup|env|dep|requirement|provision|bootstrap|package",
    re.IGNORECASE,
)
"""Names of unseen scripts that may install something."""

_RC = re.compile(r"(?:\.sh|rc|profile|_login)$")
"""Files that a shell reads, whatever their first line says."""

_NOT_RUN = re.compile(r"^/tmp/|\.(?:md|rst|txt)$")
"""Files that nothing runs: those on their way to another place, and texts."""

_LATER = ("at", "batch", "crontab")
"""Programs that run what flows into them at another time."""

_WINDOWS = re.compile(r"[\w.:~-]+(?:\\[\w. -]+?)*\\(?:pip|python|conda|mamba|uv)[\w.]*(?=\s)")
"""A program by a path as Windows writes it."""

_CONDA_SH = "/etc/profile.d/conda.sh"
_FROM_NETWORK = "It runs a script as it comes from the network."


def recognise(
    text: str,
    *,
    state: State | None = None,
    folder: str | None = ".",
    braces: bool = False,
    shell: Sequence[Word] = (),
    line: int = 1,
    command: str = "",
) -> Iterator[Found]:
    """Yield the installs and removals in shell text, in their order.

    Args:
        state: The state after the lines before; settings and files that these lines
            leave are added to it.
        braces: Whether ``{expression}`` is filled in by Python before the shell sees it.
        shell: The words of the shell that runs it, as in a Dockerfile's ``SHELL``, with the
            arguments behind ``-s``; by default one that reads no files of its own.
        line: The number of the text's first line.
        command: The command as typed; by default its part of the text.
    """
    state = state or State(folder=folder)
    python = state.python if braces else None
    name = os.path.basename(shell[0].text) if shell else "bash"
    if name not in SHELLS:  # SHELL ["conda", "run", "-n", "NAME", "bash", "-c"]
        words = [*shell, Word(text, quoted=True)]
        yield from recognise_argv(words, state=state, line=line, command=command or text)
        return
    state.effort.begin(text)
    walker = _Walker(text, braces=braces, line=line, typed=command)
    inner = replace(state.process(), python=python)
    inner.variables.update(_given_to_input(shell))
    yield from walker.script(inner, name, shell[1:])


def recognise_argv(
    words: Sequence[Word],
    *,
    state: State | None = None,
    line: int = 1,
    command: str = "",
) -> Iterator[Found]:
    """Yield the finds of one call whose words no shell has read; see `recognise`."""
    if words:
        typed = command or " ".join(word.text for word in words)
        walker = _Walker("", braces=False, line=line, typed=typed)
        state = (state or State()).process()
        call = walker.call(tuple(words), typed, line, state, {})
        yield from walker.run(call, state)


def installs_later(path: str, text: str | None, state: State) -> str:
    """Return the reason for listing a file that installs when it is run; empty for others.

    Args:
        text: Its text; None if it is not seen.
    """
    if not others.RUN_LATER.search(path) or _NOT_RUN.search(path):
        return ""
    started = "when a server, a shell or a timer starts it"
    if text is None:
        return f"What {path} does {started} is not seen here."
    is_shell = effects.shell_of(text) in SHELLS or _RC.search(path)
    in_code = not is_shell and others.IN_CODE.search(re.sub(r"(?m)^\s*#.*", "", text))
    inner = state.snapshot()
    finds = recognise(text, state=inner)
    finds = inner.effort.followed(finds, len(text), Found(path))
    if not (in_code or any(finds)):
        return ""
    return f"{path} installs {started}, and not here."


def recognise_event(
    event: calls.Event, state: State, typed: str, python: Word | None = None
) -> Iterator[Found]:
    """Yield the finds of a command that Python runs, in the folder and variables it is given.

    Args:
        python: The interpreter that runs it; the kernel's own without one.
    """
    if not isinstance(event.what, (calls.Shelled, calls.Argv, calls.Unread)):
        return
    state = state.subshell()
    if event.folder is not None:
        state.enter(event.folder)
    given = event.variables
    if given is not None:
        if not given.inherits:
            state.unset(*[name for name in state.exported if name not in given.values])
        for name, value in given.values.items():
            state.define(name, value)
    what = event.what
    text = "" if isinstance(what, calls.Unread) else what.text.strip()
    hidden = text and not any(word.strip("{}") in typed for word in text.split())
    for found in _of_call(what, state, typed, python):
        note = "" if given is not None else _UNKNOWN_VARIABLES
        reason = f"{found.reason} It runs: {text}" if found.reason and hidden else found.reason
        yield replace(found, reason=reason, note=f"{note} {found.note}".strip())


_UNKNOWN_VARIABLES = "What env= sets for it is only known when it runs: an index may be among it."


def _of_call(
    what: calls.Shelled | calls.Argv | calls.Unread,
    state: State,
    typed: str,
    python: Word | None,
) -> Iterator[Found]:
    if isinstance(what, calls.Shelled):
        yield from recognise(what.text, state=state, braces=True, command=typed)
    elif isinstance(what, calls.Argv):
        own = python is not None and what.words[:1] == calls.KERNEL_PIP[:1]
        words = (python, *what.words[1:]) if own and python else what.words
        yield from recognise_argv(words, state=state, command=typed)
    elif what.what is None or any(_of_call(what.what, state, typed, python)):
        yield Found(typed, reason=what.reason)


@lru_cache(maxsize=8)
def _newlines(text: str) -> list[int]:
    return [match.start() for match in re.finditer("\n", text)]


@dataclass(frozen=True, slots=True)
class _Walker:
    text: str
    braces: bool
    line: int
    typed: str
    still: bool = False  # whether the text has no lines of its own in the file

    def script(self, state: State, shell: str, words: Sequence[Word]) -> Iterator[Found]:
        """Yield the finds of the text as a script of its own shell, whose files come first."""
        other = effects.shell_of(self.text)
        if other and other not in SHELLS:
            if "install" in self.text:
                reason = f"Its first line gives it to {other}, which is not read here."
                yield Found(self.typed or self.text.strip(), self.line, reason=reason)
            return
        notes = tuple(self._started(state, shell, words))
        if shell == "zsh":
            state.variables["ZSH_VERSION"] = Word("5.9")
        for found in self.walk(state):
            note = " ".join(dict.fromkeys(filter(None, (found.note, *notes))))
            yield replace(found, note=note) if found.request else found

    def _started(self, state: State, shell: str, words: Sequence[Word]) -> Iterator[str]:
        """Run the files that a shell reads when it starts; yield notes on them."""
        login = any(re.fullmatch(r"-[A-Za-z]*[li][A-Za-z]*|--login", word.text) for word in words)
        files = [path for path in state.machine.files if _is_start_file(path, state.home)]
        files = files if login else []
        start = state.variables.get("BASH_ENV")
        if start is not None and shell == "bash" and not login:
            files = [path for path in (state.path_of(start),) if path]
        for path in files:
            text, before = state.machine.text(path), state.target
            if text is None and login:
                by = state.machine.writers.get(path, "")
                yield f"{by} changes {path}, in a way that is not followed."
            if text:
                walker = _Walker(text, False, self.line, f"({path})")
                finds = walker.walk(state)
                for found in state.effort.followed(finds, len(text), Found(path)):
                    if found.command == path:
                        yield found.reason
                if state.target != before:
                    yield f"{path}, which lines before it wrote, says where it goes."

    def walk(self, state: State) -> Iterator[Found]:
        """Yield the finds of the whole text."""
        yield from Course(self, parse(self.text, braces=self.braces)).finds(state)

    def _nested(self, text: str, call: Call, state: State) -> Iterator[Found]:
        walker = _Walker(text, self.braces, call.line, call.command)
        finds = walker.walk(state)
        yield from state.effort.followed(finds, len(text), call.unread(""), text=text)

    def _process(
        self,
        text: str,
        call: Call,
        state: State,
        given: Mapping[str, Word],
        *,
        typed: str = "",
        line: int = 0,
    ) -> Iterator[Found]:
        """Yield the finds of a script that its own shell runs."""
        inner = state.process()
        inner.variables, inner.exported = dict(call.variables), set(call.variables)
        inner.variables.update(given)
        if call.target != Target() or call.program in (*_SUS, "sudo"):
            inner.target = inner.conda = call.target
        typed = call.command if self.typed else typed
        still = not line or self.still
        walker = _Walker(text, self.braces, line or call.line, typed, still)
        finds = walker.script(replace(inner, python=state.python), call.program, call.arguments)
        yield from state.effort.followed(finds, len(text), call.unread(""), text=text)

    # -- one command

    def command(
        self,
        command: ShellCommand,
        words: tuple[Word, ...],
        state: State,
        pipe: Pipe | None,
        following: object,
    ) -> Iterator[Found]:
        """Yield the finds of one command, its words without the shell's own at their head.

        Args:
            following: What stands behind it.
        """
        start = words[0].start if words else command.start
        line = self.line_of(start)
        typed = self.typed or self.text[start : command.end]
        own, words = _assignments(words)
        for word in (*command.words, *_redirected_words(command)):
            for script in word.scripts:
                shown = typed if self.typed or script in typed else script
                call = self.call(words, shown, line, state, {})
                yield from self._nested(script, call, state.subshell())
        if not words:
            for name, (value, adds) in own.items():
                effects.assign(state, name, value, adds=adds)
            return
        filled = {name: state.value(value) for name, (value, _) in own.items()}
        split = words[0].text not in effects.ASSIGNING
        plain = words if self.braces else [each for word in words for each in _braced(word)]
        expanded = tuple(each for w in plain for each in (state.words(w) if split else [w]))
        if not expanded:
            return
        if pipe is not None:
            pipe = replace(pipe, end=command.end)
        note, refusal = self._redirected(command)
        call = self.call(expanded, typed, line, state, filled)
        call = replace(call, pipe=pipe, redirections=command.redirections)
        given = (*expanded, *filled.values())
        cut = self._cut_by_ampersand(command, following)
        call = call.noting(note, cut, *(word.assumption for word in given))
        windows = _WINDOWS.match(self.text, words[0].start)
        refused_whole = bool(command.problem or windows)
        if windows:
            meant = windows[0].replace("\\", "/").replace("/Scripts/", "/bin/").removesuffix(".exe")
            refusal = f"The shell takes the backslashes of {windows[0]} away. Write {meant}"
        elif command.problem:
            refusal = f"The shell refuses it: {command.problem}."
        finds = list(self.run(call, state))
        if refused_whole and not finds and others.may_install(call):
            finds = [call.unread(refusal)]
        for found in finds:
            yield replace(found, request=None, reason=refusal) if refusal else found

    def call(
        self, words: tuple[Word, ...], typed: str, line: int, state: State, own: Mapping[str, Word]
    ) -> Call:
        """Return a call, with the state's values for it."""
        return Call(
            words,
            typed,
            line,
            state.folder,
            state.home,
            state.target,
            variables=state.seen(own),
            own=frozenset(own),
            unexported=tuple(name for name in state.variables if name not in state.exported),
            system=state.target,
            machine=state.machine,
            origins=state.origins,
            root=state.root.prefix,
        )

    def run(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of one call: its own, or those of the command it runs."""
        aimed = False
        if call.words and call.program == "xargs":
            call = self._piped(call)
        for deep, inner in enumerate(unwrapped(call, state)):
            if deep == MAX_DEPTH:
                if "install" in call.command:
                    yield call.unread(NESTED)
                return
            aimed = aimed or inner.target != call.target
            call = inner
        if not call.words:
            return
        name = call.program
        if name in READERS or name in ("python", "py"):
            fed = _with_input(call, state)
            if fed is None:
                yield call.unread("Its list is what flows into it, which is not seen here.")
                return
            call = fed
        if not aimed and name in _AIMED:
            call = _aimed(call, state, name)
        typed = call.words[0].text
        alias = state.variables.get(f"alias {typed}") if "alias" in state.variables else None
        if re.match(r"![\w.]", typed) and others.may_install(call):
            reason = (
                f"The shell has no program {typed}: IPython takes a ! at the line's start alone."
            )
            yield call.unread(reason)
        elif typed in state.functions:
            yield from self._function(typed, call, state)
        elif alias is not None and not alias.holes:
            state.unset(f"alias {typed}")  # one within itself is the program
            rest = " ".join(shlex.quote(word.text) for word in call.arguments)
            yield from self._nested(f"{alias.text} {rest}", call, state)
            state.variables[f"alias {typed}"] = alias
        elif name in (*SHELLS, "su", "eval") or (name == "runuser" and _script(call)[0]):
            yield from self._shell(call, state)
        elif name in ("python", "py", "pypy"):
            yield from self._python(call, state)
        elif name in ("source", "."):
            yield from self._sourced(call, state)
        elif name in effects.READING:
            effects.read(call, state)
        elif (
            name in TOOLS and (_activates(call, state) or configure(call) or keeps(call))
        ) or effects.of_command(call, state):
            yield from self._written(call, state) if name == "git" else ()
            return
        elif (script := state.program(call.words[0])) and self._is_script(script, state):
            yield from self._file(script, call, state)
        else:
            yield from self._written(call, state)
            if not effects.of_tool(call, state):
                text = call.input(state)
                fed = call if text is None else replace(call, words=(*call.words, Word(text)))
                own = list(_program(fed if name in others.LANGUAGES else call))
                yield from own or self._handed(call, state)
            return
        yield from self._written(call, state)

    def _handed(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds in an unread program's arguments: another call, or a script's text."""
        if call.program in (*READERS, *DOWNLOADERS) or others.prints(call):
            return
        if call.program in others.RUNNERS:
            yield from self._runs_file(call, state)
        for at, word in enumerate(call.words[1:], start=1):
            name = program_name(word)
            known = name in _PROGRAMS or name in others.PRINTERS or word.holes
            script = state.program(word) if call.program in PASSING_ON else None
            if not (known or (script and state.machine.text(state.path_of(script)))):
                continue
            inner = replace(call, words=call.words[at:], redirections=())
            if others.prints(inner):
                break
            run = self.run(inner, state.snapshot())
            size = sum(len(word.text) for word in inner.words)
            finds = list(state.effort.followed(run, size, call.unread(""), text=call.command))
            if finds and call.program in PASSING_ON:
                yield from finds
            elif finds:
                yield self._not_read(call)
            if finds:
                return
        texts = [word.text for word in call.arguments if word.quoted and " " in word.text]
        texts.append(state.document(call.redirections) or "")
        if call.pipe is not None and call.program in _LATER:
            texts.append(call.pipe.text or self.text[call.pipe.start : call.pipe.end])
        elif call.pipe is not None and call.program in others.REMOTE:
            texts.append(call.pipe.text or "")
        if any(
            others.IN_CODE.search(t) or any(self._nested(t, call, state.snapshot())) for t in texts
        ):
            yield self._not_read(call)

    def _runs_file(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the reason for a script or notebook among a program's words that installs."""
        if call.program == "jupyter" and not {"execute", "run", "--execute"} & {
            word.text for word in call.arguments
        }:
            return
        for word in call.arguments:
            name = os.path.basename(word.text)
            if word.holes or not re.search(r"\.(?:py|sh|ipynb|slurm|pbs|d)$", name):
                continue
            text = state.machine.text(state.path_of(word))
            if others.IN_CODE.search(text) if text else others.INSTALLING.search(name):
                yield call.unread(f"What {word.text}, which it runs, installs is not seen here.")
                return

    def _not_read(self, call: Call) -> Found:
        if call.program in others.REMOTE:
            reason = f"{call.words[0].text} runs it on another machine or in another container."
        else:
            reason = f"{call.words[0].text} runs it, in a way that is not read here."
        return self._piped(call).unread(reason)

    def _written(self, call: Call, state: State) -> Iterator[Found]:
        """Apply the files that a command writes; one that changes apt's sources is listed."""
        for reason in filter(None, effects.written(call, state, installs_later)):
            yield self._piped(call).unread(reason)

    def _function(self, name: str, call: Call, state: State) -> Iterator[Found]:
        """Run a function's body where it is called."""
        course, items = state.functions.pop(name)  # one that calls itself is not followed for ever
        course.called(items)
        size = items[-1].start - items[0].start if items else 0
        given = effects.positional(call.arguments)
        before = {key: state.variables[key] for key in given if key in state.variables}
        state.variables.update(given)
        finds = course.of(items).finds(state)
        yield from state.effort.followed(finds, size, call.unread(""))
        for key in given:
            state.variables.pop(key, None)
        state.variables.update(before)
        state.functions[name] = (course, items)

    def _is_script(self, word: Word, state: State) -> bool:
        """Return whether a program called by its path is a shell's script."""
        path = state.path_of(word)
        text = state.machine.text(path)
        if text is None:
            fetched = path in state.machine.fetched and _MAY_INSTALL.search(os.path.basename(path))
            return word.text.endswith((".sh", ".run", ".bin")) or bool(fetched)
        return effects.shell_of(text) in ("", *SHELLS)

    def _sourced(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of a script that this same shell reads."""
        if not call.arguments or _activates(call, state):
            return
        path = state.path_of(call.arguments[0])
        text = state.text_of(call.arguments[0])
        if _fetches(call.arguments[0]):
            yield call.unread(_FROM_NETWORK)
        elif text is not None:
            yield from self._nested(text, call, state)
        elif path.endswith(_CONDA_SH):
            state.root = Target(prefix=path.removesuffix(_CONDA_SH))
        else:
            effects.unseen(state, path, " ".join(call.arguments[0].scripts), call.line)

    def _shell(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of a shell and the commands it is given."""
        script, file = _script(call)
        body, pipe = state.document(call.redirections), call.pipe
        given = _given_to_input(call.words)
        source = script or file
        if source is not None and _fetches(source):
            yield call.unread(_FROM_NETWORK)
        elif script is not None and call.program == "eval":
            yield from self._nested(script.text, call, state)
            if script.text in script.holes:
                effects.unseen(state, script.text, "".join(script.scripts), call.line)
        elif script is not None:
            given = _given(None, call, script)
            yield from self._process(script.text, call, state, given, typed=call.command)
        elif file is not None:
            yield from self._file(file, call, state)
        elif body is not None:
            yield from self._process(body, call, state, given, line=call.line + 1)
        elif pipe is not None and pipe.fetched:
            yield self._piped(call).unread(_FROM_NETWORK)
        elif pipe is not None and pipe.text is not None:
            yield from self._process(pipe.text, call, state, given)
        elif pipe is not None:
            reason = f"What is piped into {call.program} is only known when it runs."
            yield self._piped(call).unread(reason)

    def _file(self, file: Word, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of a script file; an unseen one is listed if it may install."""
        path, fetched = state.path_of(file), state.machine.fetched
        effects.conda_installer(call, state, path)
        text = state.text_of(file)
        if path in fetched:
            yield call.unread(
                f"What {file.text}, downloaded from {fetched[path].url}, installs is not seen here."
            )
        elif text is not None:
            if state.variables.get("0", Word("")).text != path:  # it starts itself again
                given = _given(Word(path), call, file)
                yield from self._process(text, call, state, given)
        elif (
            state.closed
            or path in state.machine.files
            or _MAY_INSTALL.search(os.path.basename(file.text))
        ):
            yield call.unread(f"What the script {file.text} installs is not seen here.")
        else:
            yield from self._handed(replace(call, pipe=None, redirections=()), state)

    def _piped(self, call: Call) -> Call:
        """Return the call with the whole pipeline as typed."""
        pipe = call.pipe
        if pipe is None or self.typed:
            return call
        return replace(call, command=self.text[pipe.start : pipe.end])

    def _python(self, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of an interpreter: the module it runs is the program."""
        inner, code, file = _given_to_python(call)
        if inner is not None:
            if not (effects.of_module(inner, state) or effects.of_tool(inner, state)):
                yield from _program(inner, True)
        elif code is not None:
            yield from self._python_code(code.text, call, state)
        elif file is None:
            text = call.input(state)
            if call.pipe is not None and call.pipe.fetched:
                yield self._piped(call).unread(_FROM_NETWORK)
            elif text is not None:
                yield from self._python_code(text, call, state)
        elif os.path.basename(file.text) == "setup.py":
            if {"install", "develop"} & {word.text for word in call.arguments}:
                yield call.unread("It installs the project without pip; say: pip install .")
            else:
                builds(replace(call, words=(file, *call.arguments)))
        elif program_name(file) == "pip" and not file.holes:
            at = call.arguments.index(file)
            yield from _program(replace(call, words=call.arguments[at:]).by(call.words[0]), True)
        elif os.path.basename(file.text) == "get-pip.py":
            yield call.unread("It installs pip, which a request cannot say.")
        else:
            text = state.machine.text(state.path_of(file))
            if text is not None and others.IN_CODE.search(text):
                yield from self._python_code(text, call, state)
            elif text is None and others.INSTALLING.search(file.text):
                yield call.unread(f"What the script {file.text} installs is not seen here.")

    def _python_code(self, code: str, call: Call, state: State) -> Iterator[Found]:
        """Yield the finds of Python in a line or a file: of the commands that its calls run."""
        finds = self._python_finds(code, call, state)
        yield from state.effort.followed(finds, len(code), call.unread(""), text=code)

    def _python_finds(self, code: str, call: Call, state: State) -> Iterator[Found]:
        tree = calls.parse(code)
        state = replace(state.subshell(), python=None, names=calls.KnownNames())
        finds: list[tuple[Found, Path]] = []

        def run(event: calls.Event | SourceLine, path: Path) -> None:
            assert isinstance(event, calls.Event)  # a script has no lines of IPython's
            found = recognise_event(event, state, event.typed or call.command, call.words[0])
            finds.extend((replace(each, line=call.line), path) for each in found)

        if not calls.walk(tree, code, state, run) and tree is not None:
            finds.append((call.unread(NESTED), ()))
        yield from alternatives(finds)
        installs = r"(pip|conda|apt|subprocess|system)\b.*\binstall\b"
        if not finds and re.search(installs, code, re.DOTALL):
            yield call.unread("It runs Python that installs, in a way that is not read here.")

    def piped(
        self, command: ShellCommand, words: tuple[Word, ...], state: State, pipe: Pipe | None
    ) -> Pipe:
        """Return the pipeline with a command more."""
        start = pipe.start if pipe else command.start
        fetched = bool(pipe and pipe.fetched)
        _, words = _assignments(words)
        text: str | None = None
        file = file_of(self.text[command.start : command.end], pipe.file if pipe else "")
        if words:
            words = tuple(each for word in words for each in state.words(word))
            call = self.call(words, "", 0, state, {})
            for inner in islice(unwrapped(call, state), MAX_DEPTH):
                call = inner
            named = [program_name(word) for word in call.words]
            fetched = fetched or (named[:1] != ["echo"] and not set(named).isdisjoint(DOWNLOADERS))
            if call.words:
                given = pipe.text if pipe else None
                text = state.printed(call.words, command.redirections, given)
        return Pipe(start, command.end, fetched, text, file)

    # -- what the shell makes of a line that was meant otherwise

    def _redirected(self, command: ShellCommand) -> tuple[str, str]:
        """Return a note and a refusal for redirections that were probably meant as versions."""
        notes: list[str] = []
        refusals: list[str] = []
        ends = [word.end for word in command.words]
        for redirection in command.redirections:
            at = bisect_right(ends, redirection.start) - 1
            if at < 0 or not _is_version(redirection, glued=ends[at] == redirection.start):
                continue
            name, file = command.words[at].text, redirection.target.text
            shown = self._unspaced(redirection.start, command)
            meant = f"Probably meant: '{turned(name + shown)}'."
            start = f"The shell takes {shown} as a redirection:"
            if file == "=":
                refusals.append(f"{start} what follows is asked for as a package. {meant}")
            elif redirection.operator == ">":
                notes.append(
                    f"{start} {name} is asked for in any version, and the output goes into a file"
                    f" called {file}. {meant}"
                )
            elif notes:  # for numpy>=1.20,<2 the first half says it all
                refusals.append(f"There is to be a file called {file}, or nothing runs.")
            else:
                refusals.append(f"{start} without a file called {file} nothing runs. {meant}")
        return " ".join(notes), " ".join(refusals)

    def _unspaced(self, start: int, command: ShellCommand) -> str:
        """Return the text from a redirection to the end of one intended word, without blanks."""
        match = re.compile(r"(?:\s*[<>=!~,]+\s*[\w.*]+)+").match(self.text, start, command.end)
        return re.sub(r"\s", "", match[0]) if match else ""

    def line_of(self, start: int) -> int:
        """Return the line of a character of the text."""
        still = self.still or bool(self.typed)
        return self.line if still else self.line + bisect_left(_newlines(self.text), start)

    def between(self, start: int, end: int) -> str:
        """Return the text from one character to another, on one line."""
        return " ".join(self.text[start:end].split()).strip("; ")

    def _cut_by_ampersand(self, command: ShellCommand, following: object) -> str:
        """Return what an unquoted ``&`` in a URL does."""
        if not isinstance(following, Operator) or following.text != "&" or not command.words:
            return ""
        rest = re.compile(r"&[^\s;&|]+").match(self.text, command.end)
        last = command.words[-1]
        if rest is None or last.end != command.end or "//" not in last.text:
            return ""
        return (
            f"The shell takes the & as the end of the command: {last.text} is all that is asked"
            f" for. Probably meant: '{last.text}{rest[0]}'."
        )


_BRACES = re.compile(r"\{([^{},]*(?:,[^{},]*)+)\}")
_MOST_BRACED = 1000
"""The most words that are made of one: ``{a,b}{a,b}`` has four, and more double them."""


def _braced(word: Word) -> list[Word]:
    """Return the words that bash makes of one with a list in braces: ``python3-{dev,pip}``."""
    made, left = list[str](), [word.text]
    while left and len(made) + len(left) <= _MOST_BRACED:
        text = left.pop()
        if word.quoted or word.holes or (match := _BRACES.search(text)) is None:
            made.append(text)
            continue
        before, after = text[: match.start()], text[match.end() :]
        left += (f"{before}{part}{after}" for part in match[1].split(",")[::-1])
    return [word] if left or made == [word.text] else [replace(word, text=each) for each in made]


def _redirected_words(command: ShellCommand) -> Iterator[Word]:
    """Yield the words of a command's redirections, which the shell fills in."""
    for each in command.redirections:
        yield each.target
        if each.body and not each.target.quoted and re.search(r"\$\(|`", each.body):
            quoted = each.body.replace('"', '\\"')
            yield from words_of(f': "{quoted}"')


def _is_version(redirection: Redirection, *, glued: bool) -> bool:
    """Return whether what the shell takes for a file was probably a version."""
    if redirection.operator not in ("<", ">"):
        return False
    target = redirection.target
    if target.text.startswith("="):
        return True
    beside = target.start == redirection.start + 1
    return bool(re.match(r"\d", target.text)) and (
        glued or (beside and bool(re.fullmatch(r"\d+(\.\d+)*", target.text)))
    )


def _assignments(words: tuple[Word, ...]) -> tuple[dict[str, tuple[Word, bool]], tuple[Word, ...]]:
    """Return the variables set before a command, each with whether it is added to, and the rest."""
    variables: dict[str, tuple[Word, bool]] = {}
    for at, word in enumerate(words):
        match = effects.ASSIGNMENT.match(word.text)
        if not match:
            return variables, words[at:]
        variables[match[1]] = (word.tail(match.end()), match[0].endswith("+="))
    return variables, ()


def _is_start_file(path: str, home: str) -> bool:
    folder, name = os.path.split(path)
    own = home in ("", "/root", folder) or folder == "~" or "$" in folder
    return (name in BASH_FILES and own) or path.startswith(("/etc/profile", "/etc/bash"))


_SUS = ("su", "runuser")


def _script(call: Call) -> tuple[Word | None, Word | None]:
    """Return the script that a shell is given with ``-c``, or the file that it reads."""
    if call.program == "eval":
        text = " ".join(word.text for word in call.arguments)
        holes = tuple(hole for word in call.arguments for hole in word.holes)
        scripts = tuple(script for word in call.arguments for script in word.scripts)
        return Word(text, holes, scripts=scripts), None
    rest = list(call.arguments)
    while rest:
        word = rest.pop(0)
        valued = r"-[sgGuw]|--shell|--group" if call.program in _SUS else r"[-+][A-Za-z]*[oO]"
        if rest and re.fullmatch(rf"{valued}|--(?:rc|init-)file", word.text):
            rest.pop(0)
        elif re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*|--command", word.text):
            return next((w for w in rest if not w.text.startswith("-")), None), None
        elif word.text == "-s":  # what follows are the arguments of what comes by the pipe
            return None, None
        elif word.text.startswith(("-", "+")):
            continue
        elif call.program not in _SUS:  # to su, it is a user
            return None, word
    return None, None


def _fetches(word: Word) -> bool:
    """Return whether a word takes something from the network."""
    items = (item for script in word.scripts for item in parse(script))
    called = (item.words[:1] for item in items if isinstance(item, ShellCommand))
    return any(program_name(word) in DOWNLOADERS for words in called for word in words)


def _given_to_python(call: Call) -> tuple[Call | None, Word | None, Word | None]:
    """Return what an interpreter runs: a module's call, the code behind ``-c``, or a file."""
    rest = list(call.arguments)
    while rest:
        word = rest.pop(0)
        option = re.fullmatch(r"-[A-Za-z]*?([mc])(.*)", word.text, re.DOTALL)
        if word.text in ("-W", "-X"):
            del rest[:1]
        elif option and (option[2] or rest):
            value = word.tail(option.start(2)) if option[2] else rest.pop(0)
            if option[1] == "c":
                return None, value, None
            return replace(call, words=(value, *rest)).by(call.words[0]), None, None
        elif not word.text.startswith("-") or word.text == "-":
            return None, None, None if word.text == "-" else word
    return None, None, None


def _given(name: Word | None, call: Call, script: Word) -> dict[str, Word]:
    """Return ``$0``, ``$1`` and so on of a script, by the words after it."""
    at = next((n for n, word in enumerate(call.words, start=1) if word is script), None)
    if at is None:
        return {}
    words = [*([] if name is None else [name]), *call.words[at:]]
    given = {"0": words[0]} if words else {}
    source = {} if name is None else {"BASH_SOURCE": name}
    return {**given, **effects.positional(words[1:]), **source}


def _given_to_input(words: Sequence[Word]) -> dict[str, Word]:
    """Return the arguments that ``bash -s ARGUMENTS`` hands to what it reads."""
    texts = [word.text for word in words]
    if "-s" not in texts:
        return {}
    at = texts.index("-s") + 1
    return effects.positional(words[at + (texts[at : at + 1] == ["--"]) :])


def _activates(call: Call, state: State) -> bool:
    """Return whether a call chooses the environment of the next ones: ``source activate NAME``."""
    if not call.arguments:
        return False
    script, *words = call.arguments
    verb = os.path.basename(script.text)
    if verb == "deactivate":
        state.deactivate()
    elif verb != "activate":
        return False
    elif words or "/" not in script.text:
        if os.path.isabs(script.text):  # ROOT/bin/activate NAME
            state.root = Target(prefix=script.text.removesuffix("/bin/activate"))
        state.activate(_activated(words, state), conda=True)
        state.doubt = joined(words).assumption
    else:
        target = replace(call.by(script).target, interpreter="")
        made = target.prefix in state.machine.made
        conda = (not made and "conda" in target.prefix) or "forge" in target.prefix
        state.activate(replace(target, made=made), conda=conda)
        state.doubt = script.assumption
    return True


def _activated(words: Sequence[Word], state: State) -> Target:
    names = [word for word in words if not word.text.startswith("-")]
    name = names[0] if names else Word("base")
    if "/" in name.text:
        return Target(prefix=name.text if name.holes else state.path_of(name))
    return Target(name=name.text)


def _program(call: Call, through_python: bool = False) -> Iterator[Found]:
    """Yield the finds of a program that runs no other."""
    name = call.program
    dashed = [w.text for w in call.arguments if w.text in ("-install", "--install")]
    if name in READERS and dashed and name not in ("dpkg", "jstackmagic"):
        yield call.unread(f"{name} takes install without a dash, and no {dashed[0]}.")
        return
    if name in READERS:
        if name in ("pip", "jstackmagic") and not through_python:
            call = call.by(call.words[0])  # it serves its own environment
        elif not through_python:  # the others choose theirs, wherever they lie
            call = call.reaching(interpreter=call.words[0].text)
        yield from READERS[name](call)
        return
    yield from others.found(call)


_INPUTS = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_LISTING = ("-r", "--requirement", "--requirements", "-f", "--file", "-c", "--constraint")


_GLUED = re.compile(r"(--(?:requirements?|file|constraint)|-[rfc])=?(?=/dev/|/proc/|<\(|-$)")


def _unglued(word: Word) -> tuple[Word, ...]:
    """Return an option and the input that is glued to it as two words: ``-r/dev/stdin``."""
    option = _GLUED.match(word.text)
    return (Word(option[1]), word.tail(option.end())) if option else (word,)


def _with_input(call: Call, state: State) -> Call | None:
    """Return the call with the lists that flow into it as files; None if one is not seen."""
    words = [part for word in call.words for part in _unglued(word)]
    for at, word in enumerate(words[1:], start=1):
        is_list = words[at - 1].text in _LISTING
        if is_list and (word.text in _INPUTS or (word.text == "-" and call.program == "uv")):
            files = call.input_files
            text = state.text_of(files[-1]) if files else call.input(state)
            if text is None:
                return None
        elif is_list and word.text[:2] == "<(" and word.text in word.holes:
            text = state.text_of(word)
        else:
            continue
        if text is not None:
            words[at] = Word(f"/dev/fd/list-{call.line}-{at}")  # a name that no file has here
            state.machine.wrote(words[at].text, text)
    return replace(call, words=tuple(words))


_AIMED = ("pip", "jstackmagic", "python", "py", "pypy", "uv", *TOOLS)


def _aimed(call: Call, state: State, name: str) -> Call:
    """Return the call with the target that variables, PATH and activations before it give."""
    if "PATH" in call.own:
        state = state.subshell()
        state.define("PATH", call.variables["PATH"])
    target, note = state.aim(name, call.variables)
    program = call.words[0]
    bare = "/" not in program.text and not program.holes
    if name in ("conda", "mamba") and target == state.root and not program.text.startswith("/usr/"):
        target = call.by(program).target if not bare else target  # its own base
    return replace(call, target=target, system=state.target, doubt=note if bare else "")
