"""Dependencies between packages, from the metadata of an environment alone."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from ..model.environment import Environment
from ..model.managers import of_environment
from ..model.packages import Need, Package, PackageKey, PackageSet
from . import get


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


def _needs(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    """Yield the needs for some packages that are there."""
    for name in of_environment():
        yield from get(name).needs(whom, here, environment)
