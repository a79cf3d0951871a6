"""The effects of commands on the next: variables, folders, settings, files."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..model.environment import TOOLS
from ..model.shell import Word
from ..model.words import listed
from . import Origin, Target
from .argv import Call, ProgramOptions, name_of_repository
from .machine import is_setting, unknown_value
from .others import RUN_LATER
from .python_tools import builds
from .settings import pip_config, set_by
from .state import State, has_no_python, is_array, joined, joined_by_blanks, word_of

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")
ASSIGNING = ("export", "declare", "local", "readonly", "typeset")
"""Builtins that take assignments as arguments; the shell splits no value in them."""

_HARMLESS = re.compile(
    r"(conda\.sh|mamba\.sh|micromamba\.sh|nvm\.sh|\.cargo/env|os-release|lsb-release"
    r"|bash_completion|\.bashrc|\.bash_profile|\.profile|/etc/profile)$"
)

_HARMLESS_OUTPUT = re.compile(
    r"(?:\S*/)?(?:(?:conda|mamba|micromamba) ['\"]?shell\S* .*hook|pyenv (?:virtualenv-)?init"
    r"|(?:nodenv|rbenv|jenv|goenv|fnm|nvm|opam|luarocks|starship|zoxide|thefuck|atuin|dircolors"
    r"|lesspipe|ssh-agent|gpg-agent|keychain|resize|tset|register-python-argcomplete)\b"
    r"|direnv hook|\S+ (?:.* )?completions?\b|_\w+_COMPLETE=)"
)
"""Commands whose output, read by the shell, chooses no Python and sets no source of packages."""


def unseen(state: State, path: str, output: str, line: int) -> None:
    """Take for unknown what a shell reads and we do not: it may set anything.

    Args:
        state: The state after it.
        output: The command whose output is read; empty for a file.
    """
    root = re.match(r"(/\S+)/(?:bin|condabin)/(?:conda|mamba|micromamba) ", output)
    if root:
        state.root = Target(prefix=root[1])
    if _HARMLESS_OUTPUT.match(output.strip()) if output else _HARMLESS.search(path):
        return
    state.forget_all()
    _doubt(state, output or path, line)


def _doubt(state: State, what: str, line: int) -> None:
    state.doubt = f"What {what} sets before it, {state.machine.at(line)}, is not seen here."


_VARIABLE = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*"
    r"""(?:'([^'\n]*)'|"([^"\n]*)"|((?:[^\n#]|(?<=\S)#)*))""",
    re.MULTILINE,
)
"""A variable of a ``.env`` file, as https://saurabh-kumar.com/python-dotenv/ has it."""


def load_variables(state: State, file: Word, line: int, *, override: bool) -> None:
    """Set what a ``.env`` file has, as ``load_dotenv`` does; say so where it is not seen."""
    text = state.text_of(file)
    if text is None:
        state.doubt = (
            f"What {file.text} sets before it, {state.machine.at(line)}, is not seen here."
        )
    for name, *values in _VARIABLE.findall(text or ""):
        value = "".join(values).strip()
        if override or name not in state.variables:
            state.define(name, unknown_value(name) if "${" in value else Word(value))


def shell_of(body: str) -> str:
    """Return the program that a script's first line gives it to; empty without such a line."""
    match = re.match(r"\s*#!\s*(?:/usr/bin/env\s+(?:-S\s+)?)?(\S+)", body)
    return os.path.basename(match[1]) if match else ""


def assign(state: State, name: str, value: Word, *, adds: bool = False) -> None:
    """Set a variable of the shell's; one that programs see already, they see on."""
    before = state.variables.get(name)
    value = state.array(value)
    if adds and before is not None and is_array(before) and is_array(value):
        value = replace(value, text=f"{before.text[:-1]} {value.text[1:]}")
    elif adds and before is not None:
        value = joined((before, value))
    elif adds and not state.closed:
        value = joined((Word(f"${name}", holes=(f"${name}",)), value))
    if name == "path" and is_array(value) and "ZSH_VERSION" in state.variables:
        folders = value.text[1:-1].replace("$path", "$PATH").split()
        state.define("PATH", word_of(":".join(folders)))
    known = name in state.exported or name == "PATH"
    state.define(name, value, export=known)


# Commands


def of_command(call: Call, state: State) -> bool:
    """Apply what a command of the shell or a tool sets; return False for other commands."""
    effect = _EFFECTS.get(call.program)
    return effect is not None and effect(call, state) is not False


def _cd(call: Call, state: State) -> None:
    words = [word for word in call.arguments if word.text not in ("--", "-P", "-L")]
    word = words[0] if words else Word("~")
    if re.fullmatch(r"\$\{?HOME\}?", "".join(word.holes)):
        word = Word(state.path_of(Word(f"{word.text}/")))
    word = unknown_value("OLDPWD") if word.text == "-" else word
    state.enter(word, within=call.program == "pushd")


def _declare(call: Call, state: State) -> None:
    """Apply ``export``, ``declare -x`` and their like."""
    options = "".join(word.text for word in call.arguments if word.text.startswith("-"))
    exports = call.program == "export" or "x" in options
    filled = [word if ASSIGNMENT.match(word.text) else state.words(word) for word in call.arguments]
    for word in (each for one in filled for each in (one if isinstance(one, list) else [one])):
        match = ASSIGNMENT.match(word.text)
        if word.holes and not match:
            unseen(state, f"{call.program} {word.text}", "", call.line)
        name = match[1] if match else word.text
        if match:
            assign(state, name, word.tail(match.end()), adds=match[0].endswith("+="))
        if call.program == "export" and "n" in options:
            state.exported.discard(name)
        elif exports and name in state.variables:
            state.exported.add(name)


READING = ("read", "mapfile", "readarray", "getopts")
"""Builtins that set variables by what they read."""


def read(call: Call, state: State) -> None:
    """Set the variables that a builtin reads; unknown where the text is not from a file."""
    names = [word.text for word in call.arguments if re.fullmatch(r"[A-Za-z_]\w*", word.text)]
    state.forget(*names)
    text = state.printed([Word("cat")], call.redirections)
    options = "".join(word.text.lstrip("-") for word in call.arguments if word.text[:1] == "-")
    if text is None or len(names) != 1 or set(options) - set("rt"):
        return
    if call.program == "read":
        state.define(names[0], Word(text.partition("\n")[0].strip()), export=False)
    elif "t" in options:
        lines = " ".join(map(shlex.quote, text.splitlines()))
        state.define(names[0], Word(f"({lines})"), export=False)


def _shift(call: Call, state: State) -> None:
    """Apply ``shift [N]`` to the arguments, as far as they are known."""
    number = call.arguments[0].text if call.arguments else "1"
    given = state.variables.get("#")
    if given is None or given.holes or not number.isdigit():
        state.forget(*"123456789@*#")
        return
    last = int(given.text) + 1
    names = [str(at) for at in range(1 + int(number), last)]
    state.variables.update(positional([state.variables[name] for name in names]))


_MOST_ARGUMENTS = 200


def positional(words: Sequence[Word]) -> dict[str, Word]:
    """Return ``$1``, ``$2`` and so on, ``$@`` and their number for the arguments of a script."""
    if len(words) > _MOST_ARGUMENTS:
        return {name: unknown_value(name) for name in (*map(str, range(1, 10)), *"@*#")}
    given = {str(at): Word("") for at in range(1, 10)}
    given |= {str(at): word for at, word in enumerate(words, start=1)}
    every = joined_by_blanks(words)
    return {**given, "@": every, "*": every, "#": Word(str(len(words)))}


def _let(call: Call, state: State) -> None:
    for word in call.arguments:
        match = re.match(r"\W*([A-Za-z_]\w*)", word.text)
        if match:
            state.forget(match[1])


def _set(call: Call, state: State) -> None:
    words = [word.text for word in call.arguments]
    if words[:1] == ["--"]:
        state.variables.update(positional(call.arguments[1:]))
    elif words[:1] == ["-a"] or words == ["-o", "allexport"]:
        state.all_exported = True
    elif words[:1] == ["+a"] or words == ["+o", "allexport"]:
        state.all_exported = False


_GIT = ProgramOptions.of(
    valued="""
    -C -b/--branch -B -c/--config --depth -o/--origin -j/--jobs --reference --filter --git-dir
    --work-tree --template --separate-git-dir --shallow-since --recurse-submodules
    """
)


ARCHIVE = re.compile(r"(?:\.tar)?\.(?:gz|bz2|xz|zst|tar|tgz|tbz2?|txz|zip)$")
_UNPACK = ProgramOptions.of(
    valued="-C/--directory -d/--directory -f/--file --strip-components -I/--use-compress-program"
)


def _unpack(call: Call, state: State) -> bool:
    """Note the folder that ``tar`` or ``unzip`` makes: it is of the archive, not of a clone."""
    given = _UNPACK.read(call.arguments)
    into = given.last("--directory")
    named = (*given.values("--file"), *given.words)
    archives = [word for word in named if ARCHIVE.search(word.text) and not word.holes]
    letters = [word.text for word in call.arguments if re.match(r"-?[A-Za-z]+$", word.text)]
    takes_out = call.program == "unzip" or "--extract" in (w.text for w in call.arguments)
    takes_out = takes_out or any("x" in each for each in letters[:1])
    if not archives or not takes_out or (state.folder is None and not into):
        return False
    archive = state.path_of(archives[0])
    folder = state.path_of(Word(into)) if into else str(state.folder)
    fetched = state.machine.fetched
    own = f"{folder}/{ARCHIVE.sub('', os.path.basename(archive))}"
    made = folder if into and folder not in fetched else own
    url = fetched[archive].url if archive in fetched else archive
    fetched.setdefault(made, Origin(url, revision=None))
    return False  # what it brings elsewhere is said there


def _alternatives(call: Call, state: State) -> None:
    """Apply ``update-alternatives --install LINK NAME PATH PRIORITY`` and ``--set NAME PATH``."""
    if any(_PROGRAM.search(f"/{word.text}") for word in call.arguments):
        said = " ".join(word.text for word in call.words)
        state.machine.chosen = f"{said}, {state.machine.at(call.line)}, chooses its Python."


_PROGRAM = re.compile(r"/(?:python|pip)[\d.]*$")
_CONDA_INSTALLER = re.compile(r"(?:mini|ana)conda\d?|miniforge\d?|mambaforge", re.IGNORECASE)
_CONDA_INSTALLERS = ProgramOptions.of(valued="-p")


def conda_installer(call: Call, state: State, path: str) -> None:
    """Note the conda that ``bash Miniforge3….sh -b -p PREFIX`` makes."""
    fetched = state.machine.fetched.get(path)
    named = _CONDA_INSTALLER.match(os.path.basename(fetched.url if fetched else path))
    if named:
        given = _CONDA_INSTALLERS.read(call.arguments).values("-p")
        word = given[-1] if given else Word(f"~/{named[0].lower()}")
        state.machine.roots.add(state.path_of(word))


def _alias(call: Call, state: State) -> None:
    """Keep ``alias NAME=TEXT``; only a shell that expands them in scripts looks at it."""
    for word in call.arguments:
        name, equals, _ = word.text.partition("=")
        if equals:
            state.variables[f"alias {name}"] = word.tail(len(name) + 1)


def _shopt(call: Call, state: State) -> None:
    words = {word.text for word in call.arguments}
    if {"-s", "expand_aliases"} <= words:
        state.variables["alias"] = Word("on")


def _git(call: Call, state: State) -> bool:
    """Apply ``git clone``, a checkout of another revision in a clone; False for what runs more."""
    given = _GIT.read(word for word in call.arguments if word.text != "--recurse-submodules")
    words = given.words
    verb = words[0].text if words else ""
    folder = state.path_of(Word(given.last("-C"))) if given.last("-C") else state.folder
    fetched = state.machine.fetched
    if verb == "config" and any(word.text.endswith(".insteadOf") for word in words):
        by = f"git config, {state.machine.at(call.line)},"
        said = " ".join(word.text for word in words)
        state.machine.wrote("~/.gitconfig", said, append=True, by=by)
    elif verb == "clone" and len(words) > 1 and folder is not None:
        url = words[1].text
        into = words[2] if len(words) > 2 else Word(name_of_repository(url))
        if not (words[1].holes or into.holes):
            path = os.path.join(folder, state.path_of(into))
            fetched[path] = Origin(url, given.last("--branch"))
    elif verb in ("checkout", "switch", "reset") and folder is not None:
        if any(word.text == "--" for word in call.arguments):  # what follows are files
            return True
        made = given.has("--branch", "-B", "--config")  # -b, -c: a new name for what is there
        revision = next(iter(words[1:]), None)
        for path, origin in fetched.items():
            if not origin.is_file and f"{folder}/".startswith(f"{path}/"):
                known = revision is not None and not revision.holes and not made
                fetched[path] = origin._replace(
                    revision=revision.text if known and revision else None
                )
    return not (words and verb in ("submodule", "bisect", "rebase"))


def _module(call: Call, state: State) -> bool:
    """Apply ``module load NAME`` and its like; False for other verbs."""
    words = [word.text for word in call.arguments if not word.text.startswith("-")]
    verbs = _LOADING.get(call.program, ())
    if call.program == "ml" or (words[:1] and words[0] in verbs):
        brought = [word for word in words if not has_no_python(word)]
        if call.program in _SHELL_STARTERS or set(brought) - {*verbs}:
            line = f"{call.program} {' '.join(words)}"
            state.doubt = (
                f"{line} before it, {state.machine.at(call.line)}, may bring a Python of its own."
            )
            return True
    return call.program in ("module", "ml")


_SHELL_STARTERS = ("poetry", "pipenv", "hatch", "pixi")
_LOADING = {
    **dict.fromkeys(("module", "ml"), ("load", "add", "swap", "switch")),
    **dict.fromkeys(_SHELL_STARTERS, ("shell",)),
    "spack": ("load", "env"),
}
"""Programs that may bring another Python to the lines after them, and their verbs that do."""


def _workon(call: Call, state: State) -> None:
    """Apply virtualenvwrapper's ``workon NAME`` and ``mkvirtualenv NAME``."""
    names = [word.text for word in call.arguments if not word.text.startswith("-")]
    if names:
        home = state.variables.get("WORKON_HOME", Word("~/.virtualenvs")).text
        state.activate(Target(prefix=f"{home}/{names[-1]}"), conda=False)


def _pyenv(call: Call, state: State) -> bool:
    """Apply ``pyenv activate NAME``, ``pyenv shell VERSION``; return False for other verbs."""
    words = [word.text for word in call.arguments]
    if call.program != "pyenv" and "python" not in words:
        return False
    if words[:1] == ["activate"] and len(words) > 1:
        state.activate(Target(prefix=f"~/.pyenv/versions/{words[1]}"), conda=False)
    elif words[:1] and words[0] in ("shell", "local", "global", "set"):
        said = f"{call.program} {' '.join(words)}"
        state.doubt = f"{said} before it, {state.machine.at(call.line)}, chooses the Python."
    else:
        return False
    return True


def _virtualenv(call: Call, state: State) -> None:
    """Apply ``virtualenv DIR``; its options do not matter here."""
    for word in _VENV.read(call.arguments).words[:1]:
        path = state.path_of(word)
        state.machine.made |= {path, word.text if word.holes else call.path(word.text)}


_VENV = ProgramOptions.of(
    valued="-p/--python --prompt --seed --pip --app-data --index-url --default-index"
)

_EFFECTS: dict[str, Callable[[Call, State], object]] = {
    **dict.fromkeys(("cd", "pushd"), _cd),
    **dict.fromkeys(ASSIGNING, _declare),
    "popd": lambda _, state: state.leave(),
    "unset": lambda call, state: state.unset(*(word.text for word in call.arguments)),
    "deactivate": lambda _, state: state.deactivate(),
    "let": _let,
    "shift": _shift,
    "update-alternatives": _alternatives,
    "set": _set,
    "git": _git,
    **dict.fromkeys(("tar", "unzip"), _unpack),
    "alias": _alias,
    "shopt": _shopt,
    **dict.fromkeys(_LOADING, _module),
    **dict.fromkeys(("workon", "mkvirtualenv"), _workon),
    **dict.fromkeys(("pyenv", "asdf"), _pyenv),
    "virtualenv": _virtualenv,
}


def of_module(call: Call, state: State) -> bool:
    """Apply the effects of a module that Python runs; return False for one without effects."""
    if call.program in ("venv", "virtualenv"):
        _virtualenv(call, state)
        return True
    return call.program == "build" and builds(call)


def of_tool(call: Call, state: State) -> bool:
    """Apply ``pip config``, ``uv venv`` and ``init``, builds; False if the call is another."""
    if call.program != "build" and builds(call):  # python -m build alone is that one
        return True
    texts = [word.text for word in call.arguments if not word.text.startswith("-")]
    if call.program == "pip" and texts[:1] == ["config"]:
        pip_config(call)
        return True
    if call.program == "uv" and texts[:1] == ["init"]:  # its project makes one when it is used
        state.machine.made.add(state.path_of(Word(os.path.join(*texts[1:2], ".venv"))))
        return True
    if call.program == "uv" and texts[:1] == ["venv"]:
        words = _VENV.read(call.arguments).words[1:]
        state.machine.made.add(state.path_of(words[0] if words else Word(".venv")))
        return True
    return False


# Files


def written(
    call: Call, state: State, later: Callable[[str, str | None, State], str]
) -> Iterator[str]:
    """Apply the files that a call writes; yield the reasons to list it for.

    Args:
        later: Returns the reason for listing a file of that path and text.
    """
    piped = call.pipe.text if call.pipe else None
    text = state.printed(call.words, call.redirections, piped)
    by = f"{call.program}, {state.machine.at(call.line)},"
    if setting := set_by(call):
        state.machine.wrote(state.path_of(Word(setting)), None, by=by)
    outputs = [r for r in call.redirections if r.operator in (">", ">>", ">|", "1>", "1>>", "&>")]
    files = [(r.target, ">>" in r.operator) for r in outputs]
    if call.program == "tee":
        appends = any(word.text in ("-a", "--append") for word in call.arguments)
        files += [(word, appends) for word in call.arguments if not word.text.startswith("-")]
    else:
        for source, path, named in list(_copied(call, state)):
            known = state.machine.text(source)
            seen = known is not None or state.machine.text(path) is not None
            if named and (seen or is_setting(path)):
                yield state.machine.wrote(path, known, by=by)
            yield later(path, known, state)
        for word in _changed(call, state):
            yield state.machine.wrote(state.path_of(word), None, by=by)
        *sources, target = [w for w in call.arguments if w.text[:1] != "-"] or [Word("")]
        for word in sources if call.program in ("cp", "mv") and not target.holes else ():
            state.machine.copied(state.path_of(word), state.path_of(target).rstrip("/"))
        gone = call.arguments[:-1] if call.program == "mv" else call.arguments
        for word in gone if call.program in ("rm", "unlink", "mv") else ():
            state.machine.removed(state.path_of(word))
    for word, appends in files:
        path = state.path_of(state.value(word))
        if not path.startswith("/dev/"):
            reason = state.machine.wrote(path, text, append=appends, by=by)
            yield reason or (later(path, text, state) if text else "")
    for path, url in _downloaded(call, state, [word for word, _ in files]):
        if not is_setting(path):
            state.machine.files.pop(path, None)
            state.machine.fetched[path] = Origin(url, is_file=True)
        yield later(path, None, state)
    placed = [word.text for word in (*call.arguments[-1:], *(word for word, _ in files))]
    if call.program == "git":
        placed = placed if call.arguments[:1] and call.arguments[0].text == "clone" else []
    into = next((path for path in placed if _PACKAGES.search(path)), "")
    if into and (files or call.program in ("ln", "wget", "curl", "git", "patch")):
        yield f"It writes into {into}; a request is for conda, pip or apt."
    if call.program == "ln" and placed and _PROGRAM.search(placed[0]):
        said = " ".join(word.text for word in call.words)
        state.machine.chosen = f"{said}, {state.machine.at(call.line)}, changes its Python."
    if call.program == "debconf-set-selections":
        yield "It answers Debian's questions in advance, which a request cannot say."
    elif call.program == "apt-key" and {"add", "adv"} & {word.text for word in call.arguments}:
        yield "It has apt trust another source, which a request cannot say."


_PACKAGES = re.compile(r"/(?:site|dist)-packages\b|getsitepackages|get_path")
_COPIERS = listed("cp mv install ln rsync")
_CHANGERS = listed("sed curl wget gpg patch perl crudini")
"""Programs that change a file, in a way that is not followed."""
_COPYING = ProgramOptions.of(
    valued="-t/--target-directory -m/--mode -o/--owner -g/--group -S/--suffix --exclude -e/--rsh",
    flags="-d/--directory",
)


def _copied(call: Call, state: State) -> Iterator[tuple[str, str, bool]]:
    """Yield the source and the path of each file that a program copies, moves or links.

    The third says whether the source is named itself: the files of a folder and of a pattern are
    only there to be held against what runs later.
    """
    given = _COPYING.read(call.arguments)
    if call.program not in _COPIERS or (call.program == "install" and given.has("--directory")):
        return
    into = given.values("--target-directory") if call.program != "rsync" else ()
    *sources, target = (*given.words, *into[-1:]) or (Word("", holes=("",)),)
    if target.holes:
        return
    folder = state.path_of(target).rstrip("/") or "/"
    runs = RUN_LATER.search(f"{folder}/")
    is_folder = len(sources) > 1 or bool(into) or target.text.endswith("/")
    is_folder = is_folder or bool(runs and runs["folder"] and runs.end() > len(folder))
    for word in sources:
        source = "" if word.holes else state.path_of(word)
        looks = source and (state.closed or runs)  # a folder of this machine may hold anything
        below = state.machine.below(source) if looks else []
        if below in ([], [source]):
            name = os.path.basename(word.text.rstrip("/"))
            yield source, os.path.join(folder, name) if is_folder else folder, True
            continue
        content = source.endswith("/." if call.program != "rsync" else "/")
        root = source if content else os.path.dirname(source.rstrip("/"))
        for file in below:
            yield file, os.path.join(folder, os.path.relpath(file, root)), False


def _changed(call: Call, state: State) -> Iterator[Word]:
    """Yield the files that a program changes, in a way that is not followed."""
    yield from _output(call)
    if call.program not in _CHANGERS:
        return
    options = [word.text for word in call.arguments if word.text.startswith("-")]
    names = [word for word in call.arguments if word.text not in options]
    if call.program in ("sed", "perl"):
        names = names if any(re.match(r"-\w*i|--in-place", each) for each in options) else []
    fetches = call.program in _DOWNLOADS
    for word in names:
        known = not fetches and state.machine.text(state.path_of(word)) is not None
        if known or is_setting(word.text) or (not fetches and _LIST.search(word.text)):
            yield word


_LIST = re.compile(r"\.(?:txt|in|ya?ml|toml|lock)$")
_OUTPUTS: dict[str, str] = {
    **dict.fromkeys(("poetry", "pdm"), "-o/--output"),
    **dict.fromkeys(("uv", "pip-compile"), "-o/--output-file"),
    **dict.fromkeys(TOOLS, "-f/--file"),
    "pipreqs": "--savepath",
}
"""The options by which tools name the list that they write."""


def _output(call: Call) -> tuple[Word, ...]:
    """Return the list that an export or a compilation of requirements writes."""
    option = _OUTPUTS.get(call.program)
    verbs = {word.text for word in call.arguments[:2]}
    always = call.program in ("pip-compile", "pipreqs")
    if option is None or not (always or verbs & {"export", "compile"}):
        return ()
    given = ProgramOptions.of(valued=option).read(call.arguments)
    return given.values(option.rpartition("/")[2])


_DOWNLOADS = {
    "wget": ProgramOptions.of(
        valued="""
        -O/--output -P/--folder --directory-prefix/--folder -o/--log -a/--append-output -t/--tries
        -T/--timeout -U/--user-agent --header -e/--execute -i/--input-file
        --output-document/--output
        """
    ),
    "curl": ProgramOptions.of(
        valued="""
        -o/--output -H/--header -d/--data -u/--user -X/--request -A/--user-agent -e/--referer
        -b/--cookie -m/--max-time --retry --retry-delay --connect-timeout --output-dir/--folder
        -x/--proxy --cacert -w/--write-out
        """,
        flags="-O/--remote-name",
    ),
}
"""The programs that download a file, and their options."""


def _downloaded(call: Call, state: State, written: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Yield the path and the URL of each file that a program downloads."""
    table = _DOWNLOADS.get(call.program)
    if table is None:
        return
    given = table.read(call.arguments)
    urls = [word for word in given.words if "://" in word.text and not word.holes]
    output, folder = given.last("--output"), given.last("--folder")
    named = written[-1].text if written and output in ("", "-") else output
    if call.program == "curl" and not (named or given.has("--remote-name")):
        return
    for url in urls[:1] if named else urls:
        name = named or os.path.basename(re.split(r"[?#]", url.text, maxsplit=1)[0])
        if name and name != "-":
            yield state.path_of(Word(os.path.join(folder, name))), url.text
