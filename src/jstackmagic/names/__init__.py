"""The names of packages: import names, PyPI's and conda-forge's names, Debian's libraries.

The two data files of this folder are read when first needed: after an import failed, or
when a name is completed or checked. ``NOTICE.txt`` names their sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..model.packages import normalise

POPULAR = 3000
"""The number of most used packages that a typosquatter may imitate."""

_SHORTEST = 5  # letters; of shorter names too many are one slip apart
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


@dataclass(frozen=True, slots=True)
class Names:
    """The data file."""

    made: str  #: the date of the data, as 2026-11-24
    #: import name → PyPI's name, if it does not follow from the import name
    imports: dict[str, str]
    #: import name → the packages that bring it and are not the same: that of the very name first
    several: dict[str, list[str]]
    conda: dict[str, str]  #: PyPI's name → conda-forge's, if they differ
    namespaces: frozenset[str]  #: top-level import names that many packages share
    #: import names, in lower case, that mean a file of the user's own more often than not
    own: frozenset[str]
    known: tuple[str, ...]  #: the packages that exist, the most downloaded first
    ranked: int  #: the number of those in order; the others are known to conda-forge

    @property
    def popular(self) -> tuple[str, ...]:
        """The most used packages, in order."""
        return self.known[: min(POPULAR, self.ranked)]


@lru_cache(maxsize=1)
def names() -> Names:
    """Return the data file, read once."""
    data = _read("data.json.gz")
    return Names(
        made=data["made"],
        imports=data["imports"],
        several=data["several"],
        conda=data["conda"],
        namespaces=frozenset(data["namespaces"].split()),
        own=frozenset(data["own"].split()),
        known=tuple(data["known"].split()),
        ranked=data["ranked"],
    )


@lru_cache(maxsize=1)
def _rank() -> dict[str, int]:
    return {name: at for at, name in enumerate(names().known)}


@lru_cache(maxsize=1)
def _from_conda() -> dict[str, str]:
    """Return conda-forge's names → PyPI's; of several for one name the most used."""
    rank, last = _rank(), len(_rank())
    found: dict[str, str] = {}
    for package, conda in names().conda.items():
        if conda not in found or rank.get(package, last) < rank.get(found[conda], last):
            found[conda] = package
    return found


def _read(file: str) -> Any:
    import gzip
    import json
    from importlib.resources import files

    return json.loads(gzip.decompress(files(__name__).joinpath(file).read_bytes()))


# Import names


def package_of(module: str) -> str | None:
    """Return the package, by PyPI's name, that an import needs; None where none is known to.

    The longest part of a dotted name that says something decides.

    >>> package_of("cv2"), package_of("sklearn.svm"), package_of("google.cloud.storage.blob")
    ('opencv-python', 'scikit-learn', 'google-cloud-storage')
    """
    data = names()
    root = module.partition(".")[0]
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in data.imports:
            return data.imports[name]
        if root in data.namespaces and length > 1 and normalise(name) in _rank():
            return normalise(name)
    if root in data.namespaces:
        return None
    same = normalise(root)
    return same if same in _rank() else None


def members(namespace: str, number: int = 5) -> tuple[str, ...]:
    """Return the most used packages of a namespace, a few."""
    head = f"{normalise(namespace)}-"
    return tuple(name for name in names().known if name.startswith(head))[:number]


def conda_name(package: str) -> str:
    """Return what conda-forge calls a package of PyPI's.

    >>> conda_name("opencv-python"), conda_name("torch"), conda_name("pymongo")
    ('opencv', 'pytorch', 'pymongo')
    """
    return names().conda.get(normalise(package), normalise(package))


def pypi_name(conda: str) -> str:
    """Return what PyPI calls a package of conda-forge's.

    >>> pypi_name("opencv"), pypi_name("pytorch"), pypi_name("pymongo")
    ('opencv-python', 'torch', 'pymongo')
    """
    return _from_conda().get(conda, conda)


# Whether a name is one


def is_known(package: str) -> bool:
    """Return whether a package of that name is much used, or on conda-forge."""
    return normalise(package) in _rank() or package.lower() in _from_conda()


def is_popular(package: str) -> bool:
    """Return whether it is among the most used."""
    return _rank().get(normalise(package), POPULAR) < POPULAR


@lru_cache(maxsize=1024)
def slip_of(package: str) -> str | None:
    """Return the popular package that an unknown name is one typing error away from, if any.

    A slip is one letter too many, too few, wrong or swapped with its neighbour; or a word left out
    or put first or last, as ``python-``.

    >>> slip_of("reqeusts"), slip_of("pandsa"), slip_of("pandas"), slip_of("acme-internal-tools")
    ('requests', 'pandas', None, None)
    """
    name = normalise(package)
    if len(name) < _SHORTEST - 1 or is_known(name):
        return None
    rank = _rank()
    found = [
        other
        for other in _slips(name)
        if rank.get(other, POPULAR) < POPULAR and len(other) >= _SHORTEST
    ]
    return min(found, key=lambda other: rank[other], default=None)


def _slips(name: str) -> Iterator[str]:
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in _LETTERS:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def nearest(name: str, candidates: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return a few known names with a similar spelling, the nearest first.

    Args:
        candidates: The names to search; by default the much used packages.
    """
    from difflib import get_close_matches

    if candidates is None:
        data = names()
        wanted = normalise(name)
        near = [other for other in data.known[: data.ranked] if abs(len(other) - len(wanted)) <= 2]
        ordered = get_close_matches(wanted, near, n=8, cutoff=0.8)
        # of names that are as near, the most used is the likeliest
        return tuple(sorted(ordered, key=lambda other: _rank()[other])[:3])
    return tuple(get_close_matches(name, candidates, n=3, cutoff=0.7))


# Shared libraries


@dataclass(frozen=True, slots=True)
class Libraries:
    """The Debian packages of shared libraries."""

    made: str  #: the date of the file
    source: str  #: the release whose lists it is made from
    packages: dict[str, str]  #: library → package


@lru_cache(maxsize=1)
def libraries() -> Libraries:
    """Return the data file, read once."""
    data = _read("libraries.json.gz")
    packages = {name: package_by_rule(name) for name in data["ruled"].split()}
    return Libraries(data["made"], data["source"], packages | data["libraries"])


def debian_package(library: str) -> str | None:
    """Return the Debian package that brings a shared library; None where no package is known to.

    >>> debian_package("libGL.so.1"), debian_package("libgthread-2.0.so.0")
    ('libgl1', 'libglib2.0-0')
    """
    found = libraries().packages
    if library in found:
        return found[library]
    if library.endswith(".so"):  # asked for without a version, as ctypes users do
        head = f"{library}."
        versions = sorted(name for name in found if name.startswith(head))
        return found[versions[-1]] if versions else None
    return None


def package_by_rule(library: str) -> str:
    """Return the package that Debian Policy (8.1) names after a library and its version.

    >>> package_by_rule("libXext.so.6"), package_by_rule("libfoo2.so.1")
    ('libxext6', 'libfoo2-1')
    """
    name, _, version = library.partition(".so.")
    name = name.lower().replace("_", "-")
    return f"{name}{'-' if re.search(r'[0-9]$', name) else ''}{version}"
