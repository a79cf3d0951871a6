"""The goal of a history for one place: a plain value for replay, keep and the managers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..model.environment import EnvironmentRef
from ..model.ledger import Origins
from ..model.packages import ManagerName, Package, PackageKey, PackageSet, same
from ..model.recipe import Item, RecipeStep
from ..model.request import Request
from ..model.spec import Constraint

Exactness = Literal["builds", "versions", "asked"]
"""The exact packages, with their dependencies; the versions of the requested ones; or
the specs as the user wrote them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The mark of a package as requested by the user or not."""

    manager: ManagerName
    name: str  #: its normalised name
    requested: bool
    spec: str = ""  #: the user's spec; if unknown, its bare name


@dataclass(frozen=True)
class Goal:
    """The content that one environment, or the system, should have."""

    ref: EnvironmentRef | None  #: the environment in the history; None for the system
    steps: tuple[RecipeStep, ...]
    #: the packages after the records, by manager and name
    there: Mapping[PackageKey, Package]
    gone: tuple[PackageKey, ...]  #: the packages that the records removed
    origins: Origins = field(repr=False)

    def asked(self, manager: ManagerName) -> list[Request]:
        """Return the user's own requests, to record in another history."""
        return [
            Request(
                "install",
                manager,
                tuple(item.spec for item in step.install),
                sources=step.sources,
                options=step.options,
            )
            for step in self.of(manager)
            if step.install
        ]

    def wishes(self, exactness: Exactness) -> list[Wish]:
        """Return the packages to mark as requested, each with its spec."""
        items = {(step.manager, item.name): item for step in self.steps for item in step.install}
        known = self.there.items() if exactness == "builds" else ()
        wishes = {key: Wish(*key, package.requested) for key, package in known}
        for key, item in items.items():
            if key[1]:
                wishes[key] = Wish(*key, requested=True, spec=item.text)
        return list(wishes.values())

    def of(self, manager: ManagerName) -> list[RecipeStep]:
        """Return the steps of one manager."""
        return [step for step in self.steps if step.manager == manager]

    def to_remove(
        self, manager: ManagerName, here: PackageSet, exactness: Exactness
    ) -> tuple[str, ...]:
        """Return the names of the packages to remove."""
        names = [name for step in self.of(manager) for name in step.remove]
        if exactness == "builds":
            names += [name for owner, name in self.gone if owner == manager]
        return tuple(name for name in dict.fromkeys(names) if (manager, name) in here)

    def missing(self, manager: ManagerName, here: PackageSet) -> list[Package]:
        """Return the packages in the records that are missing."""
        return [
            package
            for (owner, name), package in self.there.items()
            if owner == manager and not same(here.get(owner, name), package)
        ]

    def items(self, manager: ManagerName) -> Iterator[tuple[RecipeStep, Item]]:
        """Yield what was requested of one manager, without constraints, each with its step."""
        for step in self.of(manager):
            for item in step.install:
                if not isinstance(item.spec, Constraint):
                    yield step, item

    def unseen(self, manager: ManagerName, item: Item) -> bool:
        """Return whether the result of a spec is unknown: it was only recorded."""
        return not item.version and not item.brought and (manager, item.name) not in self.there


def is_at(item: Item, package: Package | None) -> bool:
    """Return whether a package has the version that an item was seen with."""
    return package is not None and package.version == item.version
