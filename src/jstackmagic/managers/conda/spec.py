"""conda's language of specs, for the conda executables and the engine in process.

It reads the specs of a request, says what already serves them, and writes the command lines.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast
from urllib.parse import unquote, urlsplit

from ...model.errors import NOTHING_CHANGED, CommandFailed, InvalidSpec
from ...model.extras import is_here
from ...model.plan import Command
from ...where.packages import read_packages
from . import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rattler import MatchSpec, PrefixRecord  # noqa: TC004  # no noun: it is never read back

    from ...model.environment import CondaExecutable, Environment
    from ...model.packages import Package
    from ...model.request import Request
    from ...where.condarc import CondaConfig


_ARCHIVE = (".conda", ".tar.bz2")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class CondaSpec:
    """One spec of a request.

    Attributes:
        text: As the user wrote it.
        name: The package's name as conda normalises it, in lower case.
        match: What the package must be.
        archive: The package archive it names, an absolute path or a URL; empty if it names none.
    """

    text: str
    name: str
    match: MatchSpec
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
    path = text.partition("#")[0] if _URL.match(text) else text
    if path.endswith(_ARCHIVE) and "::" not in text:
        if action == "remove":
            _invalid(text, "names an archive; what is installed has a name", advice=_named(path))
        return _read_archive_spec(text)
    if text.startswith("-") or not text.isprintable():
        _invalid(text, "is not a match spec")
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
    except InvalidMatchSpecError as error:
        reason = str(error).splitlines()[0].rpartition(": ")[2].rstrip(".")
        _invalid(text, f"is not a match spec: {reason}")


def pinned_where(prefix: str, pins: Iterable[str]) -> str:
    """Return the origin of pins, in words: the environment's file with its date, or a condarc."""
    import time

    path = os.path.join(prefix, "conda-meta", "pinned")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        date = time.strftime("%Y-%m-%d", time.localtime(os.stat(path).st_mtime))
    except OSError:
        text = date = ""
    places = (f"{path}, of {date}" if pin in text else "condarc's pinned_packages" for pin in pins)
    return "; ".join(dict.fromkeys(places))


def name_of(match: MatchSpec) -> str:
    """Return the package's name that a match spec begins with."""
    return str(match.name.normalized)


def _read_archive_spec(text: str) -> CondaSpec:
    if _URL.match(text) and not text.startswith("file://"):
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
    for extension in _ARCHIVE:
        file = file.removesuffix(extension)
    parts = file.rsplit("-", 2)
    if len(parts) != 3:
        _invalid(text, "is not a package archive: its name should be NAME-VERSION-BUILD")
    return parts[0].lower(), parts[1], parts[2]


def _named(path: str) -> str:
    name = Path(path).name.rsplit("-", 2)[0]
    return f"Remove it by its name: %envremove {name}"


def _invalid(text: str, why: str, *, advice: str | tuple[str, ...] = ()) -> NoReturn:
    raise InvalidSpec(
        f"{text!r} {why}.",
        kept="Nothing was started.",
        advice=advice or "A match spec reads so: pymongo 'numpy>=1.20' conda-forge::scipy",
    )


# Archives


@dataclass(frozen=True, slots=True)
class Archive:
    """A package archive on this disk, from the metadata inside it.

    Attributes:
        path: Absolute.
        sha256: Of the file, in hexadecimal.
        depends: Its dependencies, as match specs.
    """

    path: str
    name: str
    version: str
    build: str
    subdir: str
    sha256: str
    depends: tuple[str, ...]


def read_archive(path: str) -> Archive:
    """Read the metadata of a local ``.conda`` or ``.tar.bz2``.

    Raises:
        InvalidSpec: It is missing, or is not a package archive.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        _invalid(path, f"cannot be read: {error.strerror}", advice=f"Look: !ls {Path(path).parent}")
    return _read_archive(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read_archive(path: str, _mtime_ns: int, _size: int) -> Archive:
    import json

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


def lone_archives(specs: Iterable[CondaSpec], environment: Environment) -> Iterator[str]:
    """Yield a sentence for each missing dependency of an archive: conda installs archives alone."""
    there = {package.name for package in read_packages(environment, ("conda",)).packages}
    there |= {spec.name for spec in specs}
    for spec in specs:
        if not os.path.isabs(spec.archive):
            continue
        names = {name_of(parse(text)) for text in read_archive(spec.archive).depends}
        missing = sorted(name for name in names - there if not name.startswith("__"))
        if missing:
            yield (
                f"conda installs an archive alone. {spec.name} also needs: "
                f"%envinstall --conda {' '.join(missing)}"
            )


def configuration(environment: Environment) -> CondaConfig:
    """Conda's configuration for an environment, credentials included."""
    from ...where.condarc import load

    mamba = environment.conda is None or environment.conda.tool != "conda"
    return load(environment.prefix, environment.root, mamba=mamba)


# What is there already


def records(prefix: str) -> dict[str, PrefixRecord]:
    """Return the records of ``conda-meta`` by package name; an unchanged record is read once."""
    found = (_record(path) for path in record_paths(prefix))
    return {str(record.name.normalized): record for record in found}


def record_paths(prefix: str) -> list[str]:
    """Return the files of ``conda-meta`` that are records."""
    try:
        with os.scandir(os.path.join(prefix, "conda-meta")) as entries:
            names = [entry.path for entry in entries if entry.name.endswith(".json")]
    except FileNotFoundError:
        return []
    # NAME-VERSION-BUILD.json; other tools leave JSON files of their own there
    return sorted(path for path in names if os.path.basename(path).count("-") >= 2)


def _record(path: str) -> PrefixRecord:
    status = os.stat(path)
    return _record_cached(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=10_000)
def _record_cached(path: str, _mtime_ns: int, _size: int) -> PrefixRecord:
    if not is_here("rattler"):
        return cast("PrefixRecord", plain.Record.from_path(Path(path)))
    from rattler import PrefixRecord

    return PrefixRecord.from_path(Path(path))


def is_match(match: MatchSpec, package: Package) -> bool:
    """Return whether a package fits a match spec, by its name, version and build."""
    if not is_here("rattler"):
        return match.matches(cast("PrefixRecord", plain.Record.of(package)))
    from rattler import BuildString, PackageRecord

    number = re.search(r"\d+$", package.build)
    build = BuildString(package.build)
    record = PackageRecord(
        package.name, package.version, build, int(number[0]) if number else 0, "noarch"
    )
    return match.matches(record)


class Installed:
    """The packages of a prefix, each record read only when it is needed."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._paths = {
            os.path.basename(path).rsplit("-", 2)[0]: path
            for path in record_paths(environment.prefix)
        }

    @property
    def names(self) -> Iterable[str]:
        """The names of all of them."""
        return self._paths.keys()

    def serves(self, spec: CondaSpec) -> bool:
        """Return whether the installed packages meet a spec, with everything that it needs."""
        record = self._get(spec.name)
        if record is None or not spec.match.matches(record) or not self._is_from(record, spec):
            return False
        return all(self._whole(record, set()))

    def matches(self, spec: CondaSpec) -> bool:
        """Return whether the installed packages fit a spec."""
        record = self._get(spec.name)
        return record is not None and spec.match.matches(record) and self._is_from(record, spec)

    def _get(self, name: str) -> PrefixRecord | None:
        path = self._paths.get(name)
        return None if path is None else _record(path)

    def _is_from(self, record: PrefixRecord, spec: CondaSpec) -> bool:
        from ...where.condarc import channel_urls

        if spec.archive:
            return bool(_URL.match(spec.archive)) or _is_archive(record, spec.archive)
        if spec.match.subdir and record.subdir != spec.match.subdir:
            return False
        # conda leaves the URL of a file's path unquoted
        url = unquote(record.url)
        return not spec.channel or any(
            url.startswith(f"{unquote(channel)}/")
            for channel in channel_urls(spec.channel, configuration(self._environment))
        )

    def _whole(self, record: PrefixRecord, seen: set[str]) -> Iterator[bool]:
        for text in record.depends:
            depends = _dependency(text)
            name = name_of(depends)
            if name.startswith("__"):  # the system's, not the environment's
                continue
            needed = self._get(name)
            yield needed is not None and depends.matches(needed)
            if needed is not None and name not in seen:
                seen.add(name)
                yield from self._whole(needed, seen)


@lru_cache(maxsize=20_000)
def _dependency(text: str) -> MatchSpec:
    return parse(text)


def _is_archive(record: PrefixRecord, path: str) -> bool:
    return record.sha256 is not None and record.sha256.hex() == read_archive(path).sha256


def resolved(request: Request, environment: Environment) -> tuple[Package, ...]:
    """Return the conda package that serves each spec now, without those not installed."""
    packages = read_packages(environment, ("conda",))
    found = (packages.get("conda", spec.name) for spec in read_specs(request))
    return tuple(dict.fromkeys(package for package in found if package is not None))


def check_installed(specs: Sequence[CondaSpec], installed: Installed) -> None:
    """Refuse to remove packages that are not installed.

    Raises:
        CommandFailed: A spec matches no installed package; the error names similar ones.
    """
    missing = [spec for spec in specs if not installed.matches(spec)]
    if missing:
        names = ", ".join(spec.text for spec in missing)
        near = [name for spec in missing for name in nearest(spec.name, installed.names)]
        raise CommandFailed(
            f"Not installed by conda: {names}.",
            kept=NOTHING_CHANGED,
            advice=(
                *([f"Installed is: {', '.join(dict.fromkeys(near))}"] if near else []),
                "What pip installed, pip removes: %envremove --pip NAME",
            ),
        )


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return a few names similar to a misspelt one, the nearest first."""
    from difflib import get_close_matches

    return get_close_matches(name, names, n=3, cutoff=0.6)


# The command lines


def command_lines(
    request: Request, environment: Environment, specs: Sequence[CondaSpec], installed: Installed
) -> tuple[Command, ...]:
    """Return the command lines that carry a request out, each spec one argument.

    They are those of the executable that governs the environment, whichever engine does the work,
    or else conda's.

    conda takes archives only by themselves, so they get their own command. To move packages to the
    newest version, conda's ``update`` takes no version and nothing new, while its ``install
    --update-specs`` takes both; mamba's and micromamba's ``install`` leaves alone what is there,
    and their ``update`` takes nothing new.

    Args:
        request: The request.
        environment: Its environment.
        specs: The request's specs, from `read_specs`.
        installed: The packages that are installed already.
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
        there = [spec for spec in named if spec.name in installed.names]
        new = [spec for spec in named if spec not in there]
        install = ("install", "--yes")
        groups = [(("update", "--yes"), there), (install, new), (install, archives)]
    return tuple(
        Command(
            (
                *(program, *words, *environment.conda_target()),
                *(request.sources.of(request.manager).words if request.action == "install" else ()),
                *(spec.text for spec in group),
                *request.options,
            )
        )
        for words, group in groups
        if group
    )


def _program(executable: CondaExecutable) -> str:
    """Return its command: the plain name if that finds the same file."""
    found = shutil.which(executable.tool)
    same = found is not None and os.path.realpath(found) == os.path.realpath(executable.path)
    return executable.tool if same else executable.path
