"""The exactness of a spec: as seen on disk, as requested, or the bare name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from .recipe import Item
from .spec import (
    DebianPackage,
    MatchSpec,
    NamedPackage,
    Requirement,
    Spec,
    VcsReference,
    checkout,
    read,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement as Pep508

Pin = Literal["exact", "spec", "none"]
PINS: tuple[Pin, ...] = get_args(Pin)

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def pinned(item: Item, pin: Pin) -> str:
    """Return the spec of an item.

    ``exact`` gives the version last seen on disk, and keeps what the user said beside the version:
    a channel, a build, extras, a marker, the place it comes from. Debian's archives drop old
    versions, so that apt gets one only where the user gave it.

    >>> from jstackmagic.model.recipe import Item
    >>> from jstackmagic.model.spec import read
    >>> numpy = read("conda", "conda-forge::numpy>=1.2")
    >>> pinned(Item(numpy, "numpy", "1.26.4"), "exact")
    'conda-forge::numpy=1.26.4'
    >>> dask = read("pip", "dask[array]>2; python_version>'3'")
    >>> pinned(Item(dask, "dask", "2026.1"), "exact")
    'dask[array]==2026.1; python_version > "3"'
    """
    if pin == "spec":
        return item.text
    match item.spec:
        case MatchSpec():
            return _conda(item, item.spec, pin)
        case NamedPackage(name=name):
            version = item.version if pin == "exact" else ""
            return f"{name}=={version}" if version else name
        case DebianPackage():
            return item.spec.name if pin == "none" else item.text
        case VcsReference():
            flag = "-e " if item.spec.editable else ""
            return f"{flag}{_at_commit(item.spec.place, item, pin)}"
        case Requirement():
            return _pip(item, pin)
    return item.text  # a file or a folder is more exact than a version


def pinned_spec(item: Item, pin: Pin) -> Spec:
    """Return the spec of an item as a value; see `pinned`."""
    text = pinned(item, pin)
    if isinstance(item.spec, (Requirement, VcsReference)):
        return read("pip", text)
    return replace(item.spec, text=text)


def _conda(item: Item, asked: MatchSpec, pin: Pin) -> str:
    if not asked.name or {key for key, _ in asked.keys} - {"version", "build", "channel"}:
        return item.text  # a hash, a file, a feature: more exact than a version
    spec = f"{asked.channel}::{asked.name}" if asked.channel else asked.name
    if pin == "none":
        return spec
    if not item.version:
        return item.text
    build = f"={item.build}" if asked.has_build and item.build else ""
    return f"{spec}={item.version}{build}"


def _pip(item: Item, pin: Pin) -> str:
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Pep508

    try:
        requirement = Pep508(item.text)
    except InvalidRequirement:  # it has hashes, or a version older than PEP 440
        return item.text
    if requirement.url:
        requirement.url = _at_commit(requirement.url, item, pin)
    elif pin == "none":
        _set_version(requirement, "")
    elif item.version:
        _set_version(requirement, item.version)
    return str(requirement)


def _set_version(requirement: Pep508, version: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        requirement.specifier = SpecifierSet(f"=={version}" if version else "")
    except InvalidSpecifier:  # a version older than PEP 440
        requirement.specifier = SpecifierSet(f"==={version}")


def _at_commit(url: str, item: Item, pin: Pin) -> str:
    """Return a version control URL with the installed commit in place of the branch or tag."""
    asked, seen = checkout(url), checkout(item.source)
    if pin != "exact" or asked is None or seen is None or not _COMMIT.fullmatch(seen.ref):
        return url
    return str(replace(asked, ref=seen.ref))
