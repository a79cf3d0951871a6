"""Match specs and records without py-rattler: enough to name, compare and remove packages.

py-rattler reads all of conda's language. Where it is not installed, this reads the plain part: a
name, a channel, a version (``1.2``, ``=1.2``, ``==1.2``, ``>=1,<2``, ``1.*``, alternatives with
``|``) and a build. What it cannot follow matches nothing, and is left to conda.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ...io.reading import own_bytes
from ...model.packages import Package

_SPEC = re.compile(
    r"(?:(?P<channel>[^\[\s]+)::)?(?P<name>[A-Za-z0-9_*.-]+)\s*"
    r"(?P<version>[=<>!~]*[^\s\[=<>!~,|]+(?:[,|][=<>!~]*[^\s\[=<>!~,|]+)*)?"
    r"(?:(?:=|\s+)(?P<build>[\w.*+]+))?\s*(?:\[(?P<keys>.*)\])?",
    re.ASCII,
)
_KEY = re.compile(r"\s*(\w+)\s*=\s*['\"]?([^,'\"]*)['\"]?\s*(?:,|$)")
_PART = re.compile(r"(>=|<=|==|!=|~=|=|>|<)?\s*([\w.+!*-]+)")


@dataclass(frozen=True, slots=True)
class PlainName:
    """A package's name, as conda compares it."""

    normalized: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as it was spelled."""

    name: str
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class PlainRecord:
    """A package's record in ``conda-meta``."""

    name: PlainName
    version: str
    build: str
    subdir: str = ""
    url: str = ""
    sha256: bytes | None = None
    depends: tuple[str, ...] = ()
    requested_specs: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its archive."""
        return self.url.rpartition("/")[2]

    @classmethod
    def from_path(cls, path: Path) -> PlainRecord:
        """Read a record."""
        import msgspec

        data: dict[str, Any] = msgspec.json.decode(own_bytes(path))
        return cls(
            name=PlainName(str(data["name"]).lower()),
            version=str(data["version"]),
            build=str(data.get("build") or ""),
            subdir=str(data.get("subdir") or ""),
            url=str(data.get("url") or ""),
            sha256=bytes.fromhex(data["sha256"]) if data.get("sha256") else None,
            depends=tuple(data.get("depends") or ()),
            requested_specs=tuple(data.get("requested_specs") or ()),
        )

    @classmethod
    def of(cls, package: Package) -> PlainRecord:
        return cls(PlainName(package.name), package.version, package.build)


@dataclass(frozen=True, slots=True)
class Match:
    """A match spec, as far as it can be read."""

    name: PlainName
    version: str | None = None
    build: str | None = None
    channel: Channel | None = None
    subdir: str | None = None
    whole: bool = True

    def matches(self, record: Any) -> bool:
        """Return whether a record certainly fits."""
        if not self.whole or self.name.normalized != str(record.name.normalized):
            return False
        if self.build and not fnmatchcase(str(record.build), self.build):
            return False
        if not self.version or self.version == "*":
            return True
        return any(_all(part, str(record.version)) for part in self.version.split("|"))


def parse(text: str) -> Match | None:
    """Read a match spec; None if it does not even name a package."""
    found = _SPEC.fullmatch(text.strip())
    if found is None or found["name"] == "*":
        return None
    keys = dict(_KEY.findall(found["keys"] or ""))
    channel, _, subdir = (found["channel"] or keys.get("channel", "")).partition("/")
    if "/" in subdir or ":" in channel:  # a URL: its last part may be a platform
        channel, subdir = found["channel"] or keys["channel"], ""
    version = found["version"] or keys.get("version") or None
    if version and found["build"] and version[0] == "=" != version[1]:
        version = f"={version}"  # with a build, a version is exact
    return Match(
        name=PlainName(found["name"].lower()),
        version=version,
        build=found["build"] or keys.get("build") or None,
        channel=Channel(channel) if channel else None,
        subdir=keys.get("subdir") or subdir or None,
        whole=not keys.keys() - {"version", "build", "channel", "subdir"},
    )


def _all(constraint: str, version: str) -> bool:
    """Return whether a version meets every part of a constraint; False if that is unclear."""
    return all(_one(part, version) for part in constraint.split(",") if part.strip())


def _one(part: str, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    found = _PART.fullmatch(part.strip())
    if found is None:
        return False
    operator, wanted = found[1] or "==", found[2]
    if wanted.endswith("*"):
        stem = wanted.rstrip("*").rstrip(".")
        inside = version == stem or version.startswith(f"{stem}.")
        return {"==": inside, "=": inside, "!=": not inside}.get(operator, False)
    if operator == "=":
        return version == wanted or version.startswith(f"{wanted}.")
    try:
        here, there = Version(version), Version(wanted)
    except InvalidVersion:  # conda's own order of versions is not read here
        return version == wanted if operator in ("==", ">=", "<=") else False
    if operator == "~=":
        return here >= there and here.release[: len(there.release) - 1] == there.release[:-1]
    return {
        "==": here == there,
        "!=": here != there,
        ">=": here >= there,
        "<=": here <= there,
        ">": here > there,
        "<": here < there,
    }[operator]
