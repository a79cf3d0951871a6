"""Dependencies between packages, from the metadata of an environment alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.environment import Environment
from ..model.managers import is_system
from ..model.packages import Package, PackageKey, PackageSet, normalise
from ..where.packages import conda_distributions, read_requirements

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


@dataclass(frozen=True, slots=True)
class Need:
    """A package that needs another."""

    who: PackageKey
    what: str  #: its requirement, from its metadata
    whom: PackageKey
    meets: Callable[[Package], bool]  #: returns whether a package meets the requirement


def broken_by(
    after: Mapping[PackageKey, Package | None], here: PackageSet, environment: Environment
) -> list[Need]:
    """Return the needs that are met now and would no longer be.

    Args:
        after: Some packages after the change; None for a removed one.
    """
    broken = []
    for need in _needs(after.keys(), here, environment):
        if need.who in after or not need.meets(here.by_key[need.whom]):
            continue
        then = after[need.whom]
        if then is None or not need.meets(then):
            broken.append(need)
    return broken


def needed(here: PackageSet, environment: Environment) -> set[PackageKey]:
    """Return the packages that another one needs."""
    return {need.whom for need in _needs(here.by_key.keys(), here, environment)}


def lacking(depends: Mapping[str, Iterable[str]], after: Mapping[PackageKey, Package]) -> list[str]:
    """Return the missing dependencies of conda packages; the system's (``__glibc``) are skipped.

    Args:
        depends: The match specs that each package needs, by its name.
    """
    missing = []
    for name, texts in depends.items():
        for text in texts:
            key: PackageKey = ("conda", _name_in(text))
            there = after.get(key)
            if key[1].startswith("__") or (there and _conda_test(text)(there)):
                continue
            missing.append(f"{name} needs {text}.")
    return missing


def _name_in(text: str) -> str:
    return re.split(r"[\s<>=!~\[]", text, maxsplit=1)[0].lower()


def _needs(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    """Yield the needs for some packages that are there."""
    if environment.is_conda:
        yield from _of_conda(whom, here, environment)
    yield from _of_distributions(whom, here, environment)


def _of_conda(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    from .conda.present import records

    for name, record in records(environment.prefix).items():
        for text in record.depends:
            key: PackageKey = ("conda", _name_in(text))
            if key in whom and key in here:
                yield Need(("conda", name), text, key, _conda_test(text))


def _conda_test(text: str) -> Callable[[Package], bool]:
    from .conda.present import is_match
    from .conda.spec import parse

    match = parse(text)
    return lambda package: is_match(match, package)


def _of_distributions(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    keys = {
        normalise(name): (manager, name) for manager, name in here.by_key if not is_system(manager)
    }
    by_conda = conda_distributions(environment)
    for name, requirement in read_requirements(environment):
        key = keys.get(normalise(requirement.name))
        if key is not None and key in whom:
            who = keys.get(name, ("conda" if name in by_conda else "pip", name))
            yield Need(who, str(requirement), key, _distribution_test(requirement.specifier))


def _distribution_test(specifier: SpecifierSet) -> Callable[[Package], bool]:
    def test(package: Package) -> bool:
        from packaging.version import InvalidVersion

        try:
            return specifier.contains(package.version, prereleases=True)
        except InvalidVersion:
            return not specifier

    return test
