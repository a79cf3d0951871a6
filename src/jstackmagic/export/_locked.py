"""Helpers of the locking formats: the packages, their order and their archives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..model.packages import Package
from ..model.recipe import Holding, IndexFile, Item, RecipeStep

_SUBDIR = re.compile(r".*/(?P<subdir>[a-z]+-(?:\d+|[a-z]\w*))/[^/]+$")


def resolved(
    steps: Sequence[RecipeStep], holding: Holding
) -> Iterator[tuple[Item | None, Package | None]]:
    """Yield pip's requested items, each with its package, then the dependencies."""
    packages = {package.name: package for package in holding.of("pip")}
    for step in steps:
        for item in step.install:
            yield item, packages.pop(item.name, None)
    for package in packages.values():
        yield None, package


def archives_of(package: Package, holding: Holding) -> tuple[IndexFile, ...]:
    """Return the archives of the index that serve a package's version, by file name."""
    found = (
        archive
        for archive in holding.archives
        if (archive.name, archive.version) == (package.name, package.version)
    )
    return tuple(sorted(found, key=lambda archive: archive.url.rpartition("/")[2]))


def hashes_of(package: Package, holding: Holding) -> tuple[str, ...]:
    """Return the hashes that serve: of the installed archive, and of all others of its version."""
    found = {archive.sha256 for archive in archives_of(package, holding)}
    return tuple(sorted(found | ({package.sha256} - {""})))


def platform_of(urls: Iterable[str]) -> str:
    """Conda's name of the platform that archives are for; empty if they are for all."""
    for url in urls:
        match = _SUBDIR.fullmatch(url.partition("#")[0])
        if match:
            return match["subdir"]
    return ""


def platform_of_holding(holding: Holding) -> str:
    """Return conda's name of an environment's platform; empty if unknown."""
    urls = (package.url for package in holding.of("conda"))
    return holding.platform or platform_of(urls)
