"""Places that installs change: environments and the system, watched by their folders' times."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from string import Template

from ..model.environment import TOOLS, Environment
from ..model.errors import JStackMagicError
from ..model.managers import is_system, of_environment, of_system
from ..model.packages import Change, ManagerName, PackageSet
from ..where.detect import detect, find, is_conda_prefix
from ..where.metadata import dpkg_folder, read_packages
from . import Found
from .state import upwards

_KERNELS_OWN = re.compile(r"\{\s*sys\.(executable|prefix)\s*\}")

_PATIENCE = 10.0  # seconds for a launcher to say where it goes

Stamp = tuple[int, ...]


def stamp_of(paths: Iterable[str]) -> Stamp:
    """Return the modification time of each path in ns; 0 for one that is not there."""
    return tuple([_time_of(path) for path in paths])


def _time_of(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


@dataclass
class Place:
    """An environment's packages, or the system's, as last read."""

    environment: Environment  #: the environment; for the system, the one that a record of apt names
    managers: tuple[ManagerName, ...]
    #: the folders that an install touches: each one's time changes with its entries
    paths: tuple[str, ...]
    stamp: Stamp = ()  #: their times when the packages were read
    packages: PackageSet = field(default_factory=PackageSet)  #: as last read

    @classmethod
    def of(cls, environment: Environment) -> Place:
        """Return an environment, read now."""
        meta = f"{environment.prefix}/conda-meta"
        conda = (meta, f"{meta}/history") if environment.is_conda else ()
        place = cls(environment, of_environment(), (*environment.site_packages, *conda))
        place.refresh()
        return place

    @classmethod
    def system(cls, environment: Environment) -> Place:
        """Return the Debian system, read now."""
        # dpkg replaces its status whenever it has changed a package (dpkg(1), FILES)
        place = cls(environment, of_system(), (str(dpkg_folder() / "status"),))
        place.refresh()
        return place

    @property
    def is_system(self) -> bool:
        """Return whether it is the Debian system rather than an environment."""
        return self.managers == of_system()

    @property
    def called(self) -> str:
        """Return its usual name."""
        if self.is_system:
            return "system"
        return self.environment.name or self.environment.prefix

    def has_moved(self) -> bool:
        """Return whether something may have changed since it was read."""
        return stamp_of(self.paths) != self.stamp

    def newest(self) -> int:
        """Return the latest of its times, in ns since the epoch."""
        return max(stamp_of(self.paths), default=0)

    def refresh(self) -> Change:
        """Read it again; returns what has changed."""
        before = self.packages
        self.stamp = stamp_of(self.paths)  # first: what comes while we read moves it once more
        self.packages = read_packages(self.environment, self.managers)
        return self.packages - before


class Places:
    """The environments that commands of this process are likely to reach, and those they did."""

    def __init__(self) -> None:
        self.kernel = Place.of(_with_user_site(detect()))
        self.system = Place.system(self.kernel.environment)
        self._all = [self.kernel, self.system]
        for prefix in _prefixes_on_path():
            self.at(prefix)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._all)

    @property
    def paths(self) -> tuple[str, ...]:
        """Return what to look at to know whether any of them has moved."""
        return tuple(dict.fromkeys(path for place in self._all for path in place.paths))

    def at(self, prefix: str) -> Place | None:
        """Return the place at a prefix, watched from now on; None without an environment."""
        real = os.path.realpath(prefix)
        for place in self._all:
            if not place.is_system and os.path.realpath(place.environment.prefix) == real:
                return place
        try:
            place = Place.of(detect(prefix))
        except JStackMagicError:
            return None
        self._all.append(place)
        return place

    def reached(self, found: Found, *, folder: str, environ: Mapping[str, str]) -> Place | None:
        """Return the place that a command reaches; None if words and variables do not show it."""
        if found.request is not None and is_system(found.request.manager):
            return self.system
        prefix = _prefix_of(found, folder=folder, environ=environ)
        return self.at(prefix) if prefix else None


def is_said(found: Found) -> bool:
    """Return whether a command says itself which environment it means."""
    target = found.target
    return bool(target.name or target.prefix or "/" in target.interpreter)


def _with_user_site(environment: Environment) -> Environment:
    """Return the running environment with the user site, if it is enabled."""
    import site

    if not site.ENABLE_USER_SITE:
        return environment
    folders = (*environment.site_packages, site.getusersitepackages())
    return replace(environment, site_packages=tuple(dict.fromkeys(folders)))


def _prefixes_on_path() -> Iterator[str]:
    """Yield the prefixes that files show; no launcher is run yet."""
    script = shutil.which("pip")
    interpreter = _interpreter_of(script) if script else None
    path = os.environ.get("PATH", os.defpath)
    found = (
        _prefix_of_python(interpreter, path) if interpreter else None,
        _prefix_of_conda("conda", os.environ),
    )
    return filter(None, found)


# Which environment a command reaches


def _prefix_of(found: Found, *, folder: str, environ: Mapping[str, str]) -> str | None:
    target = found.target
    path = environ.get("PATH", os.defpath)
    if _KERNELS_OWN.search(target.prefix or target.interpreter):
        return sys.prefix
    word = Template(target.interpreter).safe_substitute(environ)
    program = os.path.basename(word)
    base = os.path.dirname(os.path.dirname(target.interpreter))
    if program in TOOLS and not target.name and target.prefix in ("", base):
        return _prefix_of_conda(word, environ)
    if target.prefix:
        prefix = Template(target.prefix).safe_substitute(environ)
        return os.path.join(folder, os.path.expanduser(prefix))
    if target.name:
        return _prefix_of_name(target.name)
    if program == "uv":
        return _prefix_of_uv(found.command, folder=folder, environ=environ)
    if os.path.isdir(os.path.join(folder, word)):
        return os.path.join(folder, word)  # uv pip install --python PREFIX
    executable = shutil.which(word, path=path)
    if executable is None:
        return None
    interpreter = _interpreter_of(executable) if program.startswith("pip") else executable
    if interpreter is None or _head(interpreter).startswith("#!"):
        return _prefix_by_asking(executable, folder, environ)
    return _prefix_of_python(interpreter, path)


def _prefix_of_name(name: str) -> str | None:
    try:
        return find(name=name).prefix
    except JStackMagicError:
        return None


def _interpreter_of(script: str) -> str | None:
    """Return the Python in the first line of an entry point's script; None for others."""
    head = _head(script)
    # pip and conda write #!/bin/sh and '''exec' "PYTHON" "$0" "$@" where a path has blanks
    match = re.match(r"#!/bin/sh\n'''exec' ['\"]?(.+?)['\"]? \"\$0\"", head) or re.match(
        r"#!\s*(\S.*?)\s*\n", head
    )
    if match is None:
        return None
    interpreter = match[1].removeprefix("/usr/bin/env ").removeprefix("-S ").split(" -")[0]
    return interpreter if re.match(r"(?:python|pypy)", os.path.basename(interpreter)) else None


def _head(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read(1024)
    except OSError:
        return ""


def _prefix_by_asking(executable: str, folder: str, environ: Mapping[str, str]) -> str | None:
    """Return the prefix of a launcher (pyenv, asdf, mise); it depends on folder and variables."""
    is_pip = os.path.basename(executable).startswith("pip")
    question = ("--version",) if is_pip else ("-c", "import sys; print(sys.prefix)")
    try:
        done = subprocess.run(
            [executable, *question],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if not is_pip:
        return done.stdout.strip() or None
    found = re.match(r"pip \S+ from (.+?)/lib/python[\d.]+/", done.stdout)
    return found[1] if found else None


def _prefix_of_python(word: str, path: str) -> str | None:
    """Return an interpreter's prefix; a virtual environment's link must not be followed."""
    executable = shutil.which(word, path=path)
    if executable is None:
        return None
    for file in (executable, os.path.realpath(executable)):
        prefix = os.path.dirname(os.path.dirname(os.path.abspath(file)))
        if os.path.isfile(f"{prefix}/pyvenv.cfg") or is_conda_prefix(prefix):
            break
    return prefix


def _prefix_of_conda(word: str, environ: Mapping[str, str]) -> str | None:
    """Return the active environment, or else the executable's base: conda's own default."""
    active = environ.get("CONDA_PREFIX")
    executable = shutil.which(word, path=environ.get("PATH", os.defpath))
    if active or executable is None:
        return active
    for file in (executable, os.path.realpath(executable)):
        root = os.path.dirname(os.path.dirname(file))
        if is_conda_prefix(root):
            return root
    return environ.get("MAMBA_ROOT_PREFIX")


def _prefix_of_uv(command: str, *, folder: str, environ: Mapping[str, str]) -> str | None:
    """Return what uv's documentation gives under "Using Python environments", in that order."""
    path = environ.get("PATH", os.defpath)
    words = command.split()
    if "pip" not in words:
        return _prefix_of_project(folder, environ)
    if "--system" in words:
        return _prefix_of_python("python3", path) or _prefix_of_python("python", path)
    active = environ.get("VIRTUAL_ENV") or environ.get("CONDA_PREFIX")
    if active:
        return active
    return _nearest_venv(folder)


def _prefix_of_project(folder: str, environ: Mapping[str, str]) -> str | None:
    """Return the prefix of ``uv add``: not the active one, and uv makes it if need be."""
    for above in upwards(folder):
        if os.path.isfile(f"{above}/pyproject.toml"):
            chosen = environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
            return os.path.join(above or "/", os.path.expanduser(chosen))
    return _nearest_venv(folder)


def _nearest_venv(folder: str) -> str | None:
    found = (f"{above}/.venv" for above in upwards(folder))
    return next((env for env in found if os.path.isfile(f"{env}/pyvenv.cfg")), None)
