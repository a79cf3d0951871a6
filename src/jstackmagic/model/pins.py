"""How exact a spec is written: as it was seen on disk, as it was asked for, or by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from .packages import ManagerName
    from .recipe import Item

Pin = Literal["exact", "spec", "none"]
PINS: tuple[Pin, ...] = get_args(Pin)

_ARCHIVE = (".conda", ".tar.bz2")
_VCS = re.compile(r"(?P<url>(?:git|hg|svn|bzr)\+.+?)(?P<fragment>#.*)?")
_COMMIT = re.compile(r".+@(?P<commit>[0-9a-f]{7,64})(?:#.*)?")
_CONDA = re.compile(
    r"(?:(?P<channel>.+)::)?\s*(?P<name>[A-Za-z0-9_.-]+)(?P<version>[^\[]*)(?:\[(?P<keys>.*)\])?"
)
_BUILD = re.compile(
    r"\s*[<>!~=]*[^\s=,|]+(?:[,|][<>!~=]*[^\s=,|]+)*(?:=|\s+)(?P<build>[\w*.]+)", re.ASCII
)
_KEY = re.compile(r"\s*(?P<key>\w+)\s*=\s*(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\"|(?P<bare>[^,]*))")


def pinned(manager: ManagerName, item: Item, pin: Pin) -> str:
    """The spec of an item.

    ``exact`` gives the version last seen on disk, and keeps what the user said beside the version:
    a channel, a build, extras, a marker, the place it comes from. Debian's archives drop old
    versions, so that apt gets one only where the user gave it.

    >>> from jstackmagic.recipe import Item
    >>> pinned("conda", Item("conda-forge::numpy>=1.2", "numpy", "1.26.4"), "exact")
    'conda-forge::numpy=1.26.4'
    >>> pinned("pip", Item("dask[array]>2; python_version>'3'", "dask", "2026.1"), "exact")
    'dask[array]==2026.1; python_version > "3"'
    >>> pinned("pip", Item("dask[array]>2", "dask", "2026.1"), "none")
    'dask[array]'
    """
    if pin == "spec":
        return item.spec
    if manager == "conda":
        return _conda(item, pin)
    if manager == "apt":
        return _apt(item.spec) if pin == "none" else item.spec
    return _pip(item, pin)


def _conda(item: Item, pin: Pin) -> str:
    match = _CONDA.fullmatch(item.spec)
    if match is None or item.spec.partition("#")[0].endswith(_ARCHIVE):
        return item.spec
    keys = {
        found["key"]: next(filter(None, found.group("one", "two", "bare")), "").strip()
        for found in _KEY.finditer(match["keys"] or "")
    }
    if keys.keys() - {"version", "build", "channel"}:
        return item.spec  # a hash, a file, a feature: more exact than a version
    channel = match["channel"] or keys.get("channel", "")
    spec = f"{channel}::{match['name']}" if channel else match["name"]
    if pin == "none":
        return spec
    if not item.version:
        return item.spec
    asked_for_build = "build" in keys or _BUILD.fullmatch(match["version"].strip())
    build = f"={item.build}" if asked_for_build and item.build else ""
    return f"{spec}={item.version}{build}"


def _apt(spec: str) -> str:
    return spec if spec.endswith(".deb") else re.split(r"[=/]", spec, maxsplit=1)[0]


def _pip(item: Item, pin: Pin) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    if item.spec.startswith("-e "):
        return f"-e {_at_commit(item.spec[3:], item, pin)}"
    if _VCS.fullmatch(item.spec):
        return _at_commit(item.spec, item, pin)
    try:
        requirement = Requirement(item.spec)
    except InvalidRequirement:  # a path, a URL, -r FILE
        return item.spec
    if requirement.url:
        requirement.url = _at_commit(requirement.url, item, pin)
    elif pin == "none":
        _set_version(requirement, "")
    elif item.version:
        _set_version(requirement, item.version)
    return str(requirement)


def _set_version(requirement: Requirement, version: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        requirement.specifier = SpecifierSet(f"=={version}" if version else "")
    except InvalidSpecifier:  # a version older than PEP 440
        requirement.specifier = SpecifierSet(f"==={version}")


def _at_commit(url: str, item: Item, pin: Pin) -> str:
    """A version control URL with the commit that was installed in place of the branch or tag."""
    match, seen = _VCS.fullmatch(url), _COMMIT.fullmatch(item.source)
    if pin != "exact" or match is None or seen is None:
        return url
    scheme, slashes, place = match["url"].partition("://")
    # pip takes what follows the path's last @ for the branch or tag; a user name ends with one too
    host, slash, path = place.partition("/")
    path = path.rpartition("@")[0] or path
    return f"{scheme}{slashes}{host}{slash}{path}@{seen['commit']}{match['fragment'] or ''}"
