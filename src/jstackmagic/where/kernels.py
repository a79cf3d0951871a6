"""Kernelspec → Environment: which environment does a kernel of that name run in?

Jupyter's data path is followed here, and not by way of jupyter_core: a terminal's environment need
not have that, and what counts is the path of the *server*, whose prefix is not this process's. The
order is that of ``jupyter_core.paths.jupyter_path``; ``argv`` means what jupyter_client's
``KernelManager`` makes of it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.errors import NOTHING_CHANGED, UnknownEnvironment
from .environment import detect, find, is_conda_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model.environment import Environment

NATIVE = "python3"
"""The kernel that jupyter_client offers without a kernelspec: the server's own Python."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """One kernelspec.

    Attributes:
        name: As ``--kernel`` takes it: the folder's name in lower case.
        folder: Where its ``kernel.json`` lies; empty for the native kernel without one.
        argv: How it is started; nothing in it is expanded.
        display_name: What the launcher shows.
        language: What the kernel speaks.
        metadata: Whatever else its maker wrote.
    """

    name: str
    folder: str
    argv: tuple[str, ...]
    display_name: str = ""
    language: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class KernelEnvironment(NamedTuple):
    """An environment and the names of the kernels that run in it."""

    environment: Environment
    kernels: tuple[str, ...]


def kernelspecs() -> dict[str, Kernelspec]:
    """The kernelspecs by name: those the server offers, then those of this very environment.

    Folders with a ``kernel.json`` that cannot be read are left out, as Jupyter leaves them out.
    """
    found: dict[str, Kernelspec] = {}
    for folder in data_path():
        for spec in _specs_in(f"{folder}/kernels"):
            found.setdefault(spec.name, spec)
    if NATIVE not in found:
        found[NATIVE] = Kernelspec(NATIVE, "", ("python", "-m", "ipykernel_launcher"))
    return found


def environment_of(name: str) -> Environment:
    """The environment that the kernel called `name` runs in.

    Raises:
        UnknownEnvironment: There is no such kernelspec; or its command line does not tell where it
            runs, or leads to where no environment is.
        JStackMagicError: conda's configuration is broken.
    """
    specs = kernelspecs()
    spec = specs.get(name.lower())
    if spec is None:
        raise _unknown_kernel(name, specs)
    return _environment(spec)


def environments() -> tuple[KernelEnvironment, ...]:
    """The distinct environments that kernels run in; `not_understood` tells of the other kernels.

    Raises:
        JStackMagicError: conda's configuration is broken.
    """
    return _all()[0]


def not_understood() -> tuple[UnknownEnvironment, ...]:
    """Why a kernelspec leads to no environment, for each that does not."""
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
    try:
        environment = _by_metadata(spec) or _by_argv(spec)
        reason = "its command line does not tell which."
    except UnknownEnvironment as error:
        environment, reason = None, error.problem
    if environment is None:
        raise UnknownEnvironment(
            f"The kernelspec {spec.name} leads to no environment: {reason}",
            kept=NOTHING_CHANGED,
            advice=(f"It starts: {_shown(spec.argv)}", "Name its environment with --prefix PATH."),
        )
    return environment


def _unknown_kernel(name: str, known: Iterable[str]) -> UnknownEnvironment:
    from difflib import get_close_matches

    names = sorted(known)
    nearest = get_close_matches(name.lower(), names, n=1)
    advice = [f"Did you mean {nearest[0]}?"] if nearest else []
    advice.append(f"There are: {', '.join(names)}.")
    return UnknownEnvironment(
        f"No kernelspec is called {name}.", kept=NOTHING_CHANGED, advice=tuple(advice)
    )


def _shown(argv: Sequence[str]) -> str:
    import shlex

    from ..model.credentials import mask

    return mask(shlex.join(argv))


# Jupyter's data path


def data_path() -> tuple[str, ...]:
    """The folders that kernelspecs lie in (under ``kernels``), the strongest first.

    They are the server's where this process is a server's kernel; those of this process's own
    environment come last, if they are others.
    """
    server = _server_prefix()
    own = f"{sys.prefix}/share/jupyter"
    if server is None:
        return _data_path_of(sys.prefix)
    return tuple(dict.fromkeys((*_data_path_of(server), own)))


def _data_path_of(prefix: str) -> tuple[str, ...]:
    """``jupyter_path()`` as a Jupyter at `prefix` sees it, and IPython's folder from before it."""
    configured = os.environ.get("JUPYTER_PATH", "").split(os.pathsep)
    system = _system_folders()
    environment = [f"{prefix}/share/jupyter"]
    user = _user_folders()
    # What is a system folder at once, as in an image whose Python lies in /usr/local, comes last.
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
    """Whether the environment's own kernelspecs come before the user's."""
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
    """The environment of the process that started this kernel; None where none did.

    jupyter_client leaves its number in JPY_PARENT_PID, and Linux tells that process's command line:
    ``PREFIX/bin/python PREFIX/bin/jupyter-lab ...``, of which the script is the better witness, as
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
    import json

    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        try:
            with open(f"{folder}/{name}/kernel.json", encoding="utf-8") as file:
                content = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            yield Kernelspec(
                name=name.lower(),
                folder=f"{folder}/{name}",
                argv=tuple(map(str, content.get("argv") or ())),
                display_name=str(content.get("display_name", "")),
                language=str(content.get("language", "")),
                metadata=content.get("metadata") or {},
            )


# What a kernelspec says


def _by_metadata(spec: Kernelspec) -> Environment | None:
    """nb_conda_kernels writes down where the kernels it offers run."""
    prefix = spec.metadata.get("conda_env_path")
    return detect(prefix) if isinstance(prefix, str) and prefix else None


def _by_argv(spec: Kernelspec) -> Environment | None:
    own = _own_prefix(spec)
    values = {"prefix": own, "resource_dir": spec.folder}
    argv = [
        re.sub(r"\{(prefix|resource_dir)\}", lambda match: values[match[1]], argument)
        for argument in spec.argv
    ]
    if argv[1:3] == ["-m", "nb_conda_kernels.runner"] and len(argv) > 4:
        return detect(argv[4])
    # jupyter_client takes the server's own Python for these, and the PATH for every other name.
    if argv and argv[0] in {"python", "python3"}:
        return detect(own)
    return _by_command(argv, own)


def _own_prefix(spec: Kernelspec) -> str:
    """The environment that the kernelspec is installed in; the server's where that is none."""
    prefix = spec.folder.partition("/share/jupyter/kernels/")[0]
    return prefix if _is_marked(prefix) else _server_prefix() or sys.prefix


def _is_marked(folder: str) -> bool:
    """Whether a folder says that it is an environment, as only system Pythons do not."""
    return is_conda_prefix(folder) or os.path.isfile(f"{folder}/pyvenv.cfg")


def _by_command(argv: Sequence[str], own: str) -> Environment | None:
    """The environment of what a command line comes to, through the wrappers in use."""
    if not argv:
        return None
    command, *arguments = argv
    match os.path.basename(command):
        case "env":
            return _by_command(_after_env(arguments), own)
        case "bash" | "dash" | "sh" | "zsh":
            return _by_shell(arguments, own)
        case "conda" | "mamba" | "micromamba" if "run" in arguments:
            return _by_conda_run(command, arguments[arguments.index("run") + 1 :])
    return _by_program(command, own)


def _by_program(command: str, own: str) -> Environment | None:
    """A program lies in its environment, however deep: ``PREFIX/lib/R/bin/R``."""
    path = _located(command, own)
    for location in (path, os.path.realpath(path)):
        for folder in _parents(location):
            if _is_marked(folder):
                return detect(folder)
    if re.fullmatch(r"(?:python|pypy)[0-9.]*", os.path.basename(path)):
        return detect(os.path.dirname(os.path.dirname(os.path.realpath(path))))
    return None


def _located(command: str, own: str) -> str:
    from shutil import which

    if "/" not in command:
        beside = f"{own}/bin/{command}"
        path = beside if os.path.exists(beside) else which(command)
    else:
        path = command if os.path.exists(command) else None
    if path is None:
        raise UnknownEnvironment(f"there is no {command}.")
    return path


def _parents(path: str) -> Iterator[str]:
    while path != (path := os.path.dirname(path)):
        yield path


def _by_conda_run(conda: str, arguments: Sequence[str]) -> Environment | None:
    """``conda run -n NAME ...`` and ``conda run -p PREFIX ...``."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        takes_value = option in {"-n", "--name", "-p", "--prefix", "--cwd", "-r", "--root-prefix"}
        if takes_value and not equals and rest:
            value = rest.pop(0)
        if option in {"-p", "--prefix"}:
            return detect(value)
        if option in {"-n", "--name"}:
            named = f"{os.path.dirname(os.path.dirname(conda))}/envs/{value}"
            return (
                detect(named)
                if os.path.isabs(named) and is_conda_prefix(named)
                else find(name=value)
            )
    return None


def _after_env(arguments: Sequence[str]) -> Sequence[str]:
    """What ``env`` would run: after its options and the variables it sets."""
    rest = list(arguments)
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        if rest.pop(0) in {"-u", "--unset", "-C", "--chdir"}:
            del rest[:1]
    return rest


def _by_shell(arguments: Sequence[str], own: str) -> Environment | None:
    """``bash -c "source activate NAME && exec python ..."``: what is activated, or run last."""
    options = [index for index, each in enumerate(arguments) if re.fullmatch(r"-[a-z]*c", each)]
    script = arguments[options[0] + 1 :] if options else []
    commands = _commands_of(script[0]) if script else []
    for command in reversed(commands):
        activated = _activated(command)
        if activated is not None:
            return detect(activated) if "/" in activated else find(name=activated)
    last = commands[-1] if commands else []
    while last and (last[0] == "exec" or re.match(r"\w+=", last[0])):
        last = last[1:]
    # "$0" and "$@" are what follows the script on the shell's own command line.
    given = {"$0": script[1:2], "$@": script[2:]}
    return _by_command([each for word in last for each in given.get(word, [word])], own)


def _commands_of(script: str) -> list[list[str]]:
    """The words of each command of a shell script without control structures."""
    import shlex

    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace = " \t"
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
    """The name or prefix that a command activates."""
    match [os.path.basename(command[0]), *command[1:]]:
        case ["source" | ".", script, target] if os.path.basename(script) == "activate":
            return target
        case ["source" | ".", script] if script.endswith("/bin/activate"):
            return script.removesuffix("/bin/activate")
        case ["conda" | "mamba" | "micromamba", "activate"]:
            return "base"
        case ["conda" | "mamba" | "micromamba", "activate", target]:
            return target
    return None
