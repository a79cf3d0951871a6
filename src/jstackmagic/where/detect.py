"""Find which environment this is, without starting a process."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..io.reading import path_of
from ..model.environment import (
    TOOLS,
    CondaExecutable,
    ConfiguredChannel,
    Environment,
    Tool,
    minor_of,
)
from ..model.errors import UnknownEnvironment, UsageError

if TYPE_CHECKING:
    # whoever needs the noun alone shall not pay for reading condarc files
    from .condarc import CondaConfig


def detect(prefix: str | Path | None = None) -> Environment:
    """Return an environment, from its files alone: no process is started.

    Args:
        prefix: Its prefix; None for the environment of this process, which is
            ``sys.prefix``, never ``CONDA_PREFIX``: a kernel inherits that from its server.

    Raises:
        UnknownEnvironment: There is no environment at that prefix.
        JStackMagicError: conda's configuration is broken.
    """
    try:
        path = sys.prefix if prefix is None else os.path.abspath(path_of(prefix))
    except UsageError as error:
        raise UnknownEnvironment(error.problem) from None
    if _same(path, sys.prefix):
        path = sys.prefix
    if is_conda_prefix(path):
        return _detect_conda(path)
    if os.path.isfile(f"{path}/pyvenv.cfg"):
        return _detect_venv(path)
    python = _python_of(path)
    if python is None:
        raise _no_environment(path)
    return Environment(
        kind="system",
        name=None,
        prefix=path,
        python=python.version,
        executable=python.executable,
        writable=_all_writable(python.site_packages[:1] or (path,)),
        externally_managed=_externally_managed(path, python),
        site_packages=python.site_packages,
    )


def find(*, name: str | None = None, prefix: str | None = None) -> Environment:
    """Return the environment of ``--name`` or ``--prefix``; without both, the running one.

    Raises:
        UnknownEnvironment: No environment has that name, or more than one; none is at that prefix.
        UsageError: Both were given.
        JStackMagicError: conda's configuration is broken.
    """
    if name is not None and prefix is not None:
        raise UsageError("An environment is named by --name or by --prefix, not by both.")
    return detect(prefix if name is None else _prefix_of_name(name))


def known_names() -> tuple[str, ...]:
    """Return the names that `find` takes, "base" first."""
    named, others = _known_environments()
    return (*named, *others)


def is_conda_prefix(prefix: str) -> bool:
    """Return whether there is a conda environment at `prefix`.

    conda's own test is the history file, which neither rattler nor pixi need have written.
    """
    meta = f"{prefix}/conda-meta"
    if os.path.isfile(f"{meta}/history"):
        return True
    return any(entry.endswith(".json") for entry in _names_in(meta))


def _no_environment(path: str) -> UnknownEnvironment:
    problem = (
        f"{path} is not an environment: it has no conda-meta (conda), no pyvenv.cfg (virtual "
        "environment) and no bin/python."
    )
    if not os.path.exists(path):
        problem = f"There is no folder {path}."
    return UnknownEnvironment(
        problem,
        advice="Say --prefix with the folder that holds the environment's bin, or --name.",
    )


# Conda environments


def _detect_conda(prefix: str) -> Environment:
    from ..model.credentials import mask
    from . import condarc

    records = _CondaMeta(prefix)
    python = _python_of(prefix, records.python_version)
    executable = next(_executables(prefix, records), None)
    root = _root_of(prefix, executable, records)
    config = condarc.load(prefix, root, mamba=_reads_mambarc(executable))
    kind, name = _kind_and_name(prefix, root, config)
    channels = config.channels or tuple(_channels_of_records(records, config))
    site_packages = python.site_packages if python else ()
    pinned = (_read(f"{prefix}/conda-meta/pinned") or "").lstrip("\ufeff").splitlines()
    pins = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in pinned)
    return Environment(
        kind=kind,
        name=name,
        prefix=prefix,
        python=python.version if python else None,
        executable=python.executable if python else None,
        conda=executable,
        channels=tuple(replace(each, channel=mask(each.channel)) for each in channels),
        pins=tuple(filter(None, pins)),
        writable=_all_writable(
            (prefix, f"{prefix}/conda-meta", records.history_file, *site_packages)
        ),
        frozen=_frozen(prefix),
        externally_managed=_externally_managed(prefix, python) if python else None,
        site_packages=site_packages,
        root=root,
        name_is_ambiguous=name is not None and not _means(executable, root, name, prefix, config),
    )


def _kind_and_name(
    prefix: str, root: str | None, config: CondaConfig
) -> tuple[Literal["conda-base", "conda-named", "conda-prefix"], str | None]:
    if root is not None and _same(prefix, root):
        return "conda-base", "base"
    parent = os.path.dirname(prefix)
    if any(_same(parent, folder) for folder in config.envs_dirs):
        return "conda-named", os.path.basename(prefix)
    return "conda-prefix", None


def _means(
    executable: CondaExecutable | None,
    root: str | None,
    name: str,
    prefix: str,
    config: CondaConfig,
) -> bool:
    """Return whether `name` means `prefix` to the executable: the first folder with it counts."""
    if executable is not None:
        own_root = _root_of_executable(executable)
        if own_root is None or root is None or not _same(own_root, root):
            return False
    if name == "base":
        return True
    candidates = (f"{folder}/{name}" for folder in config.envs_dirs)
    first = next((candidate for candidate in candidates if os.path.isdir(candidate)), "")
    return _same(first, prefix)


class _CondaMeta:
    """Facts from ``conda-meta``, without reading all of it."""

    def __init__(self, prefix: str) -> None:
        self._folder = f"{prefix}/conda-meta"
        self._files = [name for name in _names_in(self._folder) if name.endswith(".json")]
        pythons = (name for name in self._files if name.rsplit("-", 2)[0] == "python")
        self._python = next(pythons, None)
        self.history_file = f"{self._folder}/history"
        self.history = _read(self.history_file) or ""

    @property
    def python_version(self) -> str | None:
        return self._python.rsplit("-", 2)[1] if self._python else None

    @cached_property
    def package_cache(self) -> str | None:
        """The folder that the environment's packages were linked from, such as ``ROOT/pkgs``."""
        for name in (self._python, *self._files[:3]):
            source = name and self._field(name, "extracted_package_dir", "source")
            if source:
                return os.path.dirname(source)
        return None

    def channels(self) -> list[str]:
        """Channels as the records spell them, those with the most packages first.

        conda's history names the channel of every package; without it, as after rattler,
        a few records are read.
        """
        counts: Counter[str] = Counter()
        for sign, channel in re.findall(r"^([+-])(\S.*?)::", self.history, re.MULTILINE):
            counts[channel] += 1 if sign == "+" else -1
        if not +counts:
            found = (self._field(name, "channel") for name in self._files[:20])
            counts.update(filter(None, found))
        return [channel for channel, _ in (+counts).most_common()]

    def _field(self, name: str, *keys: str) -> str | None:
        """Return the text of the first of `keys` in a record, which may list thousands of files."""
        import json

        pattern = re.compile(rf'"(?:{"|".join(keys)})": ?("(?:[^"\\]|\\.)*")')
        path = f"{self._folder}/{name}"
        match = pattern.search(_read(path, 16_384) or "") or pattern.search(_read(path) or "")
        return str(json.loads(match[1])) if match else None


def _channels_of_records(records: _CondaMeta, config: CondaConfig) -> Iterator[ConfiguredChannel]:
    from .condarc import DEFAULTS, channel_name

    names = dict.fromkeys(channel_name(channel, config) for channel in records.channels())
    for name in names:
        yield ConfiguredChannel(name, "the installed packages")
    if not names:
        yield ConfiguredChannel(DEFAULTS, "conda's built-in default")


def _frozen(prefix: str) -> str | None:
    """Return the message of CEP 22's marker: JSON with a "message", or an empty file."""
    import json

    text = _read(f"{prefix}/conda-meta/frozen")
    if not text:
        return text
    try:
        content = json.loads(text)
    except ValueError:
        return text.strip()
    return str(content.get("message", "")) if isinstance(content, dict) else text.strip()


# The executable that governs, and its root


def executable_of(environment: Environment, tool: Tool) -> CondaExecutable | None:
    """Return the nearest executable of that name that can change an environment, if any."""
    if environment.conda is not None and environment.conda.tool == tool:
        return environment.conda
    found = _executables(environment.prefix, _CondaMeta(environment.prefix))
    return next((executable for executable in found if executable.tool == tool), None)


def _executables(prefix: str, records: _CondaMeta) -> Iterator[CondaExecutable]:
    """Yield the executables that can change the environment, the one that governs it first."""
    yield from _executables_in(prefix, "in the environment itself")
    root = _root_by_location(prefix)
    if root is not None:
        yield from _executables_in(root, f"in the conda root {root}, which holds the environment")
    commands = re.findall(
        r"^# cmd: (/.*?/(?:micromamba|mamba|conda)) ", records.history, re.MULTILINE
    )
    for path in reversed(commands):
        yield from _executable(path, "in the environment's history")
    package_cache = records.package_cache
    if package_cache is not None:
        root = os.path.dirname(package_cache)
        yield from _executables_in(root, f"in {root}, where its packages were linked from")
    yield from _executables_elsewhere()


def _executables_elsewhere() -> Iterator[CondaExecutable]:
    from shutil import which

    for variable in ("CONDA_EXE", "MAMBA_EXE"):
        yield from _executable(os.environ.get(variable), f"${variable}")
    for tool in TOOLS:
        yield from _executable(which(tool), "on the PATH")


def _executables_in(root: str, found: str) -> Iterator[CondaExecutable]:
    for tool in TOOLS:
        for folder in ("condabin", "bin"):
            yield from _executable(f"{root}/{folder}/{tool}", found)


def _executable(path: str | None, found: str) -> Iterator[CondaExecutable]:
    if path and os.path.isfile(path) and os.access(path, os.X_OK):
        for tool in TOOLS:
            if tool == os.path.basename(path):
                yield CondaExecutable(tool, path, found)


def _reads_mambarc(executable: CondaExecutable | None) -> bool:
    return executable is None or executable.tool != "conda"


def _root_by_location(prefix: str) -> str | None:
    """Return ROOT, if the prefix is ``ROOT/envs/NAME``."""
    folder, name = os.path.split(os.path.dirname(prefix))
    if name == "envs" and (is_conda_prefix(folder) or os.path.isdir(f"{folder}/pkgs")):
        return folder
    return None


def _root_of(prefix: str, executable: CondaExecutable | None, records: _CondaMeta) -> str | None:
    root = _root_by_location(prefix)
    if root is not None:
        return root
    # A root without an executable is one all the same: an image may have dropped it.
    if os.path.isdir(f"{prefix}/condabin") and os.path.isdir(f"{prefix}/envs"):
        return prefix
    if executable is not None:
        return _root_of_executable(executable)
    root = os.path.dirname(records.package_cache or "")
    return root if root and is_conda_prefix(root) else None


def _root_of_executable(executable: CondaExecutable) -> str | None:
    """Return the prefix that an executable calls "base"."""
    paths = (executable.path, os.path.realpath(executable.path))
    roots = [os.path.dirname(os.path.dirname(path)) for path in paths]
    if executable.tool == "micromamba":
        # It is one file that can lie anywhere, and has its root from a variable.
        configured = os.environ.get("MAMBA_ROOT_PREFIX")
        return configured or next((root for root in roots if os.path.isdir(f"{root}/pkgs")), None)
    return next((root for root in roots if is_conda_prefix(root)), None)


# Names


def _known_environments() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the prefixes of the named environments, and of others in conda's list.

    Those in ``~/.conda/environments.txt`` are named by the last part of their prefix, so that a
    name can mean several.
    """
    from . import condarc

    root, mamba = _running_root()
    config = condarc.load(sys.prefix, root, mamba=mamba)
    named = {} if root is None else {"base": root}
    for folder in config.envs_dirs:
        for name in sorted(_names_in(folder)):
            if is_conda_prefix(f"{folder}/{name}"):
                named.setdefault(name, f"{folder}/{name}")
    others: dict[str, list[str]] = {}
    listed = _read(os.path.expanduser("~/.conda/environments.txt")) or ""
    for prefix in dict.fromkeys(line.strip() for line in listed.splitlines()):
        name = os.path.basename(prefix)
        is_new = name not in named and prefix not in named.values()
        if is_new and os.path.isabs(prefix) and is_conda_prefix(prefix):
            others.setdefault(name, []).append(prefix)
    return named, others


def _running_root() -> tuple[str | None, bool]:
    """Return the conda root of the running environment, and whether mamba's files count."""
    for prefix in (sys.prefix, sys.base_prefix):
        if is_conda_prefix(prefix):
            records = _CondaMeta(prefix)
            executable = next(_executables(prefix, records), None)
            return _root_of(prefix, executable, records), _reads_mambarc(executable)
    for executable in _executables_elsewhere():
        return _root_of_executable(executable), _reads_mambarc(executable)
    return None, False


def _prefix_of_name(name: str) -> str:
    named, others = _known_environments()
    wanted = "base" if name == "root" else name
    found = [named[wanted]] if wanted in named else others.get(wanted, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownEnvironment(
            f"More than one environment is called {name}.",
            advice=tuple(f"--prefix {prefix}" for prefix in found),
        )
    other = "Any other environment is asked for with --prefix PATH."
    raise unknown_name("environment", name, (*named, *others), other)


def unknown_name(what: str, name: str, known: Iterable[str], *ways: str) -> UnknownEnvironment:
    """Return the error for a name that nothing of a kind has.

    Args:
        what: The kind: "environment", "kernelspec".
        known: The names that there are.
        ways: Further advice.
    """
    from difflib import get_close_matches

    names = tuple(dict.fromkeys(known))
    nearest = get_close_matches(name, names, n=1) or get_close_matches(name.lower(), names, n=1)
    meant = [f"Did you mean {nearest[0]}?"] if nearest else []
    there = f"There are: {', '.join(names)}." if names else f"No {what} has a name here."
    return UnknownEnvironment(f"No {what} is called {name}.", advice=(*meant, there, *ways))


# Virtual environments


def _detect_venv(prefix: str) -> Environment:
    lines = (_read(f"{prefix}/pyvenv.cfg") or "").splitlines()  # as the standard library's site
    pairs = (line.partition("=") for line in lines if "=" in line)
    config = {key.strip().lower(): value.strip() for key, _, value in pairs}
    version = config.get("version") or config.get("version_info") or ""
    # virtualenv and uv write sys.version_info: 3.12.4.final.0
    python = _python_of(prefix, ".".join(version.split(".")[:3]) or None)
    base = sys.base_prefix if prefix == sys.prefix else _base_of_venv(config)
    site_packages = python.site_packages if python else ()
    return Environment(
        kind="venv-on-conda" if base is not None and is_conda_prefix(base) else "venv",
        name=None,
        prefix=prefix,
        python=python.version if python else None,
        executable=python.executable if python else None,
        writable=_all_writable(site_packages[:1] or (prefix,)),
        site_packages=site_packages,
        base=base,
    )


def _base_of_venv(config: dict[str, str]) -> str | None:
    if "base-prefix" in config:
        return config["base-prefix"]
    home = config.get("home")
    if home is None:
        return None
    # "home" is the bin folder of the interpreter, whose own link may lead to where it really lies.
    base, real = os.path.dirname(home), os.path.realpath(f"{home}/python3")
    if is_conda_prefix(base) or not os.path.exists(real):
        return base
    return os.path.dirname(os.path.dirname(real))


# Python


@dataclass(frozen=True, slots=True)
class _Python:
    """The Python of a prefix."""

    version: str
    executable: str | None
    site_packages: tuple[str, ...]


def _python_of(prefix: str, version: str | None = None) -> _Python | None:
    """Return a prefix's Python: the running one's facts from itself, another's from files."""
    if prefix == sys.prefix:
        version = sys.version.split()[0].rstrip("+")
        return _Python(
            version,
            sys.executable or None,
            _running_site_packages() or _site_packages_on_disk(prefix, version),
        )
    executable = next(
        (
            path
            for path in (f"{prefix}/bin/{name}" for name in ("python", "python3", "pypy3"))
            if os.path.isfile(path) and os.access(path, os.X_OK)
        ),
        None,
    )
    if version is None and executable is not None:
        version = _version_on_disk(prefix, executable)
    if version is None:
        return None
    return _Python(version, executable, _site_packages_on_disk(prefix, version))


def _running_site_packages() -> tuple[str, ...]:
    import site

    # An old virtualenv has a `site` of its own, without the function.
    ask = getattr(site, "getsitepackages", None)
    return _existing(ask([sys.prefix])) if ask else ()


def _site_packages_on_disk(prefix: str, version: str) -> tuple[str, ...]:
    minor = minor_of(version)
    return _existing(
        f"{prefix}/{folder}"
        for folder in (
            # Debian's Python has the first and the two last, all others the ordinary ones.
            f"local/lib/python{minor}/dist-packages",
            f"lib/python{minor}/site-packages",
            f"lib64/python{minor}/site-packages",
            f"lib/python{minor}t/site-packages",
            f"lib/pypy{minor}/site-packages",
            f"lib/python{minor[:1]}/dist-packages",
            f"lib/python{minor}/dist-packages",
        )
    )


def _version_on_disk(prefix: str, executable: str) -> str | None:
    """Return X.Y from the interpreter's link target, or else the newest ``lib/pythonX.Y``."""
    match = re.search(r"\d+\.\d+", os.path.basename(os.path.realpath(executable)))
    if match:
        return match[0]
    versions = [
        (int(match[1]), int(match[2]))
        for lib in ("lib", "lib64")
        for name in _names_in(f"{prefix}/{lib}")
        if (match := re.fullmatch(r"(?:python|pypy)(\d+)\.(\d+)t?", name))
    ]
    return ".".join(map(str, max(versions))) if versions else None


def _externally_managed(prefix: str, python: _Python) -> str | None:
    """Return the message of PEP 668's marker in the environment's own standard library."""
    for lib in ("lib", "lib64"):
        text = _read(f"{prefix}/{lib}/python{minor_of(python.version)}/EXTERNALLY-MANAGED")
        if text is not None:
            return _pep_668_message(text)
    return None


def _pep_668_message(text: str) -> str:
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except Error:
        return ""
    return parser.get("externally-managed", "Error", fallback="")


# Files


def _same(one: str, other: str) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _read(path: str, size: int = -1) -> str | None:
    """Return a file's text, or its first `size` characters; None if there is no such file."""
    if not os.path.isfile(path):  # a pipe would be waited for
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(size)
    except OSError:
        return None


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _existing(folders: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that exist, each once: ``lib64`` is often a link to ``lib``."""
    real = {
        os.path.realpath(folder): folder
        for folder in reversed(list(folders))
        if os.path.isdir(folder)
    }
    return tuple(reversed(real.values()))


def _all_writable(paths: Iterable[str]) -> bool:
    """Return whether this user may write; even root may not on a read-only file system."""
    return all(os.access(path, os.W_OK) for path in paths if os.path.exists(path))
