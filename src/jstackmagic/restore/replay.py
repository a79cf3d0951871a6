"""Making environments what a history says: its net, asked for in as few runs as there can be.

Nothing here touches the disk; ``rebuild.py`` does, with what this module finds out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Literal

from ..managers import Wish
from ..model.environment import EnvironmentRef
from ..model.ledger import Ledger, Origins
from ..model.packages import ManagerName, Package, PackageSet, as_on_disk, same
from ..model.pins import pinned
from ..model.recipe import Item, Step
from ..model.request import Request
from ..model.sources import Sources
from ..model.spec import Constraint, read_all
from .undo import conda_spec, pip_spec

Exactness = Literal["builds", "versions", "asked"]
"""The very packages there were, what they needed included; the versions of what was asked for; or
the specs as the user wrote them."""


_Run = tuple[Sources, tuple[str, ...]]
"""The index, the further indexes and the options that a run of pip is given."""

_DEFAULT: _Run = (Sources(), ())


@dataclass(frozen=True)
class Goal:
    """What one environment, or the system, is to hold.

    Attributes:
        ref: The environment as the history knows it; None for what apt installs.
        steps: What was asked for.
        there: What the records left there, by manager and name.
        gone: What the records took away.
        origins: Where the history says that packages came from.
    """

    ref: EnvironmentRef | None
    steps: tuple[Step, ...]
    there: Mapping[tuple[ManagerName, str], Package]
    gone: tuple[tuple[ManagerName, str], ...]
    origins: Origins = field(repr=False)

    def requests(
        self, manager: ManagerName, here: PackageSet, exactness: Exactness
    ) -> list[Request]:
        """What one manager has to be asked; nothing where all is there.

        Args:
            manager: Which.
            here: What is there now.
            exactness: How exactly.
        """
        remove = self._to_remove(manager, here, exactness)
        asked = [Request("remove", manager, read_all(manager, remove))] if remove else []
        if manager == "conda":
            return asked + list(self._of_conda(here, exactness))
        if manager == "apt":
            return asked + list(self._of_apt(here, exactness))
        return asked + self._of_pip(here, exactness)

    def asked(self, manager: ManagerName) -> list[Request]:
        """The same as the user asked for it, for another history to remember."""
        return [
            Request(
                "install",
                manager,
                tuple(item.spec for item in step.install),
                sources=step.sources,
                options=step.options,
            )
            for step in self._of(manager)
            if step.install
        ]

    def wishes(self, exactness: Exactness) -> list[Wish]:
        """What is to be noted as asked for, and in which words."""
        items = {(step.manager, item.name): item for step in self.steps for item in step.install}
        known = self.there.items() if exactness == "builds" else ()
        wishes = {key: Wish(*key, package.requested) for key, package in known}
        for key, item in items.items():
            if key[1]:
                wishes[key] = Wish(*key, requested=True, spec=item.text)
        return list(wishes.values())

    def _of(self, manager: ManagerName) -> list[Step]:
        return [step for step in self.steps if step.manager == manager]

    def _to_remove(
        self, manager: ManagerName, here: PackageSet, exactness: Exactness
    ) -> tuple[str, ...]:
        names = [name for step in self._of(manager) for name in step.remove]
        if exactness == "builds":
            names += [name for owner, name in self.gone if owner == manager]
        return tuple(name for name in dict.fromkeys(names) if (manager, name) in here)

    def _missing(self, manager: ManagerName, here: PackageSet) -> list[Package]:
        """What the records left there and is not there."""
        return [
            package
            for (owner, name), package in self.there.items()
            if owner == manager and not same(here.get(owner, name), package)
        ]

    def _items(self, manager: ManagerName) -> Iterator[tuple[Step, Item]]:
        for step in self._of(manager):
            for item in step.install:
                if not isinstance(item.spec, Constraint):
                    yield step, item

    def _unseen(self, manager: ManagerName, item: Item) -> bool:
        """Whether nobody saw what a spec came to: it was only recorded."""
        return not item.version and not item.brought and (manager, item.name) not in self.there

    # conda

    def _of_conda(self, here: PackageSet, exactness: Exactness) -> Iterator[Request]:
        specs: list[str] = []
        if exactness == "builds":
            specs += [conda_spec(package, "channel") for package in self._missing("conda", here)]
        for _, item in self._items("conda"):
            by_build = exactness == "builds" and ("conda", item.name) in self.there
            if exactness == "asked" or self._unseen("conda", item):
                specs.append(item.text)
            elif not by_build and not _is_at(item, here.get("conda", item.name)):
                specs.append(pinned(item, "exact"))
        sources = reduce(or_, (step.sources for step in self._of("conda")), Sources())
        if specs:
            yield Request(
                "install",
                "conda",
                read_all("conda", dict.fromkeys(specs)),
                sources=sources.unmasked(),
            )

    # apt

    def _of_apt(self, here: PackageSet, exactness: Exactness) -> Iterator[Request]:
        """What is there may be newer: Debian's archives drop what was replaced."""
        specs = []
        for _, item in self._items("apt"):
            there = here.get("apt", item.name)
            if there is not None and "=" not in item.text:
                continue
            archive = item.spec.place and os.path.exists(item.spec.place)
            exact = item.version and exactness != "asked" and not archive
            specs.append(f"{item.name}={item.version}" if exact else item.text)
        if specs:
            yield Request("install", "apt", read_all("apt", specs))

    # pip

    def _of_pip(self, here: PackageSet, exactness: Exactness) -> list[Request]:
        """One run for each set of indexes: two of them in one run could be mistaken."""
        runs: dict[_Run, list[str]] = {}
        asked_for = {item.name for _, item in self._items("pip") if item.name}
        for step, item in self._items("pip"):
            specs = list(self._pip_specs(item, here, exactness))
            run = (step.sources, step.options)
            if specs:
                constraints = [i.text for i in step.install if isinstance(i.spec, Constraint)]
                runs.setdefault(run, []).extend((*constraints, *specs))
        if exactness == "builds":
            for package in self._missing("pip", here):
                if package.name not in asked_for:
                    came_by = self.origins.request(package) or Request("install", "pip", ())
                    run = (came_by.sources, ())
                    runs.setdefault(run, []).append(_exact_pip(package))
        return [
            Request(
                "install",
                "pip",
                read_all("pip", dict.fromkeys(specs)),
                sources=sources.unmasked(),
                options=options,
            )
            for (sources, options), specs in _merged(runs).items()
        ]

    def _pip_specs(self, item: Item, here: PackageSet, exactness: Exactness) -> Iterator[str]:
        if exactness == "asked" or self._unseen("pip", item):
            yield item.text
            return
        if not item.name:
            for brought in item.brought if exactness == "versions" else ():
                if not _is_at(brought, here.get("pip", brought.name)):
                    yield f"{brought.name}=={brought.version}"
            return
        there = here.get("pip", item.name) or here.get("conda", item.name)
        package = self.there.get(("pip", item.name))
        if package is None or exactness == "versions":
            done = _is_at(item, there)
        else:
            done = same(there, package)
        if not done:
            yield _without_lost_file(pinned(item, "exact"), item.name, item.version)


def _is_at(item: Item, package: Package | None) -> bool:
    return package is not None and package.version == item.version


def _merged(runs: dict[_Run, list[str]]) -> dict[_Run, list[str]]:
    """The runs; what needs no index, being a file or a URL, goes along with the first that has one.

    What it needs itself is asked for by name.
    """
    indexes = [run for run in runs if run[0] and not run[1]]
    alone = runs.get(_DEFAULT, ())
    if not indexes or not alone or not all(_is_place(spec) for spec in alone):
        return runs
    merged = {run: specs for run, specs in runs.items() if run != _DEFAULT}
    merged[indexes[0]] = [*alone, *merged[indexes[0]]]
    return merged


def _is_place(spec: str) -> bool:
    return spec.startswith(("/", "-e ")) or " @ " in spec


def _exact_pip(package: Package) -> str:
    return _without_lost_file(pip_spec(as_on_disk(package)), package.name, package.version)


def _without_lost_file(spec: str, name: str, version: str) -> str:
    """A spec; of a file that is not here, the name and version that it had."""
    path = re.sub(r"^-e |\[[^\]]*\]$", "", spec)
    lost = path.startswith("/") and not os.path.exists(path)
    return f"{name}=={version}" if lost else spec


def goals(ledger: Ledger) -> list[Goal]:
    """Return what there should be: the system first, then every environment."""
    moves, origins, steps = ledger.moves(), ledger.origins(), ledger.recipe().steps
    found = []
    for place, ref in ledger.places().items():
        mine = {key[1:]: move for key, move in moves.items() if key[0] == place}
        goal = Goal(
            ref=ref,
            steps=tuple(step for step in steps if _place_of(step) == place),
            there={key: move.left for key, move in mine.items() if move.left is not None},
            gone=tuple(key for key, move in mine.items() if move.left is None),
            origins=origins,
        )
        if goal.steps or goal.there or goal.gone:
            found.append(goal)
    return found


def _place_of(step: Step) -> str:
    return os.path.normpath(step.environment.prefix) if step.environment else ""
