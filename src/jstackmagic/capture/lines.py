"""A command line followed to the programs it runs: through chains, wrappers and activations."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from . import Found, Target
from .argv import Call, Options, listed, program_name
from .conda_tools import aimed, conda
from .conda_tools import options as conda_options
from .debian_tools import apt, dpkg
from .python_tools import UV, pip, pipx, uv
from .shell import MAX_DEPTH, Command, Operator, Redirection, Word, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

READERS: dict[str, Callable[[Call], Iterator[Found]]] = {
    "pip": pip,
    "uv": uv,
    "pipx": pipx,
    "conda": conda,
    "mamba": conda,
    "micromamba": conda,
    "apt": apt,
    "apt-get": apt,
    "aptitude": apt,
    "dpkg": dpkg,
}
"""Whose requests can be read."""

CONDAS = ("conda", "mamba", "micromamba")

OTHERS: dict[str, tuple[str, ...]] = {
    "add-apt-repository": (),
    "apt-add-repository": (),
    "easy_install": (),
    "ensurepip": (),
    "gdebi": (),
    "apk": ("add",),
    "brew": ("install",),
    "cargo": ("install",),
    "dnf": ("install",),
    "gem": ("install",),
    "go": ("install", "get"),
    "jupyter": ("labextension", "nbextension", "serverextension"),
    "make": ("install",),
    "npm": ("install", "i", "ci"),
    "pdm": ("add", "install", "sync"),
    "pipenv": ("install", "sync", "uninstall"),
    "pixi": ("add", "install", "global"),
    "playwright": ("install",),
    "pnpm": ("add", "install"),
    "poetry": ("add", "install", "remove"),
    "snap": ("install",),
    "spacy": ("download",),
    "yarn": ("add", "install"),
    "yum": ("install",),
    "zypper": ("install", "in"),
}
"""What installs, and no request can say; each with the words that mean it, all of them if none."""

DOWNLOADERS = ("curl", "wget", "aria2c")
SHELLS = ("sh", "bash", "zsh", "dash", "ksh", "ash")

_PLAIN = Options.of(valued="", flags="")
_WRAPPERS: dict[str, tuple[Options, int]] = {
    "sudo": (
        Options.of(
            valued="-u --user\n-g --group\n-p --prompt\n-C --close-from\n-r --role\n-t --type\n"
            "-T --command-timeout\n-U --other-user\n-D --chdir\n-R --chroot",
            flags="-E --preserve-env\n-H --set-home\n-n --non-interactive\n-S --stdin\n-i --login",
        ),
        0,
    ),
    "env": (Options.of(valued="-u --unset\n-C --chdir", flags="-i --ignore-environment"), 0),
    "time": (Options.of(valued="-f --format\n-o --output", flags="-p --portability\n-v"), 0),
    "nice": (Options.of(valued="-n --adjustment", flags=""), 0),
    "ionice": (Options.of(valued="-c --class\n-n --classdata", flags=""), 0),
    "timeout": (Options.of(valued="-k --kill-after\n-s --signal", flags=""), 1),
    "stdbuf": (Options.of(valued="-i --input\n-o --output\n-e --error", flags=""), 0),
    "exec": (Options.of(valued="-a", flags="-c\n-l"), 0),
    "doas": (Options.of(valued="-u\n-C", flags="-n"), 0),
    "flock": (Options.of(valued="-w --timeout\n-E", flags="-n\n-x\n-s"), 1),
    "nohup": (_PLAIN, 0),
    "builtin": (_PLAIN, 0),
    "setsid": (_PLAIN, 0),
    "unbuffer": (_PLAIN, 0),
    "fakeroot": (_PLAIN, 0),
}
"""What runs the command after it: its options, and how many words stand before that command."""

_XARGS = Options.of(
    valued="-n --max-args\n-I --replace\n-P --max-procs\n-L --max-lines\n-d --delimiter\n"
    "-a --arg-file\n-s --max-chars\n-E --eof",
    flags="-0 --null\n-r --no-run-if-empty\n-t --verbose",
)

_PRINTERS = listed(
    "echo printf grep egrep fgrep rg which whereis type man cat ls test [ [[ alias git sed awk"
    " export declare local read"
)
"""What takes an installer's name for text."""

_FROM_NETWORK = "It runs a script as it comes from the network."
_MEANT = frozenset(("install", "uninstall", "add", "update", "remove", "create"))
_OPENING = frozenset(("if", "then", "elif", "else", "while", "until", "do", "!", "{"))
_LISTS = frozenset(("for", "case", "select", "in"))
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")


def recognise(
    text: str,
    *,
    folder: str | None = ".",
    target: Target | None = None,
    braces: bool = False,
    line: int = 1,
    command: str = "",
) -> Iterator[Found]:
    """Find the installs and removals in shell text, in the order they stand in.

    Args:
        text: One command line or a script.
        folder: What relative paths are relative to; None where only the run can tell.
        target: What is known beforehand of where.
        braces: Whether ``{expression}`` is filled in by Python before the shell sees it.
        line: The number of the text's first line.
        command: What to give as typed; by default the part of the text that is the command.
    """
    walker = _Walker(text, braces=braces, line=line, typed=command, depth=0)
    yield from walker.walk(_Scope(folder=folder, target=target or Target()))


def recognise_argv(
    words: Sequence[Word],
    *,
    folder: str | None = ".",
    target: Target | None = None,
    line: int = 1,
    command: str = "",
) -> Iterator[Found]:
    """Find the installs of one call whose words no shell has read.

    Args:
        words: The program first.
        folder: As for `recognise`.
        target: As for `recognise`.
        line: As for `recognise`.
        command: What to give as typed; by default the words, apart by blanks.
    """
    if words:
        typed = command or " ".join(word.text for word in words)
        walker = _Walker("", braces=False, line=line, typed=typed, depth=0)
        call = Call(tuple(words), typed, line, folder, target or Target())
        yield from walker.run(call, _Scope(folder=folder, target=target or Target()))


@dataclass
class _Scope:
    """What the commands so far have settled for the next."""

    folder: str | None
    target: Target
    variables: dict[str, str] = field(default_factory=dict)

    def copy(self) -> _Scope:
        return self.reaching(self.target)

    def reaching(self, target: Target) -> _Scope:
        """A copy for a shell that what runs it, ``conda run -n NAME``, has given a target."""
        return _Scope(self.folder, target, dict(self.variables))


@dataclass(frozen=True, slots=True)
class _Pipe:
    """A pipeline as far as it is read: where it stands, and whether a download flows in it."""

    start: int
    end: int
    fetched: bool


@dataclass(frozen=True, slots=True)
class _Walker:
    text: str
    braces: bool
    line: int
    typed: str
    depth: int

    def walk(self, scope: _Scope) -> Iterator[Found]:
        """The finds of the whole text."""
        scopes = [scope]
        pipe: _Pipe | None = None
        items = parse(self.text, braces=self.braces)
        for item, following in zip_longest(items, items[1:]):
            if isinstance(item, Command):
                cut = self._cut_by_ampersand(item, following)
                yield from self._command(item, scopes[-1], pipe, cut)
            elif item.text == "(":
                scopes.append(scopes[-1].copy())
            elif item.text == ")" and len(scopes) > 1:
                scopes.pop()
            piped = isinstance(following, Operator) and following.text in ("|", "|&")
            if isinstance(item, Command) and piped:
                start = pipe.start if pipe else item.start
                fetched = _is_download(item) or bool(pipe and pipe.fetched)
                pipe = _Pipe(start, item.end, fetched)
            elif isinstance(item, Command) or item.text not in ("|", "|&", "\n"):
                pipe = None

    def _nested(self, text: str, call: Call, scope: _Scope) -> Iterator[Found]:
        if self.depth < MAX_DEPTH:
            walker = _Walker(text, self.braces, call.line, call.command, self.depth + 1)
            yield from walker.walk(scope)

    # -- one command

    def _command(
        self, command: Command, scope: _Scope, pipe: _Pipe | None, cut: str
    ) -> Iterator[Found]:
        own = _without_keywords(command.words)
        start = own[0].start if own else command.start
        line = self.line if self.typed else self.line + self.text.count("\n", 0, start)
        typed = self.typed or self.text[start : command.end]
        variables, words = _assignments(own)
        call = Call(words, typed, line, scope.folder, scope.target)
        for word in command.words:
            for script in word.scripts:
                yield from self._nested(script, call, scope.copy())
        if not words:
            scope.variables.update(variables)
            return
        if pipe is not None:
            pipe = replace(pipe, end=command.end)
        note, refusal = self._redirected(command)
        call = replace(
            call,
            variables={**scope.variables, **variables},
            note=" ".join(part for part in (note, cut) if part),
        )
        if command.problem:
            refusal = f"The shell refuses it: {command.problem}."
        for found in self.run(call, scope, pipe, command.redirections):
            yield _refused(found, refusal) if refusal else found

    def run(
        self,
        call: Call,
        scope: _Scope,
        pipe: _Pipe | None = None,
        redirections: tuple[Redirection, ...] = (),
    ) -> Iterator[Found]:
        """The finds of one call: of itself, or of what it runs."""
        inner: Call | None = call
        while inner is not None:
            call, inner = inner, _unwrapped(inner)
        if not call.words:
            return
        name = call.program
        if name in (*SHELLS, "su", "eval"):
            yield from self._shell(call, scope, pipe, redirections)
        elif name in ("python", "py", "pypy"):
            yield from self._python(call, pipe)
        elif name in ("source", ".", *CONDAS) and _activates(call, scope):
            return
        elif name in ("cd", "pushd"):
            scope.folder = _entered(call, scope.folder)
        elif name == "export":
            scope.variables.update(_assignments(call.arguments)[0])
        elif name in DOWNLOADERS:
            yield from _download(call)
        else:
            yield from _program(call)

    def _shell(
        self,
        call: Call,
        scope: _Scope,
        pipe: _Pipe | None,
        redirections: tuple[Redirection, ...],
    ) -> Iterator[Found]:
        """A shell, and what it is told to run."""
        script, file = _script(call)
        if script is not None:
            if any(_fetches(inner) for inner in script.scripts):
                yield call.unread(_FROM_NETWORK)
            else:
                inner_scope = scope if call.program == "eval" else scope.reaching(call.target)
                yield from self._nested(script.text, call, inner_scope)
            return
        documents = [r for r in redirections if r.operator in ("<<", "<<-")]
        strings = [r for r in redirections if r.operator == "<<<"]
        if file is not None:
            if any(_fetches(inner) for inner in file.scripts):
                yield call.unread(_FROM_NETWORK)
            elif re.search(r"install|conda|mamba|forge", os.path.basename(file.text).lower()):
                yield call.unread(f"What the script {file.text} installs is not to be seen here.")
        elif documents or strings:
            body = documents[-1].body if documents else strings[-1].target.text
            yield from self._nested(body, call, scope.reaching(call.target))
        elif pipe is not None and pipe.fetched:
            yield self._piped(call, pipe).unread(_FROM_NETWORK)

    def _piped(self, call: Call, pipe: _Pipe) -> Call:
        """The call with the whole pipeline as typed."""
        return call if self.typed else replace(call, command=self.text[pipe.start : pipe.end])

    def _python(self, call: Call, pipe: _Pipe | None) -> Iterator[Found]:
        """An interpreter: the module it runs is the program."""
        inner, file = _module(call)
        if inner is not None:
            yield from _program(inner, through_python=True)
        elif file is not None and os.path.basename(file.text) == "setup.py":
            if {"install", "develop"} & {word.text for word in call.arguments}:
                yield call.unread("It installs the project without pip; say: pip install .")
        elif file is not None and os.path.basename(file.text) == "get-pip.py":
            yield call.unread("It installs pip, which a request cannot say.")
        elif pipe is not None and pipe.fetched:
            yield self._piped(call, pipe).unread(_FROM_NETWORK)

    # -- what the shell makes of a line that was meant otherwise

    def _redirected(self, command: Command) -> tuple[str, str]:
        """What redirections do that were probably meant as versions: a note, and a refusal."""
        notes: list[str] = []
        refusals: list[str] = []
        ends = [word.end for word in command.words]
        for redirection in command.redirections:
            at = bisect_right(ends, redirection.start) - 1
            if at < 0 or not _is_version(redirection, glued=ends[at] == redirection.start):
                continue
            name, file = command.words[at].text, redirection.target.text
            shown = self._unspaced(redirection.start, command)
            meant = f"Probably meant: '{name}{shown}'."
            told = f"The shell takes {shown} as a redirection:"
            if file == "=":
                refusals.append(f"{told} what follows is asked for as a package. {meant}")
            elif redirection.operator == ">":
                notes.append(
                    f"{told} {name} is asked for in any version, and the output goes into a file"
                    f" called {file}. {meant}"
                )
            elif notes:  # of numpy>=1.20,<2 the first half tells it all
                refusals.append(f"There is to be a file called {file}, or nothing runs.")
            else:
                refusals.append(f"{told} without a file called {file} nothing runs. {meant}")
        return " ".join(notes), " ".join(refusals)

    def _unspaced(self, start: int, command: Command) -> str:
        """The text from a redirection to the end of what was meant as one word, blanks left out."""
        match = re.compile(r"(?:\s*[<>=!~,]+\s*[\w.*]+)+").match(self.text, start, command.end)
        return re.sub(r"\s", "", match[0]) if match else ""

    def _cut_by_ampersand(self, command: Command, following: object) -> str:
        """What an unquoted ``&`` in a URL does."""
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


def _refused(found: Found, refusal: str) -> Found:
    return replace(found, request=None, reason=refusal)


def _is_version(redirection: Redirection, *, glued: bool) -> bool:
    """Whether what the shell takes for a file was probably a version."""
    if redirection.operator not in ("<", ">"):
        return False
    target = redirection.target
    if target.text.startswith("="):
        return True
    beside = target.start == redirection.start + 1
    return bool(re.match(r"\d", target.text)) and (
        glued or (beside and bool(re.fullmatch(r"\d+(\.\d+)*", target.text)))
    )


def _without_keywords(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words without the shell's own at their head; none where they are a list's."""
    at = 0
    while at < len(words) and words[at].text in _OPENING and not words[at].quoted:
        at += 1
    if at < len(words) and words[at].text in _LISTS:
        return ()
    if at < len(words) and words[at].text == "function":
        at += 3  # function NAME {
    return words[at:]


def _assignments(words: tuple[Word, ...]) -> tuple[dict[str, str], tuple[Word, ...]]:
    """The variables that are set before a command, and the command."""
    variables: dict[str, str] = {}
    for at, word in enumerate(words):
        match = _ASSIGNMENT.match(word.text)
        if not match:
            return variables, words[at:]
        value = word.tail(match.end())
        if not value.holes:
            variables[match[1]] = value.text
    return variables, ()


def _unwrapped(call: Call) -> Call | None:
    """The call that a wrapper runs, without words where it runs none; None for no wrapper."""
    name, arguments = call.program if call.words else "", call.arguments
    if name in _WRAPPERS:
        table, skipped = _WRAPPERS[name]
        variables, words = _assignments(table.read(arguments, leading=True).words[skipped:])
        return replace(call, words=words, variables={**call.variables, **variables})
    if name == "uv" and arguments and arguments[0].text == "run":
        return replace(call, words=UV.read(arguments[1:], leading=True).words)
    if name in CONDAS:
        table = conda_options(name, arguments)
        words = table.read(arguments, leading=True).words
        if words and words[0].text == "run":
            given = table.read(words[1:], leading=True)
            return replace(aimed(call, given), words=given.words)
    if name == "xargs":
        words = _XARGS.read(arguments, leading=True).words
        note = "xargs gives it its packages, from what is piped into it."
        return replace(call, words=words, fed=note)
    return None


def _script(call: Call) -> tuple[Word | None, Word | None]:
    """The script that a shell is given with ``-c``, or the file that it reads."""
    if call.program == "eval":
        text = " ".join(word.text for word in call.arguments)
        return replace(Word(text), scripts=_scripts_of(call.arguments)), None
    rest = list(call.arguments)
    while rest:
        word = rest.pop(0)
        if word.text in ("-o", "+o", "-O", "--rcfile", "--init-file") and rest:
            rest.pop(0)
        elif re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*|--command", word.text):
            return next((w for w in rest if not w.text.startswith("-")), None), None
        elif word.text == "-s":  # what follows are the arguments of what comes by the pipe
            return None, None
        elif word.text.startswith(("-", "+")):
            continue
        elif call.program != "su":  # to su, it is a user
            return None, word
    return None, None


def _scripts_of(words: tuple[Word, ...]) -> tuple[str, ...]:
    return tuple(script for word in words for script in word.scripts)


def _fetches(script: str) -> bool:
    """Whether a script takes something from the network."""
    return any(isinstance(item, Command) and _is_download(item) for item in parse(script))


def _is_download(command: Command) -> bool:
    return bool(command.words) and program_name(command.words[0]) in DOWNLOADERS


def _module(call: Call) -> tuple[Call | None, Word | None]:
    """The call of the module that ``python -m`` runs, or the script's file."""
    rest = list(call.arguments)
    while rest:
        word = rest.pop(0)
        if word.text in ("-W", "-X") and rest:
            rest.pop(0)
        elif re.fullmatch(r"-[A-Za-z]*m", word.text) and rest:
            return replace(call, words=tuple(rest)).by(call.words[0]), None
        elif re.fullmatch(r"-m\w[\w.]*", word.text):
            return replace(call, words=(word.tail(2), *rest)).by(call.words[0]), None
        elif word.text in ("-", "-c") or not word.text.startswith("-"):
            return None, word if word.text not in ("-", "-c") else None
    return None, None


def _activates(call: Call, scope: _Scope) -> bool:
    """Whether a call settles where the next ones go: ``source activate NAME`` and its like."""
    if not call.arguments:
        return False
    script, *words = call.arguments
    verb = os.path.basename(script.text)
    if verb == "deactivate":
        scope.target = Target()
    elif verb != "activate":
        return False
    elif words or "/" not in script.text:
        scope.target = _activated(words)
    else:
        scope.target = replace(call.by(script).target, interpreter="")
    return True


def _activated(words: Sequence[Word]) -> Target:
    names = [word.text for word in words if not word.text.startswith("-")]
    name = names[0] if names else "base"
    return Target(prefix=name) if "/" in name else Target(name=name)


def _entered(call: Call, folder: str | None) -> str | None:
    """The folder after ``cd``; None where only the run can tell."""
    words = [word for word in call.arguments if word.text not in ("--", "-P", "-L")]
    if not words:
        return os.path.expanduser("~")
    path = os.path.expanduser(words[0].text)
    if words[0].holes or path == "-" or (folder is None and not os.path.isabs(path)):
        return None
    return os.path.normpath(os.path.join(folder or "", path))


def _download(call: Call) -> Iterator[Found]:
    for word in call.arguments:
        if re.split(r"[?#]", word.text, maxsplit=1)[0].endswith(".deb"):
            yield call.unread("It fetches a Debian package; that alone installs nothing.")
            return


def _program(call: Call, *, through_python: bool = False) -> Iterator[Found]:
    """The finds of a program that runs no other."""
    name = call.program
    if name in READERS:
        if name == "pip" and not through_python:
            call = call.by(call.words[0])  # it serves the environment it lies in
        elif not through_python:  # the others choose theirs, wherever they lie
            call = call.reaching(interpreter=call.words[0].text)
        yield from READERS[name](call)
        return
    texts = [word.text for word in call.arguments]
    if name in OTHERS:
        meant = OTHERS[name]
        if not meant or any(text in meant for text in texts[:3]):
            yield call.unread(f"A request is for conda, pip or apt; {name} is none of them.")
    elif call.words[0].holes and texts[:1] and texts[0] in _MEANT:
        yield call.unread(f"Which program {call.words[0].text} is, only the run can tell.")
    elif name not in _PRINTERS and _names_an_installer(call.words):
        yield call.unread(f"{call.words[0].text} runs it, in a way that is not read here.")


def _names_an_installer(words: tuple[Word, ...]) -> bool:
    for at in range(1, len(words) - 1):
        if program_name(words[at]) in READERS and any(
            word.text in _MEANT for word in words[at + 1 : at + 3]
        ):
            return True
    return False
