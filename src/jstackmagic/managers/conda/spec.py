"""conda's language of specs, for the conda executables and the engine in process.

It reads the specs of a request, and writes the command lines.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast
from urllib.parse import unquote, urlsplit

from ...io.reading import read_once
from ...model.environment import CondaExecutable, Environment
from ...model.errors import InvalidSpec
from ...model.extras import is_here
from ...model.plan import Command
from ...model.request import Request
from ...model.spec import CONDA_ARCHIVE, URL, turned
from . import plain

if TYPE_CHECKING:
    from rattler import MatchSpec  # noqa: TC004  # no noun: it is never read back

    from ...where.condarc import CondaConfig


@dataclass(frozen=True, slots=True)
class CondaSpec:
    """One spec of a request."""

    text: str  #: as the user wrote it
    name: str  #: the package's name as conda normalises it, in lower case
    match: MatchSpec  #: what the package must be
    #: the package archive it names, an absolute path or a URL; empty if it names none
    archive: str = ""

    @classmethod
    def of(cls, text: str) -> CondaSpec:
        """Read a match spec.

        Raises:
            InvalidSpec: It is not one.
        """
        match = parse(text)
        return cls(text=text, name=name_of(match), match=match)

    @property
    def channel(self) -> str:
        """The channel it is to come from, as the user spelled it; empty if it may be any."""
        if self.archive or self.match.channel is None:
            return ""
        spelled = self.text.rpartition("::")[0]
        return spelled or self.match.channel.name or self.match.channel.base_url


def read_specs(request: Request) -> tuple[CondaSpec, ...]:
    """Read the specs of a request: match specs and package archives.

    Raises:
        InvalidSpec: One is not a match spec, or a local archive is missing or not a package.
    """
    return tuple(_read_spec(text, request.action) for text in request.texts)


def _read_spec(text: str, action: str) -> CondaSpec:
    from ...model.listed import several_specs

    path = text.partition("#")[0] if URL.match(text) else text
    if path.endswith(CONDA_ARCHIVE) and "::" not in text:
        if action == "remove":
            _invalid(text, "names an archive; what is installed has a name", advice=_named(path))
        return _read_archive_spec(text)
    if text.startswith("-") or not text.isprintable():
        _invalid(text, "is not a match spec")
    if url := re.search(r"\[[^\]]*\burl\s*=\s*['\"]?([^'\"\],]+)", text):
        _invalid(text, "has its archive in brackets", advice=f"Write the URL itself: {url[1]}")
    if words := several_specs(text):
        _invalid(text, "has several packages in one word", advice=f"Write: {shlex.join(words)}")
    return CondaSpec.of(text)


def parse(text: str) -> MatchSpec:
    """Parse a match spec.

    Raises:
        InvalidSpec: It is not a match spec.
    """
    if not is_here("rattler"):
        plain_match = plain.parse(text)
        if plain_match is None:
            _invalid(text, "is not a match spec")
        return cast("MatchSpec", plain_match)
    from rattler import MatchSpec
    from rattler.exceptions import InvalidMatchSpecError

    try:
        return MatchSpec(text)
    except (InvalidMatchSpecError, UnicodeEncodeError) as error:
        reason = str(error).splitlines()[0].rpartition(": ")[2].rstrip(".")
        _invalid(text, f"is not a match spec: {reason}")


def pinned_where(prefix: str, pins: Iterable[str]) -> str:
    """Return the origin of pins, in words: the environment's file, line and date, or a condarc."""
    import time

    path = os.path.join(prefix, "conda-meta", "pinned")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        date = time.strftime("%Y-%m-%d", time.localtime(os.stat(path).st_mtime))
    except OSError:
        lines, date = [], ""
    numbers = (next((n for n, line in enumerate(lines, 1) if pin in line), 0) for pin in pins)
    places = (
        f"{path}, line {number}, of {date}" if number else "condarc's pinned_packages"
        for number in numbers
    )
    return "; ".join(dict.fromkeys(places))


_LOOSE = re.compile(r"-\s*|[\w.-]+:(?!:)\s*")
"""The head of a pin that conda takes for a name of its own: a list's dash, another manager's."""


def loose_pins(environment: Environment) -> Iterator[str]:
    """Yield a sentence on each pin that holds nothing, as no package has such a name or build."""
    for pin in (*environment.pins, *configuration(environment).pinned_packages):
        head = _LOOSE.match(pin)
        meant = (pin[head.end() :] if head else pin).rstrip(" ;")
        if meant == pin:
            continue
        is_option = re.match(r"--|-[a-z] ", pin) is not None
        line = "Take that line out." if is_option else f"Write: {meant}"
        yield (
            f"The pin {pin} holds nothing: no package has such a name or build. It is in"
            f" {pinned_where(environment.prefix, [pin])}. {line}"
        )


def name_of(match: MatchSpec) -> str:
    """Return the package's name that a match spec begins with."""
    return str(match.name.normalized)


def _read_archive_spec(text: str) -> CondaSpec:
    if URL.match(text) and not text.startswith("file://"):
        name, version, build = _stem(text)
        match = parse(f"{name} =={version} {build}")
        return CondaSpec(text=text, name=name, match=match, archive=text)
    archive = read_archive(local_path(text))
    match = parse(f"{archive.name} =={archive.version} {archive.build}")
    return CondaSpec(text=text, name=archive.name, match=match, archive=archive.path)


def local_path(text: str) -> str:
    """Return the absolute path of a local archive, given as a path or a ``file://`` URL."""
    if text.startswith("file://"):
        return unquote(urlsplit(text).path)
    return os.path.abspath(os.path.expanduser(text))


def _stem(text: str) -> tuple[str, str, str]:
    """Return the name, version and build in an archive's file name."""
    file = unquote(urlsplit(text).path).rpartition("/")[2]
    for extension in CONDA_ARCHIVE:
        file = file.removesuffix(extension)
    parts = file.rsplit("-", 2)
    if len(parts) != 3:
        _invalid(text, "is not a package archive: its name should be NAME-VERSION-BUILD")
    return parts[0].lower(), parts[1], parts[2]


def _named(path: str) -> str:
    name = Path(path).name.rsplit("-", 2)[0]
    return f"Remove it by its name: %envremove {name}"


def _invalid(text: str, why: str, *, advice: str | tuple[str, ...] = ()) -> NoReturn:
    meant = turned(text)
    if meant != text:
        advice = advice or f"Did you mean: {shlex.quote(f'conda:{meant}')}"
    raise InvalidSpec(
        f"{text!r} {why}.",
        advice=advice or "A match spec reads so: pymongo 'numpy>=1.20' conda-forge::scipy",
    )


# Archives


@dataclass(frozen=True, slots=True)
class Archive:
    """A package archive on this disk, from the metadata inside it."""

    path: str  #: absolute
    name: str
    version: str
    build: str
    subdir: str
    sha256: str  #: of the file, in hexadecimal
    depends: tuple[str, ...]  #: its dependencies, as match specs


def read_archive(path: str) -> Archive:
    """Read the metadata of a local ``.conda`` or ``.tar.bz2``.

    Raises:
        InvalidSpec: It is missing, or is not a package archive.
    """
    try:
        os.stat(path)
        (archive,) = read_once([path], _read_archive)
    except OSError as error:
        _invalid(path, f"cannot be read: {error.strerror}", advice=f"Look: !ls {Path(path).parent}")
    return archive


def _read_archive(path: str) -> Archive:
    from conda_package_handling.api import get_pkg_details
    from conda_package_streaming.package_streaming import (  # type: ignore[import-untyped]
        stream_conda_info,
    )

    index: Mapping[str, object] = {}
    try:
        for tar, member in stream_conda_info(path):
            file = tar.extractfile(member) if member.name == "info/index.json" else None
            if file is not None:
                index = json.load(file)
                break
        return Archive(
            path=path,
            name=str(index["name"]).lower(),
            version=str(index["version"]),
            build=str(index["build"]),
            subdir=str(index.get("subdir") or "noarch"),
            sha256=get_pkg_details(path)["sha256"],
            depends=tuple(index.get("depends") or ()),  # type: ignore[arg-type]
        )
    except Exception as error:  # tarfile, zipfile, zstd, json: each has errors of its own
        _invalid(path, f"is not a package archive: {error or type(error).__name__}")


def configuration(
    environment: Environment, *, but: Callable[[str], bool] | None = None
) -> CondaConfig:
    """Return conda's configuration for an environment, credentials included; see `load`."""
    mamba = environment.conda is None or environment.conda.tool != "conda"
    from ...where.condarc import load

    return load(environment.prefix, environment.root, mamba=mamba, but=but)


# The command lines


def command_lines(
    request: Request, environment: Environment, specs: Sequence[CondaSpec], there: Container[str]
) -> tuple[Command, ...]:
    """Return the command lines that carry a request out, each spec one argument.

    They are those of the executable that governs the environment, whichever engine does the work,
    or else conda's.

    conda takes archives only by themselves, so they get their own command. To move packages to the
    newest version, conda's ``update`` takes no version and nothing new, while its ``install
    --update-specs`` takes both; mamba's and micromamba's ``install`` leaves alone what is there,
    and their ``update`` takes nothing new.
    """
    tool = environment.conda.tool if environment.conda else "conda"
    program = _program(environment.conda) if environment.conda else "conda"
    named = [spec for spec in specs if not spec.archive]
    archives = [spec for spec in specs if spec.archive]
    groups: list[tuple[tuple[str, ...], list[CondaSpec]]]
    if request.action == "remove":
        groups = [(("remove", "--yes"), named)]
    elif not request.upgrade:
        groups = [(("install", "--yes"), named), (("install", "--yes"), archives)]
    elif tool == "conda":
        update = ("install", "--yes", "--update-specs")
        groups = [(update, named), (("install", "--yes"), archives)]
    else:
        old = [spec for spec in named if spec.name in there]
        new = [spec for spec in named if spec not in old]
        install = ("install", "--yes")
        groups = [(("update", "--yes"), old), (install, new), (install, archives)]
    return tuple(
        Command(
            (
                *(program, *words, *environment.conda_target()),
                *(request.sources.of(request.manager).words if request.action == "install" else ()),
                *(spec.text for spec in group),
                *request.options,
            ),
            environ=tuple(text.partition("=")[::2] for text in request.sources.variables),
        )
        for words, group in groups
        if group
    )


def _program(executable: CondaExecutable) -> str:
    """Return its command: the plain name if that finds the same file."""
    found = shutil.which(executable.tool)
    same = found is not None and os.path.realpath(found) == os.path.realpath(executable.path)
    return executable.tool if same else executable.path
