"""Programs that run the command after them: sudo, env, conda run, xargs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from ..model.environment import TOOLS
from ..model.shell import ShellCommand, Word, parse
from . import Target
from .argv import MANAGER_OF, Call, ProgramOptions, line_for, program_name
from .conda_tools import aimed
from .conda_tools import options as conda_options
from .effects import ASSIGNMENT
from .handed import unescaped
from .python_tools import UV
from .state import State

_WRAPPERS: dict[str, ProgramOptions] = {
    "sudo": ProgramOptions.of(
        valued="""
        -u/--user -g/--group -p/--prompt -C/--close-from -r/--role -t/--type -T/--command-timeout
        -U/--other-user -D/--chdir -R/--chroot
        """,
        flags="-E/--preserve-env -i/--login -s/--shell",
    ),
    "env": ProgramOptions.of(
        valued="-u/--unset -C/--chdir -S/--split-string", flags="-i/--ignore-environment"
    ),
    "time": ProgramOptions.of(valued="-f/--format -o/--output"),
    "nice": ProgramOptions.of(valued="-n/--adjustment"),
    "ionice": ProgramOptions.of(valued="-c/--class -n/--classdata"),
    "timeout": ProgramOptions.of(valued="-k/--kill-after -s/--signal"),
    "stdbuf": ProgramOptions.of(valued="-i/--input -o/--output -e/--error"),
    "exec": ProgramOptions.of(valued="-a"),
    "doas": ProgramOptions.of(valued="-u -C"),
    "flock": ProgramOptions.of(valued="-w/--timeout -E"),
    **dict.fromkeys(("nohup", "builtin", "setsid", "unbuffer", "fakeroot"), ProgramOptions({})),
}
"""Programs that run the command after them, with the options that matter or take a value."""

_TAKING_ONE = ("timeout", "flock")
"""Those that take a word of their own before that command."""

_XARGS = ProgramOptions.of(
    valued="""
    -n/--max-args -I/--replace -P/--max-procs -L/--max-lines -d/--delimiter -a/--arg-file
    -s/--max-chars -E/--eof
    """,
    flags="-0/--null",
)


_LOGIN = (Word("bash"), Word("--login"))


def unwrapped(call: Call, state: State) -> Iterator[Call]:
    """Yield the call that a wrapper runs, the one that this runs if it is a wrapper, and so on.

    The last one has no words if the wrapper runs nothing. The time grows with the number of
    wrappers times that of the words: stop at `MAX_DEPTH`.
    """
    while (inner := _inner(call, state)) is not None:
        yield (call := inner)


def _inner(call: Call, state: State) -> Call | None:
    """Return the call that a wrapper runs; None for others."""
    name, arguments = call.program if call.words else "", call.arguments
    if name in _WRAPPERS:
        return _wrapped(call, name, state)
    if name == "uv" and arguments and arguments[0].text == "run":
        given = UV.read(arguments[1:], leading=True)
        if call.folder is not None and not given.has("--active"):
            project = given.last("--project", "--directory") or "."
            call = call.elsewhere(prefix=call.path(f"{project}/.venv"))
        return replace(call, words=given.words)
    if name in TOOLS:
        table = conda_options(name, arguments)
        words = table.read(arguments, leading=True).words
        if words and words[0].text == "run":
            given = table.read(words[1:], leading=True)
            inner = aimed(call, given)
            kept = call.machine.held.get(inner.target.prefix or inner.target.name, {})
            return replace(inner, words=given.words, variables={**call.variables, **kept})
    if name == "xargs":
        return _fed(call, state)
    return None


def _wrapped(call: Call, name: str, state: State) -> Call:
    given = _WRAPPERS[name].read(call.arguments, leading=True)
    words = given.words[1 if name in _TAKING_ONE else 0 :]
    if name == "env" and (parts := given.values("--split-string")):
        items = [each for each in parse(parts[-1].text) if isinstance(each, ShellCommand)]
        inner = tuple(word for each in items[:1] for word in each.words)
        return _wrapped(replace(call, words=(call.words[0], *inner, *words)), name, state)
    by_root = name in ("sudo", "doas") and not given.has("--preserve-env")
    call = _by_root(call, state) if by_root else call
    keeps = not (by_root or given.has("--ignore-environment"))
    gone = [word.text for word in given.values("--unset")]
    variables = {n: word for n, word in call.variables.items() if keeps and n not in gone}
    own = set(call.own)
    while words and (match := ASSIGNMENT.match(words[0].text)):
        variables[match[1]] = state.value(words[0].tail(match.end()))
        own.add(match[1])
        words = words[1:]
    if name == "flock" and words and words[0].text == "-c":
        words = (Word("bash"), *words)
    *_, entered = (None, *given.values("--chdir"))
    folder = call.folder
    if entered is not None and not entered.holes:
        known = folder is not None or os.path.isabs(entered.text)
        folder = call.path(entered.text) if known else None
    if name == "sudo" and not words and given.has("--login", "--shell"):
        words = _LOGIN
    return replace(call, words=words, variables=variables, own=frozenset(own), folder=folder)


def _by_root(call: Call, state: State) -> Call:
    """Return the call as sudo runs it: with its own PATH and variables."""
    lost = [
        name
        for name in call.variables
        if name.startswith(("PIP_", "UV_")) and ("INDEX" in name or "FIND_LINKS" in name)
    ]
    lost = [name for name in lost if name not in call.own] + [n for n in lost if n in call.own]
    notes = [f"sudo does not hand {', '.join(lost)} on: -E would."] if lost else []
    if state.target != Target():
        shown = state.target.name or state.target.prefix
        notes.append(f"sudo has a PATH of its own, so that it does not go to {shown}.")
    return replace(call, target=Target(), own=frozenset()).noting(*notes)


def _fed(call: Call, state: State) -> Call:
    """Return the call that xargs makes of words from its input or from a file."""
    given = _XARGS.read(call.arguments, leading=True)
    file = given.last("--arg-file") or next((w.text for w in call.input_files[::-1]), "")
    text = state.machine.text(state.path_of(Word(file))) if file else call.input(state)
    place = given.last("--replace") or "{}"
    delimiter = "\0" if given.has("--null") else unescaped(given.last("--delimiter"))
    if text is not None and given.has("--replace"):
        items = text.split(delimiter) if delimiter else text.splitlines()
        lines = [Word(line.strip()) for line in items if line.strip()]
        listed = [lines if word.text == place else [word] for word in given.words]
        if not any(place in word.text for each in listed for word in each):
            return replace(call, words=tuple(word for each in listed for word in each))
    elif text is not None:
        try:
            items = text.strip().split(delimiter) if delimiter else shlex.split(text)
            words = tuple(Word(each) for each in items if each)
        except ValueError:
            words = ()
        if words and not any(re.search(r"\s", word.text) for word in words):
            return replace(call, words=(*given.words, *words))
    file = file or (call.pipe.file if call.pipe else "")
    note = f"xargs gives it its packages, from {file or 'what is piped into it'}."
    managers = (MANAGER_OF.get(program_name(word)) for word in given.words)
    manager = next(filter(None, managers), None)
    if file and manager:
        note += f" The line for it: {line_for(manager, file)}"
    return replace(call, words=given.words, fed=note)
