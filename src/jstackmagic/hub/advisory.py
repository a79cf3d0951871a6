"""Advisories: an expression such as ``jupyter-server-proxy<4.1.1``, or files in OSV's format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from ..io.reading import bytes_of
from ..model.errors import UsageError
from ..model.packages import normalise


@dataclass(frozen=True)
class Advisory:
    """The versions of a package that something is wrong with."""

    id: str  #: its name, such as ``PYSEC-2024-1``; the expression itself for one
    package: str  #: the package, normalised
    ranges: tuple[SpecifierSet, ...]  #: the specifiers, any of which is affected
    versions: frozenset[str] = frozenset()  #: further affected versions, one by one
    summary: str = ""  #: what is wrong, one line

    def affects(self, version: str) -> bool | None:
        """Return whether a version is affected; None if it cannot be compared."""
        if version in self.versions:
            return True
        try:
            known = Version(version)
        except InvalidVersion:
            return None
        return any(all(_fits(known, one) for one in each) for each in self.ranges)


def _fits(version: Version, limit: Specifier) -> bool:
    """Return whether a version is within a limit; a candidate of 4.1.1 is under 4.1.1 here.

    PEP 440 leaves it out, to install no candidate by accident; it has the fault all the same.
    """
    if limit.operator == "<":
        return version < Version(limit.version)
    return limit.contains(version, prereleases=True)


def of_expression(text: str) -> Advisory:
    """Read an expression.

    Raises:
        UsageError: It is not an expression.
    """
    try:
        read = Requirement(text)
    except InvalidRequirement:
        raise UsageError(
            f"{text!r} names no versions of a package.", advice="Write jupyter-server-proxy<4.1.1"
        ) from None
    return Advisory(text, normalise(read.name), (read.specifier,))


def of_folder(folder: Path) -> tuple[list[Advisory], list[str]]:
    """Read the OSV files of a folder: the advisories, and a sentence for each unreadable file.

    The format is https://ossf.github.io/osv-schema; Python's packages are read.
    """
    found: list[Advisory] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found += _of_osv(json.loads(bytes_of(path)))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, UsageError) as error:  # noqa: PERF203
            problems.append(f"{path.name} cannot be read: {error}")
    return found, problems


def _of_osv(osv: dict[str, Any]) -> Iterator[Advisory]:
    for affected in osv.get("affected", ()):
        package = affected.get("package", {})
        if package.get("ecosystem") != "PyPI":
            continue
        ranges = tuple(
            SpecifierSet(text)
            for each in affected.get("ranges", ())
            if each.get("type") == "ECOSYSTEM"
            for text in _specifiers(each["events"])
        )
        yield Advisory(
            str(osv["id"]),
            normalise(package["name"]),
            ranges,
            frozenset(map(str, affected.get("versions", ()))),
            str(osv.get("summary") or "")[:300],
        )


def _specifiers(events: list[dict[str, str]]) -> Iterator[str]:
    """Yield what lies between an introduction and what ends it; ``0`` is the beginning."""
    start: str | None = None
    for event in events:
        if "introduced" in event:
            start = event["introduced"]
        elif start is not None and (end := event.get("fixed") or event.get("last_affected")):
            last = "<" if "fixed" in event else "<="
            yield f"{last}{end}" if start == "0" else f">={start},{last}{end}"
            start = None
    if start is not None:
        yield "" if start == "0" else f">={start}"
