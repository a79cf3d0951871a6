"""Kernelspec → Environment: the environment of a kernel with a given name.

Jupyter's data path is followed here, without jupyter_core: a terminal's environment need
not have that, and the path of the *server* counts, whose prefix is not this process's. The
order is that of ``jupyter_core.paths.jupyter_path``; ``argv`` is read as jupyter_client's
``KernelManager`` does.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..io.reading import text_of
from ..model.documents import parse_json
from ..model.environment import Environment, prefix_of_name
from ..model.errors import InvalidSpec, UnknownEnvironment
from .environment import detect, find, is_conda_prefix

NATIVE = "python3"
"""The kernel that jupyter_client offers without a kernelspec: the server's own Python."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """One kernelspec."""

    name: str  #: the name for ``--kernel``: the folder's name in lower case
    folder: str  #: the folder of its ``kernel.json``; empty for the native kernel without one
    argv: tuple[str, ...]  #: its command line; nothing in it is expanded
    display_name: str = ""  #: its name in the launcher
    language: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)  #: its other metadata
    #: the variables it is started with, in addition to the server's
    environ: Mapping[str, str] = field(default_factory=dict)


class KernelEnvironment(NamedTuple):
    """An environment and the names of the kernels that run in it."""

    environment: Environment
    kernels: tuple[str, ...]


def kernelspecs() -> dict[str, Kernelspec]:
    """Return the kernelspecs by name: those of the server, then those of this environment.

    Folders with a ``kernel.json`` that cannot be read are left out, as Jupyter leaves them out.
    """
    found: dict[str, Kernelspec] = {}
    for folder in data_path():
        for spec in _specs_in(f"{folder}/kernels"):
            found.setdefault(spec.name, spec)
    if NATIVE not in found:
        found[NATIVE] = Kernelspec(NATIVE, "", ("python", "-m", "ipykernel_launcher"))
    return found


def environment_of(name: str, display_name: str = "") -> Environment:
    """Return the environment of the kernel called `name`.

    Args:
        name: A kernelspec's name, or that of nb_conda_kernels for an environment's kernel,
            which has no kernelspec on disk.
        display_name: The kernelspec's display name in the notebook.

    Raises:
        UnknownEnvironment: There is no such kernelspec; or its command line does not show where it
            runs, or leads to no environment.
        JStackMagicError: conda's configuration is broken.
    """
    specs = kernelspecs()
    spec = specs.get(name.lower())
    if spec is None:
        conda_name = _of_nb_conda_kernels(name, display_name)
        if conda_name:
            return find(name=conda_name)
        raise _unknown_kernel(name, specs)
    return _environment(spec)


def _of_nb_conda_kernels(name: str, display_name: str) -> str:
    """Return the environment that nb_conda_kernels makes a kernel's name of; empty for others.

    Its default names are ``conda-env-NAME-LANGUAGE`` and ``conda-root-LANGUAGE``, shown as
    ``Python [conda env:NAME] *`` (``name_format`` in its README).
    """
    of_name = re.fullmatch(r"conda-(?:env-(.+)|root|base)-\w+", name)
    if of_name is None:
        return ""
    shown = re.search(r"\[conda (?:env:([^\]]+)|root|base)\]", display_name)
    said = (shown or of_name)[1] or "base"
    return "base" if said == "root" else said


def environments() -> tuple[KernelEnvironment, ...]:
    """Return the distinct environments of kernels; `not_understood` lists the other kernels.

    Raises:
        JStackMagicError: conda's configuration is broken.
    """
    return _all()[0]


def not_understood() -> tuple[UnknownEnvironment, ...]:
    """Return why a kernelspec leads to no environment, for each that does not."""
    return _all()[1]


def _all() -> tuple[tuple[KernelEnvironment, ...], tuple[UnknownEnvironment, ...]]:
    kernels: dict[str, tuple[Environment, list[str]]] = {}
    failures: list[UnknownEnvironment] = []
    for name, spec in sorted(kernelspecs().items()):
        try:
            environment = _environment(spec)
        except UnknownEnvironment as error:
            failures.append(error)
            continue
        key = os.path.realpath(environment.prefix)
        kernels.setdefault(key, (environment, []))[1].append(name)
    found = (
        KernelEnvironment(environment, tuple(names)) for environment, names in kernels.values()
    )
    return tuple(found), tuple(failures)


def _environment(spec: Kernelspec) -> Environment:
    reason = _started_by(spec)
    environment = None
    if not reason:
        try:
            prefix = spec.metadata.get("conda_env_path")  # of nb_conda_kernels
            named = detect(prefix) if isinstance(prefix, str) and prefix else None
            environment = named or _by_argv(spec)
            reason = "its command line does not say which."
        except UnknownEnvironment as error:
            reason = error.problem
    if environment is None:
        from ..model.credentials import mask

        raise UnknownEnvironment(
            f"The kernelspec {spec.name} leads to no environment: {reason}",
            advice=(
                f"It starts: {mask(shlex.join(spec.argv))}",
                "Name its environment with --prefix PATH.",
            ),
        )
    return environment


def _started_by(spec: Kernelspec) -> str:
    """Return a sentence if another program than the server decides where a kernel runs.

    A ``kernel_provisioner`` is jupyter_client's, a ``process_proxy`` Enterprise Gateway's.
    """
    for key, field_name, own in (
        ("kernel_provisioner", "provisioner_name", "local-provisioner"),
        ("process_proxy", "class_name", "LocalProcessProxy"),
    ):
        entry = spec.metadata.get(key)
        if entry is None:
            continue
        name = str(entry.get(field_name, "") if isinstance(entry, dict) else entry)
        if name.rpartition(".")[2] != own:
            return f"it is started by {name or key}, which decides where it runs."
    return ""


def _unknown_kernel(name: str, known: Iterable[str]) -> UnknownEnvironment:
    from difflib import get_close_matches

    names = sorted(known)
    nearest = get_close_matches(name.lower(), names, n=1)
    advice = [f"Did you mean {nearest[0]}?"] if nearest else []
    advice.append(f"There are: {', '.join(names)}.")
    return UnknownEnvironment(f"No kernelspec is called {name}.", advice=tuple(advice))


# Jupyter's data path


def data_path() -> tuple[str, ...]:
    """Return the folders of kernelspecs (under ``kernels``), the strongest first.

    They are the server's if this process is a server's kernel; those of this process's own
    environment come last, if they are others.
    """
    server = _server_prefix()
    own = f"{sys.prefix}/share/jupyter"
    if server is None:
        return _data_path_of(sys.prefix)
    return tuple(dict.fromkeys((*_data_path_of(server), own)))


def _data_path_of(prefix: str) -> tuple[str, ...]:
    """Return ``jupyter_path()`` for a Jupyter at `prefix`, and IPython's older folder."""
    configured = os.environ.get("JUPYTER_PATH", "").split(os.pathsep)
    system = _system_folders()
    environment = [f"{prefix}/share/jupyter"]
    user = _user_folders()
    # Folders that are also system folders (an image with its Python in /usr/local) come last.
    nearest = [*environment, *user] if _prefers_environment(prefix) else [*user, *environment]
    ipython = os.environ.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    folders = (
        *(folder.rstrip("/") for folder in configured if folder),
        *(folder for folder in nearest if folder not in system),
        *system,
        ipython,
    )
    return tuple(dict.fromkeys(folders))


def _user_folders() -> list[str]:
    import site

    if os.environ.get("JUPYTER_DATA_DIR"):
        folder = os.environ["JUPYTER_DATA_DIR"]
    elif _is_set("JUPYTER_PLATFORM_DIRS"):
        from platformdirs import user_data_dir

        folder = user_data_dir("jupyter", appauthor=False)
    else:
        home = os.path.realpath(os.path.expanduser("~"))
        folder = f"{os.environ.get('XDG_DATA_HOME') or f'{home}/.local/share'}/jupyter"
    base = site.getuserbase() if site.ENABLE_USER_SITE else None
    return [folder, f"{base}/share/jupyter"] if base else [folder]


def _system_folders() -> list[str]:
    if _is_set("JUPYTER_PLATFORM_DIRS"):
        from platformdirs import site_data_dir

        return site_data_dir("jupyter", appauthor=False, multipath=True).split(os.pathsep)
    return ["/usr/local/share/jupyter", "/usr/share/jupyter"]


def _is_set(variable: str) -> bool:
    value = os.environ.get(variable, "no")
    return value.lower() not in {"no", "n", "false", "off", "0", "0.0"}


def _prefers_environment(prefix: str) -> bool:
    """Return whether the environment's own kernelspecs come before the user's."""
    if "JUPYTER_PREFER_ENV_PATH" in os.environ:
        return _is_set("JUPYTER_PREFER_ENV_PATH")
    if not _is_mine(prefix):
        return False
    if os.path.isfile(f"{prefix}/pyvenv.cfg"):
        return True
    active = os.environ.get("CONDA_PREFIX")
    named = os.environ.get("CONDA_DEFAULT_ENV", "base") != "base"
    return active is not None and prefix.startswith(active) and named


def _is_mine(folder: str) -> bool:
    try:
        return os.stat(folder).st_uid == os.geteuid()
    except OSError:
        return False


def _server_prefix() -> str | None:
    """Return the environment of the process that started this kernel; None without one.

    jupyter_client leaves its number in JPY_PARENT_PID, and Linux shows its command line:
    ``PREFIX/bin/python PREFIX/bin/jupyter-lab ...``. The script is the better evidence, as
    ``python`` may be a link.
    """
    server = os.environ.get("JPY_PARENT_PID", "")
    if not server.isdecimal() or int(server) == os.getpid():
        return None
    try:
        with open(f"/proc/{server}/cmdline", "rb") as file:
            argv = os.fsdecode(file.read()).split("\0")
    except OSError:
        return None
    for argument in (*argv[1:2], *argv[:1]):
        prefix = os.path.dirname(os.path.dirname(argument))
        if os.path.isabs(argument) and os.path.exists(f"{prefix}/bin/python3"):
            return prefix
    return None


def _specs_in(folder: str) -> Iterator[Kernelspec]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        try:
            path = f"{folder}/{name}/kernel.json"
            content = parse_json(text_of(Path(path)), path)
        except (OSError, InvalidSpec):
            continue
        if isinstance(content, dict):
            yield Kernelspec(
                name=name.lower(),
                folder=f"{folder}/{name}",
                argv=tuple(map(str, content.get("argv") or ())),
                display_name=str(content.get("display_name", "")),
                language=str(content.get("language", "")),
                metadata=_mapping(content.get("metadata")),
                environ={k: str(v) for k, v in _mapping(content.get("env")).items()},
            )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# What a kernelspec says


def _by_argv(spec: Kernelspec) -> Environment | None:
    own = spec.folder.partition("/share/jupyter/kernels/")[0]
    own = own if _is_marked(own) else _server_prefix() or sys.prefix
    values = {"prefix": own, "resource_dir": spec.folder}
    argv = [
        re.sub(r"\{(prefix|resource_dir)\}", lambda match: values[match[1]], argument)
        for argument in spec.argv
    ]
    if argv[1:3] == ["-m", "nb_conda_kernels.runner"] and len(argv) > 4:
        return detect(argv[4])
    # jupyter_client takes the server's own Python for these, and the PATH for every other name.
    if argv and argv[0] in {"python", "python3"}:
        return None if _starts_another(argv[1:]) else detect(own)
    path = spec.environ.get("PATH")
    return _by_command(argv, _Seen(own, None if path is None else os.path.expandvars(path)))


def _is_marked(folder: str) -> bool:
    """Return whether a folder says that it is an environment, as only system Pythons do not."""
    return is_conda_prefix(folder) or os.path.isfile(f"{folder}/pyvenv.cfg")


class _Seen(NamedTuple):
    """The context of a command line: the kernelspec's own environment, and PATH if it is set."""

    own: str
    path: str | None = None


_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
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


def _by_command(argv: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of a command line, through the usual wrappers."""
    if not argv:
        return None
    command, *arguments = argv
    match os.path.basename(command):
        case "env":
            rest, path = _after_env(arguments)
            return _by_command(rest, seen if path is None else seen._replace(path=path))
        case "bash" | "dash" | "sh" | "zsh":
            return _by_shell(arguments, seen)
        case "conda" | "mamba" | "micromamba" if "run" in arguments:
            return _by_conda_run(command, arguments[arguments.index("run") + 1 :], seen)
    return _by_program(command, arguments, seen)


def _by_program(command: str, arguments: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of an interpreter; other programs in one may run another's.

    So ``pixi run`` and ``poetry run`` show nothing, wherever pixi and poetry are installed. An
    interpreter is inside its environment, at any depth: ``PREFIX/lib/R/bin/R``.
    """
    path = _located(command, seen)
    links = tuple(_links(path))
    name = next((name for name in map(os.path.basename, links) if _runs(name)), "")
    beside = {os.path.dirname(os.path.dirname(link)) for link in links}
    first = _first_line(path)
    if first.startswith("#!") and not (name and any(map(_is_marked, beside))):
        return _by_script(path, arguments, first, seen)
    if not name or (_PYTHON.fullmatch(name) and _starts_another(arguments)):
        return None
    for location in links:
        for folder in Path(location).parents:
            if _is_marked(str(folder)):
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


def _runs(name: str) -> bool:
    return bool(_PYTHON.fullmatch(name) or _KERNEL.fullmatch(name))


def _starts_another(arguments: Sequence[str]) -> bool:
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
            return not (script[2] == "ipykernel_launcher.py" or script[0].endswith("/ipykernel"))
    return False


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(256)
    except OSError:
        return ""


def _by_script(path: str, arguments: Sequence[str], first: str, seen: _Seen) -> Environment | None:
    """Return the environment in a helper script; a program's entry point is not one."""
    words = first[2:].split()
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    interpreter = os.path.basename(words[0]) if words else ""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            script = file.read(_LONGEST_SCRIPT)
    except OSError:
        return None
    if interpreter in ("bash", "dash", "sh", "zsh", "ksh"):
        return _by_commands(script, path, arguments, seen)
    is_kernel = re.search(r"^(?:from|import) (?:ipykernel|IPython)\b", script, re.MULTILINE)
    if _PYTHON.fullmatch(interpreter) and is_kernel:
        return _by_program(words[0], (), seen)
    return None


_LONGEST_SCRIPT = 65_536  # characters; a helper script has a few lines


def _located(command: str, seen: _Seen) -> str:
    from shutil import which

    if "/" not in command:
        beside = f"{seen.own}/bin/{command}"
        path = beside if seen.path is None and os.path.exists(beside) else None
        path = path or which(command, path=seen.path)
    else:
        path = command if os.path.exists(command) else None
    if path is None:
        raise UnknownEnvironment(f"there is no {command}.")
    return path


def _by_conda_run(conda: str, arguments: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of ``conda run -n NAME ...`` and ``conda run -p PREFIX ...``."""
    rest = list(arguments)
    chosen: Environment | None = None
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        takes_value = option in {"-n", "--name", "-p", "--prefix", "--cwd", "-r", "--root-prefix"}
        if takes_value and not equals and rest:
            value = rest.pop(0)
        if option in {"-p", "--prefix"}:
            chosen = detect(value)
        if option in {"-n", "--name"}:
            named = f"{os.path.dirname(os.path.dirname(conda))}/envs/{value}"
            is_there = os.path.isabs(named) and is_conda_prefix(named)
            chosen = detect(named) if is_there else find(name=value)
    return _inside(chosen, rest, seen)


def _inside(active: Environment | None, argv: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of a command that is run where another one is active."""
    if active is None or (argv and "/" in argv[0]):
        return _by_command(argv, seen) if argv and "/" in argv[0] else None
    name = os.path.basename(argv[0]) if argv else "python"
    if not (_runs(name) or name in ("ipython", "ipython3")):
        return None
    return None if _PYTHON.fullmatch(name) and _starts_another(argv[1:]) else active


def _after_env(arguments: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """Return what ``env`` would run, after its options, and the PATH that it sets."""
    rest, path = list(arguments), None
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        word = rest.pop(0)
        if word in {"-u", "--unset", "-C", "--chdir"}:
            del rest[:1]
        elif word.startswith("PATH="):
            path = os.path.expandvars(word.removeprefix("PATH="))
    return rest, path


def _by_shell(arguments: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of ``bash -c SCRIPT`` or ``bash FILE``."""
    options = [index for index, each in enumerate(arguments) if re.fullmatch(r"-[a-z]*c", each)]
    if options:
        script, *given = [*arguments[options[0] + 1 :], "", ""][:-1]
        return _by_commands(script, given[0] if given else "", given[1:], seen)
    files = [index for index, each in enumerate(arguments) if not each.startswith("-")]
    if not files:
        return None
    file = arguments[files[0]]
    return _by_script(file, arguments[files[0] + 1 :], "#!/bin/sh", seen)


_HARMLESS = re.compile(
    r"cd|echo|printf|set|umask|ulimit|unset|mkdir|sleep|true|:|trap|test|\[|hash|stty|shopt"
)


def _by_commands(script: str, name: str, given: Sequence[str], seen: _Seen) -> Environment | None:
    """Return the environment of a script's last command, by what its others activate.

    If one of the others is not understood, only an interpreter's own path counts.
    """
    active: Environment | None = None
    clear = True
    arguments = list(given)
    values: dict[str, str] = {}
    commands = _commands_of(script)
    replacing = [at for at, command in enumerate(commands) if command[0] == "exec"]
    end = replacing[0] if replacing else len(commands) - 1
    for command in commands[: max(end, 0)]:
        command = [_filled(word, values, name, arguments) for word in command]
        activated = _activated(command)
        words = command[1:] if command[0] == "export" else command[:1]
        path = next((word[5:] for word in words if word.startswith("PATH=")), None)
        if activated is not None and "$" in activated:
            active, clear = None, False
        elif activated is not None:
            active = detect(activated) if "/" in activated else find(name=activated)
            clear = True
        elif command == ["shift"]:
            del arguments[:1]
        elif path is not None:
            first = os.path.dirname(path.partition(":")[0])
            active = detect(first) if _is_marked(first) else None
            clear = active is not None
        elif not _is_harmless(command):
            clear = False
            values.clear()  # it may be one branch of several that sets them
        else:
            pairs = (word.partition("=") for word in command if re.match(r"\w+=", word))
            values.update({variable: value for variable, _, value in pairs})
    last = commands[end] if commands else []
    while last and (last[0] == "exec" or re.match(r"\w+=", last[0])):
        last = last[1:]
    argv: list[str] = []
    for word in last:
        every = word in ("$@", "$*")
        argv += arguments if every else [_filled(word, values, name, arguments)]
    argv = [word for word in argv if word]
    if argv and "$" in argv[0]:
        return None
    if active is not None and clear:
        return _inside(active, argv, seen)
    bare = not argv or "/" not in argv[0]
    return None if bare and not clear else _by_command(argv, seen)


def _filled(word: str, values: Mapping[str, str], name: str, given: Sequence[str]) -> str:
    """Return a word with the variables and arguments that are known filled in.

    >>> _filled("${1:-lab}/$A/$B", {"A": "x"}, "", [])
    'lab/x/$B'
    """
    known = {**values, "0": name, **{str(at): each for at, each in enumerate(given, start=1)}}

    def value(match: re.Match[str]) -> str:
        return known.get(match[1] or match[3]) or match[2] or match[0]

    return re.sub(r"\$(?:\{(\w+)(?::-([^}$]*))?\}|(\w+))", value, word)


def _is_harmless(command: Sequence[str]) -> bool:
    """Return whether a command leaves alone which Python is found."""
    first = os.path.basename(command[0])
    if first in ("source", "."):
        return len(command) > 1 and bool(re.search(r"/(?:conda|mamba)\.sh$", command[1]))
    if first == "eval":
        return bool(re.search(r"(?:conda|mamba)\S* (?:shell\.\w+ hook|shell hook)", command[-1]))
    if first == "export" or "=" in command[0]:
        return not any(re.match(r"(?:PATH|VIRTUAL_ENV|CONDA_\w+)=", word) for word in command)
    return _HARMLESS.fullmatch(first) is not None


_DOCUMENT = re.compile(r"(?<!<)<<(?!<)-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n(?:.*\n)*?[ \t]*\2(?=\n|\Z)")
"""A here-document: its delimiter, and the rest of the line that it begins on."""


def _commands_of(script: str) -> list[list[str]]:
    """Return the words of each command of a shell script; a block's words begin commands, too."""
    script = _DOCUMENT.sub(r"\3", script)  # what a program is given is no command
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if re.fullmatch(r"[;&|\n]+", word):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:
        return []
    return [command for command in commands if command]


def _activated(command: Sequence[str]) -> str | None:
    """Return the name or prefix that a command activates."""
    match [os.path.basename(command[0]), *command[1:]]:
        case ["source" | ".", script, target] if os.path.basename(script) == "activate":
            root = os.path.dirname(os.path.dirname(script))
            own = prefix_of_name(root, target)
            return own if is_conda_prefix(own) else target
        case ["source" | ".", script] if script.endswith("/bin/activate"):
            return script.removesuffix("/bin/activate")
        case ["conda" | "mamba" | "micromamba", "activate"]:
            return "base"
        case ["conda" | "mamba" | "micromamba", "activate", target]:
            return target
    return None
