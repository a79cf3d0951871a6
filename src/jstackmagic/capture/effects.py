"""The effects of commands on the next: variables, folders, settings, files."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from .argv import Options, listed
from .shell import Redirection, Word
from .state import expanded, joined, unknown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .argv import Call
    from .state import State

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")
ASSIGNING = ("export", "declare", "local", "readonly", "typeset")
"""Builtins that take assignments as arguments; the shell splits no value in them."""

_SETTING_FILE = re.compile(
    r"(pip\.conf|pip\.ini|\.?condarc|\.mambarc|uv\.toml|/conda-meta/pinned|\.bashrc|\.bash_profile"
    r"|\.profile|bash\.bashrc|/etc/profile(?:\.d/.*)?|/apt/(?:sources\.list|preferences|apt\.conf|trusted|auth).*)$"
)
_HARMLESS = re.compile(
    r"(conda\.sh|mamba\.sh|micromamba\.sh|nvm\.sh|\.cargo/env|os-release|lsb-release"
    r"|bash_completion|\.bashrc|\.bash_profile|\.profile|/etc/profile)$"
)


def is_harmless(path: str) -> bool:
    """Return whether a script that a shell reads is known to leave variables and targets alone."""
    return _HARMLESS.search(path) is not None


def shell_of(body: str) -> str:
    """Return the program that a script's first line gives it to; empty without such a line."""
    match = re.match(r"\s*#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(\S+)", body)
    return os.path.basename(match[1]) if match else ""


def is_setting(path: str) -> bool:
    """Return whether a file of that path sets what is installed, and from where."""
    return _SETTING_FILE.search(path) is not None


def assign(state: State, name: str, value: Word, *, adds: bool = False) -> None:
    """Set a variable of the shell's; one that programs see already, they see on."""
    before = state.variables.get(name)
    if adds and before is not None:
        value = joined((before, value))
    elif adds and not state.closed:
        value = joined((Word(f"${name}", holes=(f"${name}",)), value))
    known = name in state.exported or name == "PATH"
    state.define(name, value, export=known)


def path_of(word: Word, state: State) -> str:
    """Return a file's path as the state has it."""
    path = re.sub(r"^\$\{?HOME\}?(?=/)", "~", word.text)
    path = expanded(path, state.home) if state.home else path
    if word.holes or path.startswith(("~", "/")) or state.folder is None:
        return path
    return os.path.normpath(os.path.join(state.folder, path))


# Commands


def of_command(call: Call, state: State) -> bool:
    """Apply what a command of the shell or a tool sets; return False for other commands."""
    effect = _EFFECTS.get(call.program)
    if effect is None:
        return False
    effect(call, state)
    return True


def _cd(call: Call, state: State) -> None:
    words = [word for word in call.arguments if word.text not in ("--", "-P", "-L")]
    if not words:
        state.folder = expanded("~", state.home)
        return
    path = expanded(words[0].text, state.home)
    if words[0].holes or path == "-" or (state.folder is None and not os.path.isabs(path)):
        state.folder = None
    else:
        state.folder = os.path.normpath(os.path.join(state.folder or "", path))


def _export(call: Call, state: State) -> None:
    unexports = any(word.text == "-n" for word in call.arguments)
    for word in call.arguments:
        match = ASSIGNMENT.match(word.text)
        name = match[1] if match else word.text
        if match:
            assign(state, name, word.tail(match.end()), adds=match[0].endswith("+="))
        if unexports:
            state.exported.discard(name)
        elif name in state.variables:
            state.exported.add(name)


def _declare(call: Call, state: State) -> None:
    exports = any(re.fullmatch(r"-\w*x\w*", word.text) for word in call.arguments)
    for word in call.arguments:
        match = ASSIGNMENT.match(word.text)
        if match:
            assign(state, match[1], word.tail(match.end()))
            if exports:
                state.exported.add(match[1])
        elif exports and word.text in state.variables:
            state.exported.add(word.text)


def _read(call: Call, state: State) -> None:
    names = [word.text for word in call.arguments if re.fullmatch(r"[A-Za-z_]\w*", word.text)]
    state.forget(*names)


def _let(call: Call, state: State) -> None:
    for word in call.arguments:
        match = re.match(r"\W*([A-Za-z_]\w*)", word.text)
        if match:
            state.forget(match[1])


def _set(call: Call, state: State) -> None:
    words = [word.text for word in call.arguments]
    if words[:1] == ["--"]:
        given = call.arguments[1:]
        state.variables.update({str(at): word for at, word in enumerate(given, start=1)})
        state.variables["@"] = state.variables["*"] = joined_by_blanks(given)
    elif words[:1] == ["-a"] or words == ["-o", "allexport"]:
        state.all_exported = True
    elif words[:1] == ["+a"] or words == ["+o", "allexport"]:
        state.all_exported = False


_GIT = Options.of(
    valued="""
    -C -b/--branch -B -c/--config --depth -o/--origin -j/--jobs --reference --filter --git-dir
    --work-tree --template --separate-git-dir --shallow-since --recurse-submodules
    """,
    flags="-q/--quiet --single-branch --recursive -f/--force --hard -d/--detach",
)


def _git(call: Call, state: State) -> None:
    """Apply ``git clone``, and a checkout of another revision in a clone."""
    given = _GIT.read(word for word in call.arguments if word.text != "--recurse-submodules")
    words = given.words
    verb = words[0].text if words else ""
    folder = path_of(Word(given.last("-C")), state) if given.last("-C") else state.folder
    clones = state.machine.clones
    if verb == "clone" and len(words) > 1 and folder is not None:
        url = words[1].text
        name = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
        into = words[2] if len(words) > 2 else Word(name)
        if not (words[1].holes or into.holes):
            path = os.path.join(folder, path_of(into, state))
            clones[path] = (url, given.last("--branch"))
    elif verb in ("checkout", "switch", "reset") and folder is not None:
        if any(word.text == "--" for word in call.arguments):  # what follows are files
            return
        made = given.has("--branch", "-B", "--config")  # -b, -c: a new name for what is there
        revision = next(iter(words[1:]), None)
        for path, (url, _) in clones.items():
            if folder == path or folder.startswith(f"{path}/"):
                known = revision is not None and not revision.holes and not made
                clones[path] = (url, revision.text if known and revision else None)


def joined_by_blanks(words: Sequence[Word]) -> Word:
    """Put words together, apart by blanks; unknown where one holds a blank itself."""
    if any(re.search(r"\s", word.text) for word in words):
        return unknown_value("@")
    parts: list[Word] = []
    for word in words:
        parts += [Word(" ")] * bool(parts) + [word]
    return joined(parts)


def _virtualenv(call: Call, state: State) -> None:
    """Apply ``virtualenv DIR``; its options do not matter here."""
    words = _VENV.read(call.arguments).words
    if words and not words[0].holes:
        state.machine.made.add(path_of(words[0], state))
    elif words:
        state.machine.made.add(words[0].text)


_VENV = Options.of(
    valued="""
    -p/--python --prompt --seed --pip --app-data --index-url --default-index
    """,
    flags="""
    --system-site-packages --clear --symlinks --copies --without-pip --upgrade-deps
    """,
)

_EFFECTS: dict[str, Callable[[Call, State], object]] = {
    **dict.fromkeys(("cd", "pushd"), _cd),
    **dict.fromkeys(("declare", "typeset", "local", "readonly"), _declare),
    **dict.fromkeys(("read", "mapfile", "readarray", "getopts"), _read),
    "popd": lambda _, state: setattr(state, "folder", None),
    "unset": lambda call, state: state.unset(*(word.text for word in call.arguments)),
    "deactivate": lambda _, state: state.deactivate(),
    "export": _export,
    "let": _let,
    "set": _set,
    "git": _git,
    "virtualenv": _virtualenv,
}


def of_module(call: Call, state: State) -> bool:
    """Apply the effects of a module that Python runs; return False for one without effects."""
    if call.program in ("venv", "virtualenv"):
        _virtualenv(call, state)
        return True
    return False


def of_tool(call: Call, state: State) -> bool:
    """Apply ``pip config`` and ``uv venv``; False if the call is another."""
    texts = [word.text for word in call.arguments if not word.text.startswith("-")]
    if call.program == "pip" and texts[:1] == ["config"]:
        _pip_config(call, state)
        return True
    if call.program == "uv" and texts[:1] == ["venv"]:
        words = _VENV.read(call.arguments).words[1:]
        state.machine.made.add(path_of(words[0] if words else Word(".venv"), state))
        return True
    return False


def _pip_config(call: Call, state: State) -> None:
    """Apply ``pip config set global.index-url URL``: the last one in any section or file counts."""
    words = Options.of(valued="--editor", flags="--user --global --site").read(call.arguments).words
    if len(words) < 3:
        return
    key = words[2].text.partition(".")[2] or words[2].text
    if words[1].text == "set" and len(words) > 3:
        state.pip_setting(key, words[3])
    elif words[1].text == "unset":
        state.pip_setting(key, None)


# Files


def printed(call: Call, redirections: Sequence[Redirection], state: State) -> str | None:
    """Return what a command prints; None if known only at run time."""
    words = list(call.arguments)
    if call.program == "cat":
        body = document(redirections, state)
        if body is not None:
            return f"{body}\n"
        if len(words) == 1:
            return state.machine.text(path_of(words[0], state))
        return None
    if call.program == "printf" and words:
        form, *values = (word.text for word in words)
        form = _unescaped(form)
        count = len(re.findall(r"%[sbdq]", form))
        if "%" in re.sub(r"%[sbdq]", "", form) or (values and not count):
            return None
        if not count:
            return form
        pieces = re.split(r"%[sbdq]", form)
        text = ""
        for at in range(0, max(len(values), 1), count):
            given = [*values[at : at + count], *[""] * count][:count]
            text += "".join(map("".join, zip(pieces, [*given, ""], strict=True)))
        return text
    if call.program != "echo":
        return None
    end = "\n"
    while words and re.fullmatch(r"-[neE]+", words[0].text):
        end = "" if "n" in words.pop(0).text else end
    return _unescaped(" ".join(word.text for word in words)) + end


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def document(redirections: Sequence[Redirection], state: State) -> str | None:
    """Return the text that a command is given by ``<<`` or ``<<<``; None without one.

    Where its delimiter is not quoted, this shell fills in its variables before the command sees
    them: one that is not known is left as ``${NAME:?}``, which nothing later takes for its own.
    """
    documents = [r for r in redirections if r.operator in ("<<", "<<-")]
    strings = [r for r in redirections if r.operator == "<<<"]
    if not documents:
        return state.value(strings[-1].target).text if strings else None
    last = documents[-1]
    if last.target.quoted:
        return last.body

    def value(match: re.Match[str]) -> str:
        if match[0].startswith("\\"):
            return match[0][1:]
        name = match[1] or match[2]
        known = state.variables.get(name)
        return f"${{{name}:?}}" if known is None or known.holes else known.text

    return re.sub(r"\\[$`\\]|\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", value, last.body)


def written(
    call: Call, state: State, piped: str | None, redirections: Sequence[Redirection]
) -> Iterator[str]:
    """Apply the files that a call writes; yield the reasons to list it for."""
    text = piped if call.program == "tee" else printed(call, redirections, state)
    by = f"{call.program}, line {call.line},"
    outputs = [r for r in redirections if r.operator in (">", ">>", ">|", "1>", "1>>", "&>")]
    files = [(r.target, ">>" in r.operator) for r in outputs]
    if call.program == "tee":
        appends = any(word.text in ("-a", "--append") for word in call.arguments)
        text = document(redirections, state) if text is None else text
        files += [(word, appends) for word in call.arguments if not word.text.startswith("-")]
    elif call.program in _CHANGERS:
        changed = [word for word in call.arguments if _SETTING_FILE.search(word.text)]
        files += [(word, False) for word in changed]
        text = None
    for word, appends in files:
        path = path_of(state.value(word), state)
        if not path.startswith("/dev/"):
            reason = state.wrote(path, text, append=appends, by=by)
            if reason:
                yield reason
    if call.program == "debconf-set-selections":
        yield "It answers Debian's questions in advance, which a request cannot say."
    elif call.program == "apt-key" and any(word.text == "add" for word in call.arguments):
        yield "It has apt trust another source, which a request cannot say."


_CHANGERS = listed("sed cp mv install ln curl wget gpg patch rsync perl crudini")
"""Programs that change a file in a way that is not followed; for a settings file, that is noted."""
