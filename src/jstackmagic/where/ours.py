"""Our own packages: jstackmagic, and those that are here for nothing but jstackmagic."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from ..model.environment import Environment
from ..model.managers import of_environment
from ..model.packages import Package, PackageKey, PackageSet, normalise
from ..model.recipe import Recipe
from ..model.text import counted
from .baseline import Witness
from .metadata import extras_of, of_uv, read_requirements
from .reader import reader_of

if TYPE_CHECKING:
    from packaging.requirements import Requirement


OWN: PackageKey = ("pip", "jstackmagic")


def only_ours(
    needs: Mapping[PackageKey, Iterable[PackageKey]], others: Collection[PackageKey]
) -> frozenset[PackageKey]:
    """Return jstackmagic and the packages that nothing but jstackmagic needs.

    conda's packages are never ours: pip, which installs jstackmagic, installs none of them.

    Args:
        needs: Every package of an environment, each with those that it needs.
        others: The packages that are there for another reason: a record or the user requested them,
            or the base image brought them.
    """
    if OWN not in needs:
        return frozenset()
    own = reached({OWN}, needs)
    roots = {key for key in needs if key not in own or key in others or key[0] != OWN[0]}
    return frozenset(own - reached(roots, needs))


def reached(
    roots: Iterable[PackageKey], needs: Mapping[PackageKey, Iterable[PackageKey]]
) -> set[PackageKey]:
    """Return some packages and all that they need."""
    found, waiting = set[PackageKey](), list(roots)
    while waiting:
        key = waiting.pop()
        if key not in found and key in needs:
            found.add(key)
            waiting += needs[key]
    return found


def left_behind(
    environment: Environment,
    here: PackageSet,
    needs: Mapping[PackageKey, Collection[PackageKey]],
    gone: Collection[PackageKey],
    recipe: Recipe,
) -> tuple[Package, ...]:
    """Return the packages of the same managers that nothing needs once some others are gone.

    Args:
        needs: Every package of the environment, each with those that it needs.
        gone: The packages to remove.
        recipe: The recorded requests and their dependencies, which stay.
    """
    managers = {key[0] for key in gone}
    lost = reached(gone, needs)
    came = {
        (package.manager, package.name)
        for holding in recipe.holdings
        if holding.environment is not None
        and os.path.normpath(holding.environment.prefix) == os.path.normpath(environment.prefix)
        for package in holding.packages
    }
    asked = asked_for(recipe, environment.prefix) - set(gone)
    staying = {key for key in needs if key not in lost or key[0] not in managers} | asked
    kept = reached(staying, {key: those for key, those in needs.items() if key not in gone})
    return tuple(here.by_key[key] for key in sorted((lost & came) - kept - set(gone)))


def ours_in(
    environment: Environment, here: PackageSet, others: Iterable[PackageKey] = ()
) -> tuple[Package, ...]:
    """Return our own packages of an environment, jstackmagic first.

    Args:
        others: The packages that a record requested or the base image brought. Those that the
            user requested from pip are found by pip's marks (``REQUESTED``); uv marks everything.
    """
    if OWN not in here:
        return ()
    unmarked = {OWN, *of_uv(environment)}
    marked = (p.key for p in here.packages if p.requested and p.key not in unmarked)
    found = only_ours(needs_of(environment, here), {*others, *marked})
    return tuple(here.by_key[key] for key in sorted(found, key=lambda key: (key != OWN, key)))


def ours_here(
    environment: Environment,
    here: PackageSet,
    recipe: Recipe,
    image: Callable[[], Witness | None] = lambda: None,
) -> tuple[Package, ...]:
    """Return our own packages of an environment: those that no record and no base image explains.

    Args:
        image: Returns the packages of this container's image; None if unknown.
    """
    from .baseline import container_start, of

    if OWN not in here:
        return ()
    base = of(environment, here, (OWN[0],), begun=container_start(), image=image)
    return ours_in(
        environment, here, asked_for(recipe, environment.prefix) | base.packages.by_key.keys()
    )


def needs_of(
    environment: Environment, here: PackageSet, *, extras: bool = True
) -> dict[PackageKey, set[PackageKey]]:
    """Return every package with those that it needs, by the metadata of all kinds.

    Args:
        extras: Whether jstackmagic needs what its extras do, where all of an extra is here.
    """
    keys = {normalise(name): (manager, name) for manager, name in here.by_key}
    needs: dict[PackageKey, set[PackageKey]] = {key: set() for key in here.by_key}
    own = {OWN[1]: extras_here(environment, here)} if extras else None
    for name, requirement in read_requirements(environment, own):
        who, whom = keys.get(name), keys.get(normalise(requirement.name))
        if who is not None and whom is not None and who != whom:
            needs[who].add(whom)
    for manager in of_environment():
        for name, names in reader_of(manager).needs(environment):
            needs.get((manager, name), set()).update(
                {(manager, each) for each in names} & needs.keys()
            )
    return needs


def dependants(environment: Environment, here: PackageSet) -> dict[PackageKey, list[PackageKey]]:
    """Return the packages that need each, by the same metadata."""
    found: dict[PackageKey, list[PackageKey]] = {}
    for who, needed in needs_of(environment, here).items():
        for whom in needed:
            found.setdefault(whom, []).append(who)
    return found


def extras_here(environment: Environment, here: PackageSet) -> tuple[str, ...]:
    """Return the extras of jstackmagic all of whose requirements are installed.

    pip does not record the requested extras.
    """
    names = {normalise(name) for _, name in here.by_key}
    plain = set(_own_requirements(environment, ()))
    return tuple(
        extra
        for extra in extras_of(OWN[1], environment)
        if (more := set(_own_requirements(environment, (extra,))) - plain)
        and all(normalise(each.name) in names - {OWN[1]} for each in more)
    )


def _own_requirements(environment: Environment, extras: Collection[str]) -> Iterable[Requirement]:
    found = read_requirements(environment, {OWN[1]: extras}, only=OWN[1])
    return (requirement for _, requirement in found)


def asked_for(recipe: Recipe, prefix: str) -> set[PackageKey]:
    """Return the packages that the records request in an environment."""
    return {
        (step.manager, each.name)
        for step in recipe.steps
        if step.environment is not None
        and os.path.normpath(step.environment.prefix) == os.path.normpath(prefix)
        for item in step.install
        for each in (item, *item.brought)
        if each.name
    }


def described(ours: Collection[Package]) -> str:
    """Return our own packages in words: ``jstackmagic 0.1.0 and 9 packages that only it needs``."""
    own = [package for package in ours if package.key == OWN]
    count = len(ours) - len(own)
    more = counted(count, "package")
    if not own:
        return f"{more} that only jstackmagic needs"
    name = f"{own[0].name} {own[0].version}"
    return f"{name} and {more} that only it needs" if count else name
