"""Dependencies of Python distributions, conda's among them, from their metadata."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ...model.environment import Environment
from ...model.managers import is_system
from ...model.packages import Need, Package, PackageKey, PackageSet, normalise
from ...where.metadata import allows, conda_distributions, read_requirements

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet


def needs(
    whom: Container[PackageKey], here: PackageSet, environment: Environment
) -> Iterator[Need]:
    """Yield what the metadata of an environment's distributions says."""
    keys = {
        normalise(name): (manager, name) for manager, name in here.by_key if not is_system(manager)
    }
    by_conda = conda_distributions(environment)
    for name, requirement in read_requirements(environment):
        key = keys.get(normalise(requirement.name))
        if key is not None and key in whom:
            who = keys.get(name, ("conda" if name in by_conda else "pip", name))
            yield Need(who, str(requirement), key, partial(_is_met, requirement.specifier))


def _is_met(specifier: SpecifierSet, package: Package) -> bool:
    return allows(specifier, package.version, unclear=not specifier)
