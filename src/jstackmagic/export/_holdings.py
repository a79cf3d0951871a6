"""The packages of a recipe's environments: on this disk, in an index, on another platform.

For the exports that must list every package.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ..model.credentials import MASK, mask
from ..model.errors import JStackMagicError
from ..model.managers import of_environment
from ..model.packages import Package, normalise, with_origin
from ..model.recipe import Holding, IndexFile, Recipe
from ..model.spec import is_direct
from ..where.detect import detect
from ..where.metadata import read_details, read_packages
from ..where.ours import ours_here
from ._choice import Chosen, choose
from ._locked import platform_of_holding

if TYPE_CHECKING:
    from pypi_simple import PyPISimple


def on_disk(recipe: Recipe) -> Recipe:
    """Return the recipe with the packages on this disk instead of those in the history.

    Our own packages are left out, and a note says so.
    """
    return replace(recipe, holdings=tuple(_read(each, recipe) for each in recipe.holdings))


def of_index(recipe: Recipe, *, name: str, prefix: str) -> tuple[Recipe, tuple[str, ...]]:
    """Return the recipe with all archives that serve an environment's pip packages, and notes."""
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
            with_origin(package, known.get(package.key))
            for package in found.packages
            if package not in ours
        ),
        details=read_details(environment.prefix),
        whole=True,
    )


_SECONDS = 30.0
_AT_ONCE = 8


def complete(chosen: Chosen) -> tuple[Holding, tuple[str, ...]]:
    """Return an environment's packages with their indexes' archives; and what went wrong.

    An index counts if it has the exact archive that was installed: another one may have another
    project of that name.
    """
    import requests
    from pypi_simple import UnsupportedRepoVersionError

    wanted = [p for p in chosen.holding.of("pip") if not is_direct(p)]
    if not wanted:
        return chosen.holding, ()
    found: list[IndexFile] = []
    notes: list[str] = []
    missing = wanted
    for index in _indexes(chosen):
        if MASK in index:
            notes.append(f"{index} needs its credential, which is not recorded: it was not asked.")
            continue
        try:
            archives = _ask(index, missing)
        except (requests.RequestException, UnsupportedRepoVersionError, ValueError) as error:
            notes.append(f"{mask(index)} could not be asked: {type(error).__name__}.")
            continue
        found += archives
        served = {archive.name for archive in archives}
        missing = [package for package in missing if package.name not in served]
    if missing:
        names = ", ".join(package.name for package in missing)
        notes.append(f"No index lists the archives of {names}: only the installed ones are locked.")
    return replace(chosen.holding, archives=tuple(found)), tuple(notes)


def _indexes(chosen: Chosen) -> Iterator[str]:
    """Yield the requested indexes, each once, and pip's own if a step names none."""
    steps = chosen.of("pip")
    named = [step.sources.index_url for step in steps if step.sources.index_url]
    extra = [url for step in steps for url in step.sources.extra_index_urls]
    if len(named) < len(steps) or not steps:
        named.append(_default(chosen.environment.prefix))
    yield from dict.fromkeys((*named, *extra))


def _default(prefix: str) -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    from ..managers.pip.pipconf import configured

    try:
        setting = configured(detect(prefix)).get("index-url")
        return setting.value if setting else PYPI_SIMPLE_ENDPOINT
    except JStackMagicError:  # the environment is not here
        return os.environ.get("PIP_INDEX_URL") or PYPI_SIMPLE_ENDPOINT


def _ask(index: str, packages: Sequence[Package]) -> list[IndexFile]:
    """Return an index's archives of some packages, over a few connections at once."""
    shares = [packages[start::_AT_ONCE] for start in range(min(_AT_ONCE, len(packages)))]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(lambda share: list(_ask_for(index, share)), shares)
        return [archive for archives in found for archive in archives]


def _ask_for(index: str, packages: Sequence[Package]) -> Iterator[IndexFile]:
    import requests
    from pypi_simple import PyPISimple

    with requests.Session() as session:
        session.verify = os.environ.get("PIP_CERT") or session.verify
        client = PyPISimple(index, session=session)
        for package in packages:
            yield from _archives(client, package)


def _archives(client: PyPISimple, package: Package) -> Iterable[IndexFile]:
    from pypi_simple import NoSuchProjectError

    try:
        page = client.get_project_page(package.name, timeout=_SECONDS)
    except NoSuchProjectError:
        return ()
    found = [
        IndexFile(package.name, package.version, mask(file.url), file.digests["sha256"])
        for file in page.packages
        if file.project is not None
        and normalise(file.project) == package.name
        and file.version is not None
        and _same_version(file.version, package.version)
        and file.package_type in ("wheel", "sdist")
        and "sha256" in file.digests
    ]
    if package.sha256 and all(archive.sha256 != package.sha256 for archive in found):
        return ()
    return found


def _same_version(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
