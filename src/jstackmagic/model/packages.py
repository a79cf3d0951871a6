"""Packages, sets of them, and the change from one set to another."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

ManagerName = str
"""The name of a package manager, as ``model/managers.py`` lists it."""

PackageKey = tuple[ManagerName, str]
"""A manager and a package\'s normalised name."""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package."""

    manager: ManagerName  #: the manager that owns its files
    name: str  #: normalised as its manager normalises it (PEP 503 for pip)
    version: str
    build: str = ""  #: conda's build string, or the Debian architecture; empty for pip
    source: str = ""  #: its origin: a channel, a direct URL (``direct_url.json``) or an index
    url: str = ""  #: the archive it was unpacked from, if known
    sha256: str = ""  #: of that archive, in hexadecimal, if known
    size: int | None = None  #: bytes on disk, if the metadata has it
    requested: bool = False  #: whether the user requested it; False for a dependency
    editable: bool = False  #: whether it is a development install (``pip install -e``)

    @property
    def key(self) -> PackageKey:
        """Return what identifies it within one environment."""
        return (self.manager, self.name)

    @property
    def stem(self) -> str:
        """Return NAME-VERSION-BUILD, as conda calls its record and its archive."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def identity(self) -> tuple[str, ...]:
        """Return what makes two packages of one name the same package."""
        return (self.version, self.build, self.source, self.sha256)


@dataclass(frozen=True, slots=True)
class CondaDetail:
    """Details of a conda package for a lock, which a history does not have."""

    name: str
    depends: tuple[str, ...] = ()  #: the match specs of its dependencies
    md5: str = ""  #: of its archive, in hexadecimal, if known


@dataclass(frozen=True, slots=True)
class Need:
    """A package that needs another."""

    who: PackageKey
    what: str  #: its requirement, from its metadata
    whom: PackageKey
    meets: Callable[[Package], bool]  #: returns whether a package meets the requirement


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two package sets."""

    added: tuple[Package, ...] = ()
    changed: tuple[tuple[Package, Package], ...] = ()
    removed: tuple[Package, ...] = ()

    @property
    def came(self) -> tuple[Package, ...]:
        """Return the packages that are there after it and were not there before."""
        return (*self.added, *(new for _, new in self.changed))

    @property
    def went(self) -> tuple[Package, ...]:
        """Return the packages that were there before it and are not there after."""
        return tuple(old for old, _ in self.lost)

    @property
    def lost(self) -> tuple[tuple[Package, Package | None], ...]:
        """Return the packages of `went`, each with what took its place; None for nothing."""
        return (*self.changed, *((old, None) for old in self.removed))

    @property
    def pairs(self) -> tuple[tuple[Package | None, Package | None], ...]:
        """Return each package as it was and as it is; None where it is not there."""
        return (*((None, new) for new in self.added), *self.lost)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True)
class PackageSet:
    """The packages of one environment; subtract an older set and you have a change."""

    packages: tuple[Package, ...] = ()

    @cached_property
    def by_key(self) -> dict[PackageKey, Package]:
        """The packages by manager and name."""
        return {package.key: package for package in self.packages}

    def __sub__(self, before: PackageSet) -> Change:
        old, new = before.by_key, self.by_key
        return Change(
            added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
            changed=tuple(
                (old[key], new[key])
                for key in sorted(new.keys() & old.keys())
                if old[key].identity != new[key].identity
            ),
            removed=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        )

    def __contains__(self, key: PackageKey) -> bool:
        return key in self.by_key

    def get(self, manager: ManagerName, name: str) -> Package | None:
        """Return the package of that manager and normalised name, if it is installed."""
        return self.by_key.get((manager, name))


@lru_cache(maxsize=20_000)
def normalise(name: str) -> str:
    """Return a Python distribution's name as PEP 503 compares it.

    >>> normalise("Zope.Interface")
    'zope-interface'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


# Two descriptions of one package


def with_origin(package: Package, known: Package | None) -> Package:
    """Return a package with its origin, which only its manager knew when it was installed."""
    if known is None or known.version != package.version:
        return package
    return replace(
        package,
        source=package.source or known.source,
        url=package.url or known.url,
        sha256=package.sha256 or known.sha256,
    )


def either(one: Package | None, other: Package | None) -> Package:
    """Return the first of two descriptions of a package that is there; one of them is."""
    package = one or other
    assert package is not None
    return package


def same(one: Package | None, other: Package | None) -> bool:
    """Return True where two descriptions are of the same package."""
    if one is None or other is None:
        return one is other
    if one.sha256 and other.sha256 and one.sha256 != other.sha256:
        return False
    return trace(one) == trace(other)


def trace(package: Package) -> tuple[str, ...]:
    """Return the facts that identify a package on disk."""
    from .credentials import mask

    source = mask(as_on_disk(package).source).rstrip("/")
    return (*package.key, package.version, package.build, source)


def as_on_disk(package: Package) -> Package:
    """Return a package as its metadata alone describes it: with a URL or path, but with no index.

    >>> index, url = "https://pypi.example/simple", "https://files.example/six-1.17.0.whl"
    >>> as_on_disk(Package("pip", "six", "1.17.0", source=index, url=url)).source
    ''
    """
    if package.manager == "pip" and package.url and package.url not in package.source:
        return replace(package, source="")
    return package
