"""Packages on disk: conda-meta, dist-info and dpkg's status file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.reading import own_bytes, read_once
from ..model.environment import Environment, minor_of
from ..model.managers import names
from ..model.packages import CondaDetail, ManagerName, Package, PackageKey, PackageSet, normalise
from .distributions import Distribution, metadata_in, text_in
from .reader import PackageReader, reader_of
from .revisions import first

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet


def read_packages(
    environment: Environment,
    managers: Iterable[ManagerName] | None = None,
    *,
    root: Path = Path("/"),
) -> PackageSet:
    """Read the installed packages from metadata on disk alone; no process is started.

    A Python distribution that conda installed is listed once, as conda's.

    Args:
        root: The root of the Debian system, for another system's file tree.
    """
    found: list[Package] = []
    for manager in names() if managers is None else managers:
        found += reader_of(manager).packages(environment, root)
    return PackageSet(tuple(sorted(found, key=lambda package: package.key)))


def read_conda(prefix: str | Path) -> tuple[Package, ...]:
    """Return the conda packages of a prefix, from the records in ``conda-meta``."""
    return tuple(record.package for record in read_once(conda_records(prefix), _read_conda_record))


def read_details(prefix: str | Path) -> tuple[CondaDetail, ...]:
    """Return further details from the records of a prefix, in order of their names."""
    records = read_once(conda_records(prefix), _read_conda_record)
    return tuple(sorted((record.detail for record in records), key=lambda detail: detail.name))


def read_distributions(environment: Environment) -> tuple[Package, ...]:
    """Return the Python distributions of an environment that conda does not own."""
    return tuple(item.package for item in distributions(environment) if not item.by_conda)


def find_distribution(name: str, folders: Iterable[str]) -> Distribution | None:
    """Return the distribution that an import would find in some folders, as it is now."""
    paths = (path for folder in folders for path in metadata_in(folder, normalise(name)))
    found = map(Distribution.read, paths)
    return next((item for item in found if item is not None), None)


def conda_distributions(environment: Environment) -> dict[str, str]:
    """Return the versions of the Python distributions that conda installed, by normalised name."""
    return {item.name: item.version for item in distributions(environment) if item.by_conda}


def dpkg_folder(root: Path = Path("/")) -> Path:
    """Return the folder of dpkg's database: here $DPKG_ADMINDIR, if it is set (dpkg(1))."""
    named = os.environ.get("DPKG_ADMINDIR") if root == Path("/") else None
    return Path(named) if named else root / "var/lib/dpkg"


def read_debian(root: Path = Path("/")) -> tuple[Package, ...]:
    """Return the Debian packages of a system, from dpkg's status file; empty without one.

    Packages that apt marked as automatically installed (``extended_states``) were not requested.
    """
    folder = dpkg_folder(root)
    marks = folder.parent / "apt/extended_states"
    return _read_debian(folder, marks, *_stamp(folder / "status"), *_stamp(marks))


def debian_owners(names: Iterable[str], environment: Environment) -> dict[str, tuple[str, str]]:
    """Return the version and the Debian package of each distribution that dpkg owns.

    The source is dpkg's lists of files (``info/*.list``): Debian's own have no mark.
    """
    wanted = set(names)
    paths = {
        item.path: item
        for item in distributions(environment)
        if item.name in wanted and item.path.startswith("/usr/lib/python3")
    }
    found: dict[str, tuple[str, str]] = {}
    folder = dpkg_folder() / "info"
    listings = (path for kind in ("python3*.list", "*.list") for path in folder.glob(kind))
    for listing in listings if paths else ():
        if len(found) == len(paths):
            break
        lines = set(text_in(listing).splitlines())
        for path, item in paths.items():
            if path in lines:
                found[item.name] = (item.version, listing.stem.partition(":")[0])
    return found


def metadata_of(package: Package, environment: Environment) -> tuple[str, ...]:
    """Return the metadata paths of a package: its file, or a distribution's folder and content."""
    return reader_of(package.manager).metadata(package, environment)


def distributions_of_package(package: Package, environment: Environment) -> list[Distribution]:
    """Return the distributions of a package's name, those of its version alone if there are any."""
    name = f"{package.name.replace('-', '_')}-{package.version}.dist-info"
    paths = (os.path.join(folder, name) for folder in environment.site_packages)
    exact = [item for item in read_once(paths, Distribution.read) if item is not None]
    return exact or _named(package.name, environment)


def files_of(package: Package, environment: Environment) -> tuple[str, ...]:
    """Return the absolute paths that a package owns; empty without a record."""
    return reader_of(package.manager).files(package, environment)


def of_uv(environment: Environment) -> frozenset[PackageKey]:
    """Return the keys of the distributions that uv installed, which are all marked as requested.

    Source: uv writes ``REQUESTED`` for every distribution, pip for those on its command line.
    """
    found = distributions(environment)
    return frozenset(item.package.key for item in found if item.installer == "uv")


def read_requirements(
    environment: Environment,
    extras: Mapping[str, Iterable[str]] | None = None,
    *,
    only: str = "",
) -> Iterator[tuple[str, Requirement]]:
    """Yield the requirements of an environment's distributions, each with the normalised name.

    Args:
        environment: The environment; markers (PEP 508) are evaluated for its Python.
        extras: The extras to include, by the normalised name of the distribution.
        only: The one distribution to read, by its normalised name; all of them if empty.
    """
    markers = python_markers(environment.python or "")
    for item in _named(only, environment):
        wanted = ("", *(extras or {}).get(item.name, ()))
        for text in item.requires:
            if need := applying(text, wanted, **markers):
                yield item.name, need


def extras_of(name: str, environment: Environment) -> tuple[str, ...]:
    """Return the extras that an installed distribution offers, by its normalised name."""
    return next((item.extras for item in _named(name, environment)), ())


@lru_cache(maxsize=20_000)
def requirement(text: str) -> Requirement | None:
    """Return a requirement (PEP 508); None where pip could not read it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def allows(specifier: SpecifierSet, version: str, *, unclear: bool) -> bool:
    """Return whether a version meets a specifier; what is installed may be a pre-release.

    Args:
        unclear: The answer for a version that is older than PEP 440.
    """
    from packaging.version import InvalidVersion

    try:
        return specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return unclear


def python_markers(version: str) -> dict[str, str]:
    """Return the marker variables (PEP 508) that tell a Python's version, such as ``3.11.4``."""
    return {
        "python_full_version": version,
        "python_version": minor_of(version),
    }


_OF_AN_EXTRA = re.compile(r";(?!.*\bor\b).*\bextra\s*==\s*(['\"])[^'\"]+\1")
"""A requirement that only who asks for an extra gets."""


@lru_cache(maxsize=20_000)
def applying(text: str, extras: tuple[str, ...], **markers: str) -> Requirement | None:
    """Return a requirement that applies to one of the extras; by its text, which hashes fast.

    Args:
        extras: With an empty one, which stands for what needs none.
        markers: The marker variables (PEP 508) that are not those of this process.
    """
    if extras == ("",) and _OF_AN_EXTRA.search(text):
        return None  # unread: most lines of most distributions
    need = requirement(text)
    if need is None or not need.marker:
        return need
    applies = (need.marker.evaluate({**markers, "extra": extra}) for extra in extras)
    return need if any(applies) else None


def conda_records(prefix: str | Path) -> list[str]:
    """Return the files of a prefix's ``conda-meta`` that are records."""
    folder = os.path.join(prefix, "conda-meta")
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    # NAME-VERSION-BUILD.json; other tools leave JSON files of their own there
    records = (name for name in names if name.endswith(".json") and name.count("-") >= 2)
    return [os.path.join(folder, name) for name in records if not name.startswith("~")]


@dataclass(frozen=True, slots=True)
class _CondaRecord:
    package: Package
    files: tuple[str, ...]
    detail: CondaDetail

    @property
    def egg_info(self) -> Iterator[str]:
        for file in self.files:
            head, found, _ = file.partition(".egg-info")
            if found:
                yield head + found


@lru_cache(maxsize=1)
def _prefix_record() -> Any:
    """Return the class of what we read of a conda-meta record; the rest is skipped unparsed.

    Python's collector does not follow its paths: thousands would have it look at all of a kernel.
    """
    import msgspec

    entry: Any = msgspec.defstruct("PathsEntry", [("size_in_bytes", int, 0)], gc=False)
    paths: Any = msgspec.defstruct("PathsData", [("paths", list[entry] | None, None)])
    texts = ("channel", "url", "sha256", "md5", "requested_spec")
    lists = ("requested_specs", "depends", "files")
    return msgspec.defstruct(
        "PrefixRecord",
        [
            *(("name", str), ("version", str), ("build", str, "")),
            *((name, str | None, None) for name in texts),
            *((name, list[str] | None, None) for name in lists),
            ("paths_data", paths | None, None),
        ],
    )


def _read_conda_record(path: str) -> _CondaRecord:
    import msgspec

    try:
        content = own_bytes(path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ELOOP):
            raise
        content = b""  # a pipe or a loop in its place; its name still identifies it
    try:
        record = msgspec.json.decode(content, type=_prefix_record(), strict=False)
    except msgspec.MsgspecError:  # half written or not conda's; its file name still identifies it
        name, version, build = Path(path).stem.rsplit("-", 2)
        record = _prefix_record()(name=name, version=version, build=build)
    url = record.url or ""
    # URL/SUBDIR/FILE; the channel field is spelled differently by conda and by rattler
    source = url.rsplit("/", 2)[0] if url.count("/") > 2 else record.channel or ""
    entries = (record.paths_data.paths if record.paths_data else None) or []
    requested = record.requested_spec not in (None, "", "None") or bool(record.requested_specs)
    return _CondaRecord(
        package=Package(
            manager="conda",
            name=record.name,
            version=record.version,
            build=record.build,
            source=source,
            url=url,
            sha256=record.sha256 or "",
            size=sum(entry.size_in_bytes for entry in entries) if entries else None,
            requested=requested,
        ),
        files=tuple(record.files or ()),
        detail=CondaDetail(record.name, tuple(record.depends or ()), record.md5 or ""),
    )


def distributions(environment: Environment, only: str = "") -> list[Distribution]:
    """Return the distributions of an environment, conda's too; or those of one folder's name."""
    paths = [path for folder in environment.site_packages for path in metadata_in(folder, only)]
    found = [item for item in read_once(paths, Distribution.read) if item is not None]
    if not environment.is_conda or not any(item.path.endswith(".egg-info") for item in found):
        return found
    # conda's egg-info has no INSTALLER file to name its owner
    owned = {
        os.path.join(environment.prefix, file)
        for record in read_once(conda_records(environment.prefix), _read_conda_record)
        for file in record.egg_info
    }
    return [replace(item, installer="conda") if item.path in owned else item for item in found]


def _named(name: str, environment: Environment) -> list[Distribution]:
    """Return the distributions of a normalised name, by their folders' names; or all of them."""
    found = distributions(environment, only=name)
    if found or not name:
        return found
    return [item for item in distributions(environment) if item.name == name]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read_debian(folder: Path, marks: Path, *_stamps: int) -> tuple[Package, ...]:
    native = text_in(folder / "arch").split("\n", 1)[0].strip()
    automatic = _automatic(marks)
    found = []
    for fields in paragraphs(text_in(folder / "status")):
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        name, architecture = fields["Package"], fields.get("Architecture", "")
        native = native or (architecture if name == "dpkg" else "")
        foreign = native and architecture not in (native, "all")
        # apt marks what is for all architectures under its own
        marked_as = (architecture, native) if architecture == "all" else (architecture,)
        size = fields.get("Installed-Size", "")
        found.append(
            Package(
                manager="apt",
                name=f"{name}:{architecture}" if foreign else name,
                version=fields.get("Version", ""),
                build=architecture,
                size=int(size) * 1024 if size.isdigit() else None,  # dpkg counts KiB
                requested=not any((name, each) in automatic for each in marked_as),
            )
        )
    return tuple(found)


def _automatic(path: Path) -> set[tuple[str, str]]:
    return {
        (fields.get("Package", ""), fields.get("Architecture", ""))
        for fields in paragraphs(text_in(path))
        if fields.get("Auto-Installed") == "1"
    }


_FIELD = re.compile(
    r"^(Package|Status|Version|Architecture|Installed-Size|Auto-Installed):[ \t]*(.*)$",
    re.MULTILINE,
)


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each package in a text of dpkg's, as far as they are used here."""
    for paragraph in text.split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if "Package" in fields:
            yield fields


class _CondaReader(PackageReader):
    def packages(self, environment: Environment, root: Path) -> tuple[Package, ...]:
        del root
        return read_conda(environment.prefix) if environment.is_conda else ()

    def is_whole(self, package: Package) -> bool:
        return bool(package.source)

    def files(self, package: Package, environment: Environment) -> tuple[str, ...]:
        records = read_once(self.metadata(package, environment), _read_conda_record)
        return tuple(f"{environment.prefix}/{file}" for each in records for file in each.files)

    def needs(self, environment: Environment) -> Iterable[tuple[str, Iterable[str]]]:
        for detail in read_details(environment.prefix) if environment.is_conda else ():
            yield detail.name, (text.partition(" ")[0] for text in detail.depends)

    def beginning(
        self, environment: Environment, here: Sequence[Package], begun: float | None
    ) -> tuple[list[Package], str] | None:
        return first(environment.prefix, here, begun)


class _PipReader(PackageReader):
    seeds = ("pip", "setuptools", "wheel")

    def packages(self, environment: Environment, root: Path) -> tuple[Package, ...]:
        del root
        return read_distributions(environment)

    def metadata(self, package: Package, environment: Environment) -> tuple[str, ...]:
        found = (item.path for item in distributions_of_package(package, environment))
        return tuple(
            str(path)
            for folder in map(Path, found)
            for path in (folder, *(folder.iterdir() if folder.is_dir() else ()))
        )

    def files(self, package: Package, environment: Environment) -> tuple[str, ...]:
        found = distributions_of_package(package, environment)
        return next((item.files for item in found if not item.by_conda), ())


class _AptReader(PackageReader):
    def packages(self, environment: Environment, root: Path) -> tuple[Package, ...]:
        del environment
        return read_debian(root)

    def metadata(self, package: Package, environment: Environment) -> tuple[str, ...]:
        del environment
        name, _, foreign = package.name.partition(":")
        lists = (f"{name}:{foreign or package.build}.list", f"{name}.list")
        paths = (str(dpkg_folder() / "info" / each) for each in lists)
        return tuple(filter(os.path.isfile, paths))[:1]


apt, conda, pip = _AptReader(), _CondaReader(), _PipReader()
