"""Read a request to pip: lists, constraints, projects and wheels."""

from __future__ import annotations

import configparser
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ...io.archives import check_archive, leaves, refused
from ...io.reading import path_of, text_of
from ...model.documents import parse_toml, table
from ...model.environment import Environment
from ...model.errors import JStackMagicError, UsageError
from ...model.options import PIP
from ...model.packages import normalise
from ...model.parsing import Asked, logical_lines, own_options, read_requirement
from ...model.request import Request
from ...model.spec import (
    Constraint,
    Requirement,
    RequirementsFile,
    Spec,
    VcsReference,
    read,
    split_hashes,
)
from ...model.wanted import Wanted, plain_place
from ...where.distributions import header, headers
from .harm import is_pythons
from .pipconf import configured

_SPECS = {"": "", "--requirement": "-r ", "--editable": "-e ", "--constraint": "-c "}
_PLACES = {
    "--index-url": "index_url",
    "--extra-index-url": "extra_index_urls",
    "--find-links": "find_links",
}
_HELD = {*_SPECS, *_PLACES, "--proxy", "--trusted-host"}
"""The options by which a setting of pip could bring in what a line may not."""

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA|[^/]+/PKG-INFO|PKG-INFO")
_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, JStackMagicError),
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, configparser.Error),
)
_LIMIT = 1_000_000
"""The bytes of metadata to read at most; PyPI's longest has a third of that."""


def wanted(request: Request, environment: Environment) -> Wanted:
    """Read a request, and all that it names, as pip would; see `Manager.wanted`."""
    reader = _WantedReader()
    for option, place in request.sources.of("pip").given():
        reader.place(_PLACES[option], place, "")
    for spec in request.specs:
        reader.spec(spec, "")
    reader.words(request.options, "", os.getcwd())
    given = {option.name for option in PIP.options(request.options)}
    indexed = request.sources.index_url or given & {"--index-url", "--no-index"}
    for name, setting in configured(environment).items():
        option = f"--{name}"
        if not setting.is_ours(environment) or (name == "index-url" and indexed):
            continue
        if option in _HELD:
            words = [word for value in setting.words for word in (option, value)]
            reader.words(words, setting.source, os.getcwd())
    return reader.found


def said_in_lists(specs: Iterable[Spec]) -> Asked:
    """Return what the lists of this machine, and those that they include, say of indexes and so on.

    Args:
        specs: Those of a request; others than lists say nothing.
    """
    reader = _WantedReader()
    for spec in specs:
        if isinstance(spec, RequirementsFile):
            reader.spec(spec, "")
    return reader.said


def check_archives(request: Request, environment: Environment) -> None:
    """Refuse a wheel or an sdist of this machine that is a bomb, or would write elsewhere.

    uv leaves out a wheel's members that lead outside, and says nothing; pip lets a script take the
    place of the environment's Python.

    Raises:
        CommandFailed: It is refused.
    """
    if not any(spec.place for spec in request.specs):
        return
    for path in dict.fromkeys(wanted(request, environment).files):
        check_archive(path, advice="Fetch it again, or take another one.")
        if path.endswith(".whl"):
            _check_scripts(path)


_CALLED = re.compile(r"\s*[\w.]+\s*(?::\s*[\w.]+\s*)?(?:\[[^\]]*\]\s*)?")
"""What an entry point names: a module, a thing in it, and extras."""


def _check_scripts(path: str) -> None:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    advice = "Whoever built it should know; another version may do."
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _, scripts, file = name.partition(".data/scripts/")
            below = f"bin/{file}" if scripts else name.partition(".data/data/")[2]
            if is_pythons(f"/{below}", "/"):
                raise refused(path, f"it has a file {below!r}", advice=advice)
            if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", name):
                with suppress(configparser.Error):
                    parser.read_string(archive.read(name).decode("utf-8", "replace"))
    for section in ("console_scripts", "gui_scripts"):
        for script, calls in parser[section].items() if parser.has_section(section) else ():
            if leaves(script) or "/" in script or re.fullmatch(r"python[\d.]*", script):
                raise refused(path, f"it has a script {script!r}", advice=advice)
            if not _CALLED.fullmatch(calls):  # which uv finds when half of it is there
                raise refused(path, f"its script {script} calls {calls!r}", advice=advice)


class _WantedReader:
    """Add the content of lists to ``found``; a list that includes itself is read once."""

    def __init__(self) -> None:
        self.found = Wanted()
        #: the lists' own options; what pip fills in where it runs (``${NAME}``) may be a secret,
        #: and stays in the list alone
        self.said = Asked()
        self._seen: set[str] = set()

    def place(self, setting: str, place: str, where: str) -> None:
        place = os.path.expandvars(place)
        self.found.places.append((setting, plain_place(place), where))

    def words(self, words: Sequence[str], where: str, folder: str) -> None:
        for option in PIP.options(words):
            name, value = option.name, option.value
            if name in _SPECS:
                self.spec(_absolute(f"{_SPECS[name]}{value}", folder), where)
            elif name in _PLACES:
                self.place(_PLACES[name], value, where)
            elif name == "--proxy":  # it answers for the index
                self.place("url", value if "://" in value else f"http://{value}", where)
            elif name == "--trusted-host":
                self.place("url", f"http://{re.sub(r':[0-9]+$', '', value)}", where)
            elif name not in PIP:
                self.found.beyond.append((name, where))

    def spec(self, spec: Spec, where: str) -> None:
        found = self.found
        if isinstance(spec, (RequirementsFile, Constraint)):
            self._list(spec, where)
            return
        path = _path(spec)
        if path is None:
            if spec.place:
                found.places.append(("url", plain_place(spec.place), where))
            name = spec.name
            if isinstance(spec, VcsReference) and not name:  # a repository is often called so
                found.needs.append((_name_of_repository(spec.place), where))
            found.name(name, spec.text, where)
            inside = read("pip", spec.place).name if name and spec.place else name
            if inside != name and inside:  # an archive under another name
                found.name(inside, spec.text, where)
            return
        if path.is_file():
            found.files.append(str(path))
        if not path.is_dir():  # an archive comes from an index, a folder is the user's own work
            found.places.append(("url", plain_place(path.absolute().as_uri()), where))
        try:
            name, needs, computed = _metadata(path, spec.extras)
        except _UNREADABLE as error:
            name, needs, computed = _ProjectMetadata("", [])
            found.nameless.append((f"{spec.text} ({_short(error)})", where))
        for each in dict.fromkeys(filter(None, (name, spec.name))):
            found.names.append((each, where))
        if not name and not spec.name:
            found.nameless.append((spec.text, where))
        if computed:
            found.computed.append((spec.text, where))
        for text in needs:
            needed = read("pip", text)
            found.needs.append((needed.name, f"{where} {path}".strip()))
            if needed.place:
                found.places.append(("url", plain_place(needed.place), str(path)))

    def _list(self, spec: Spec, where: str) -> None:
        limits = isinstance(spec, Constraint)
        try:
            path = os.path.realpath(os.path.expanduser(spec.place))
            if path in self._seen:
                return
            self._seen.add(path)
            if spec.is_url:
                raise ValueError("it is elsewhere")
            lines = [line for _, line in logical_lines(text_of(Path(path)))]
        except (OSError, ValueError, JStackMagicError) as error:
            self.found.beyond.append((f"{spec.text} ({_short(error)})", where))
            return
        for line in lines:
            self._line(line, path, limits=limits)

    def _line(self, written: str, path: str, *, limits: bool) -> None:
        folder = os.path.dirname(path)
        own: tuple[str, ...] = ()
        line = os.path.expandvars(written)
        try:
            if not line.startswith("-"):
                line, own, _ = own_options(line)
            asked = read_requirement(line, folder=folder)
        except JStackMagicError as error:
            self.found.beyond.append((f"{line} ({error.problem})", path))
            return
        if "${" not in written:
            self.said += replace(asked, specs=(), notes=())
        for spec in asked.of("pip"):
            if not limits or isinstance(spec, (RequirementsFile, Constraint)):
                try:
                    self.spec(spec, path)
                except UsageError as error:  # no path could be so
                    self.found.beyond.append((f"{_short(error)}", path))
            elif spec.place:
                self.found.places.append(("url", plain_place(spec.place), path))
        for option, place in asked.sources.given():
            self.place(_PLACES[option], place, path)
        self.words((*asked.pip_options, *own), path, folder)


def _absolute(text: str, folder: str) -> Spec:
    spec = read("pip", text)
    if spec.place and not spec.is_url and not os.path.isabs(os.path.expanduser(spec.place)):
        return read("pip", text.replace(spec.place, os.path.join(folder, spec.place)))
    return spec


def _path(spec: Spec) -> Path | None:
    """Return the file or folder of this machine that a spec names; None if it names none."""
    place = spec.place
    if place.startswith("file:"):
        return Path(unquote(urlsplit(place).path))
    if not place or spec.is_url or isinstance(spec, Requirement):
        return None
    return path_of(place)


def _name_of_repository(place: str) -> str:
    path = re.sub(r"@[^@/]*$", "", plain_place(place))
    return path.rpartition("/")[2].removesuffix(".git")


def _short(error: Exception) -> str:
    return str(getattr(error, "problem", "") or getattr(error, "strerror", "") or error)


# Metadata


class _ProjectMetadata(NamedTuple):
    """A local distribution's name and declared requirements."""

    name: str
    needs: list[str]
    computed: bool = False  #: true where code decides what it needs, and a list could


def _metadata(path: Path, extras: Sequence[str]) -> _ProjectMetadata:
    """Return what a local distribution says of itself, with the needs of some of its extras."""
    if path.is_dir():
        return _of_project(path, extras)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inside = (each for each in archive.infolist() if _METADATA.fullmatch(each.filename))
            member = next(inside, None)
            text = archive.open(member).read(_LIMIT) if member else b""
    else:
        text = _in_tar(path)
    if not text:
        raise ValueError("it has no metadata")
    return _of_headers(text.decode("utf-8", "replace").replace("\r\n", "\n"), extras)


def _in_tar(path: Path) -> bytes:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if _METADATA.fullmatch(member.name) else None
            if file is not None:
                return file.read(_LIMIT)
    return b""


def _of_headers(text: str, extras: Sequence[str]) -> _ProjectMetadata:
    needs = []
    for need in headers(text, "Requires-Dist"):
        extra = re.search(r"\bextra\s*==\s*['\"]([\w.-]+)", need)
        if extra is None or normalise(extra[1]) in map(normalise, extras):
            needs.append(need)
    return _ProjectMetadata(header(text, "Name"), needs)


def _of_project(folder: Path, extras: Sequence[str]) -> _ProjectMetadata:
    name, needs = "", []
    setup = text_of(folder / "setup.py") if (folder / "setup.py").is_file() else ""
    computed = "install_requires" in setup
    if (folder / "pyproject.toml").is_file():
        data = parse_toml(text_of(folder / "pyproject.toml"), str(folder))
        project, poetry = table(data, "project"), table(data, "tool", "poetry")
        name = str(project.get("name", "") or poetry.get("name", ""))
        listed = [*project.get("dependencies", ()), *table(poetry, "dependencies")]
        for extra, more in table(project, "optional-dependencies").items():
            listed += more if normalise(extra) in map(normalise, extras) else ()
        dynamic = table(data, "tool", "setuptools", "dynamic")
        files = table(dynamic, "dependencies").get("file", ())
        for file in [files] if isinstance(files, str) else files:
            listed += [line for _, line in logical_lines(text_of(folder / str(file)))]
        needs = [str(each) for each in listed]
        open_ended = "dependencies" in project.get("dynamic", ())
        computed = computed or (open_ended and dynamic.get("dependencies") is None)
    if not name and (folder / "setup.cfg").is_file():
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text_of(folder / "setup.cfg"))
        name = parser.get("metadata", "name", fallback="")
        needs += parser.get("options", "install_requires", fallback="").split("\n")
    if not name and (folder / "PKG-INFO").is_file():
        name, needs, _ = _of_headers(text_of(folder / "PKG-INFO"), extras)
    if not name:
        said = re.search(r"\bname\s*=\s*['\"]([\w.-]+)['\"]", setup)
        name = said[1] if said else ""
    needs = [split_hashes(need)[0].strip() for need in needs if need.strip()]
    return _ProjectMetadata(name, needs, computed)
