"""What the environments of a recipe hold now, for exports that must say every package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..environment import detect
from ..errors import JStackMagicError
from ..packages import Package, read_depends, read_packages

if TYPE_CHECKING:
    from ..recipe import Holding, Recipe


def on_disk(recipe: Recipe) -> Recipe:
    """The recipe with what lies on this disk in the place of what the history saw, where it can."""
    return replace(recipe, holdings=tuple(map(_read, recipe.holdings)))


def _read(holding: Holding) -> Holding:
    if holding.environment is None:
        return holding
    try:
        environment = detect(holding.environment.prefix)
    except JStackMagicError:  # another machine's, or gone
        return holding
    known = {package.key: package for package in holding.packages}
    found = read_packages(environment, ("conda", "pip")).packages
    return replace(
        holding,
        packages=tuple(_explained(package, known.get(package.key)) for package in found),
        depends=tuple(sorted(read_depends(environment.prefix).items())),
        platform=_platform() if environment.is_conda else "",
        whole=True,
    )


def _explained(package: Package, known: Package | None) -> Package:
    """A package with what only its manager knew when it was installed: where pip found it."""
    if known is None or known.version != package.version:
        return package
    return replace(
        package,
        source=package.source or known.source,
        url=package.url or known.url,
        sha256=package.sha256 or known.sha256,
    )


def _platform() -> str:
    from rattler.platform import Subdir

    return str(Subdir.current())
