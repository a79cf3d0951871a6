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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..io.reading import text_of
from ..model.documents import parse_json, table
from ..model.environment import Environment
from ..model.errors import InvalidSpec, UnknownEnvironment
from .detect import detect, find, unknown_name
from .startlines import UNSAID, Seen, by_command, starts_another

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
        raise unknown_name("kernelspec", name, sorted(specs))
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
            reason = UNSAID
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

    A ``kernel_provisioner`` is jupyter_client's, a ``process_proxy`` Enterprise Gateway's; the
    variables are jupyter_server's and jupyter_client's.
    """
    if os.environ.get("JUPYTER_GATEWAY_URL"):
        return "JUPYTER_GATEWAY_URL is set, and the gateway decides where it runs."
    default = os.environ.get("JUPYTER_DEFAULT_PROVISIONER_NAME", "local-provisioner")
    if "kernel_provisioner" not in spec.metadata and default != "local-provisioner":
        return f"it is started by {default}, which decides where it runs."
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
            # Enterprise Gateway 1 has it beside the metadata
            of_gateway = {key: content[key] for key in ("process_proxy",) if key in content}
            yield Kernelspec(
                name=name.lower(),
                folder=f"{folder}/{name}",
                argv=tuple(map(str, content.get("argv") or ())),
                display_name=str(content.get("display_name", "")),
                language=str(content.get("language", "")),
                metadata={**of_gateway, **table(content, "metadata")},
                environ={k: str(v) for k, v in table(content, "env").items()},
            )


# What a kernelspec says


def _by_argv(spec: Kernelspec) -> Environment | None:
    own = _server_of(spec)
    values = {"prefix": own, "resource_dir": spec.folder}
    argv = [
        re.sub(r"\{(prefix|resource_dir)\}", lambda match: values[match[1]], argument)
        for argument in spec.argv
    ]
    if argv[1:3] == ["-m", "nb_conda_kernels.runner"] and len(argv) > 4:
        return detect(argv[4])
    # jupyter_client takes the server's own Python for these, and the PATH for every other name.
    if argv and re.fullmatch(r"python(?:3(?:\.\d+)?)?", argv[0]):
        server = detect(own)
        if argv[0] in ("python", "python3", f"python{server.ref.minor}"):
            return None if starts_another(argv[1:]) else server
    environ = {name: os.path.expandvars(value) for name, value in spec.environ.items()}
    return by_command(argv, Seen(own, environ))


def _server_of(spec: Kernelspec) -> str:
    """Return the prefix of the Jupyter that starts a kernel: the server's, if that sees it."""
    server = _server_prefix()
    folder = spec.folder.rpartition("/kernels/")[0]
    if server is None or (folder and folder not in _data_path_of(server)):
        return sys.prefix
    return server
