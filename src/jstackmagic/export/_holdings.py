"""The packages of a recipe's environments: on this disk, in an index, on another platform.

For the exports that must list every package.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..model.errors import JStackMagicError
from ..model.managers import of_environment
from ..model.recipe import Holding, Recipe
from ..where.environment import detect
from ..where.ours import ours_here
from ..where.packages import read_details, read_packages
from ._choice import choose
from ._locked import platform_of_holding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.packages import Package


def on_disk(recipe: Recipe) -> Recipe:
    """Return the recipe with the packages on this disk instead of those in the history.

    Our own packages are left out, and a note says so.
    """
    return replace(recipe, holdings=tuple(_read(each, recipe) for each in recipe.holdings))


def of_index(recipe: Recipe, *, name: str, prefix: str) -> tuple[Recipe, tuple[str, ...]]:
    """Return the recipe with all archives that serve an environment's pip packages, and notes."""
    from ._archives import complete

    chosen = choose(recipe, name=name, prefix=prefix)
    holding, notes = complete(chosen)
    holdings = (holding if held is chosen.holding else held for held in recipe.holdings)
    return replace(recipe, holdings=tuple(holdings)), notes


def of_platforms(recipe: Recipe, platforms: Sequence[str], *, name: str, prefix: str) -> Recipe:
    """Return the recipe with an environment's packages on other platforms.

    Raises:
        CommandFailed: The channels cannot be read, or have no such environment.
    """
    from ..managers.conda import rattler
    from ._match_specs import match_specs

    chosen = choose(recipe, name=name, prefix=prefix)
    own = platform_of_holding(chosen.holding)
    environment = detect(chosen.environment.prefix)
    specs = [spec for _, spec in match_specs(chosen, "exact", [])]
    channels = [channel for step in chosen.of("conda") for channel in step.sources.channels]
    found = []
    for platform in dict.fromkeys(platforms):
        if platform != own:
            packages, details = rattler.on_platform(platform, specs, environment, channels)
            found.append(
                Holding(chosen.environment, packages, details, platform=platform, whole=True)
            )
    return replace(recipe, holdings=(*recipe.holdings, *found))


def _read(holding: Holding, recipe: Recipe) -> Holding:
    if holding.environment is None:
        return holding
    try:
        environment = detect(holding.environment.prefix)
    except JStackMagicError:  # another machine's, or gone
        return holding
    known = {package.key: package for package in holding.packages}
    found = read_packages(environment, of_environment())
    ours = ours_here(environment, found, recipe)
    return replace(
        holding,
        packages=tuple(
            _explained(package, known.get(package.key))
            for package in found.packages
            if package not in ours
        ),
        details=read_details(environment.prefix),
        whole=True,
    )


def _explained(package: Package, known: Package | None) -> Package:
    """Return a package with its origin, which only its manager knew when it was installed."""
    if known is None or known.version != package.version:
        return package
    return replace(
        package,
        source=package.source or known.source,
        url=package.url or known.url,
        sha256=package.sha256 or known.sha256,
    )
