"""The environment for a format of one environment, and what that leaves out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..model.credentials import mask
from ..model.environment import EnvironmentRef
from ..model.errors import ExportError
from ..model.packages import ManagerName
from ..model.recipe import Holding, Item, Recipe, RecipeStep
from ._beside import UNSAFE

_NO_STEPS = "Nothing is recorded, so that there is nothing to write: install something first."


@dataclass(frozen=True, slots=True)
class Chosen:
    """An environment of a recipe."""

    environment: EnvironmentRef
    steps: tuple[RecipeStep, ...]  #: its steps, conda's and then pip's
    holding: Holding  #: its packages
    elsewhere: tuple[Holding, ...]  #: its packages on other platforms, if known
    left_out: tuple[str, ...]  #: sentences on the rest of the recipe

    def of(self, manager: ManagerName) -> tuple[RecipeStep, ...]:
        """Return the steps of one manager."""
        return tuple(step for step in self.steps if step.manager == manager)

    def items(self, manager: ManagerName) -> Iterator[Item]:
        """Yield the items of one manager."""
        for step in self.of(manager):
            yield from step.install

    def without(self, manager: ManagerName) -> tuple[str, ...]:
        """Return a sentence on one manager's items, for a file that cannot hold them."""
        texts = ", ".join(item.text for item in self.items(manager))
        return (f"{manager}'s packages are not in this file: {texts}.",) if texts else ()

    @property
    def name(self) -> str:
        """A name for it, also where only its prefix identifies it."""
        return called(self.environment)

    @property
    def python(self) -> str:
        """The minor version of its Python; empty if it has none."""
        return self.environment.minor


def called(environment: EnvironmentRef) -> str:
    """Return what to call an environment."""
    return environment.name or posixpath.basename(environment.prefix.rstrip("/")) or "root"


def file_names(environments: Iterable[EnvironmentRef]) -> dict[EnvironmentRef, str]:
    """Return a name for each environment that no other has and that a path needs no quoting for."""
    found: dict[EnvironmentRef, str] = {}
    for environment in environments:
        name = UNSAFE.sub("-", called(environment)).lstrip("-.") or "environment"
        names = (name, *(f"{name}-{number}" for number in range(2, len(found) + 3)))
        found[environment] = next(each for each in names if each not in found.values())
    return found


def choose(recipe: Recipe, *, name: str = "", prefix: str = "") -> Chosen:
    """Return the environment of that name or prefix; without both, the first that the recipe has.

    Raises:
        ExportError: The recipe has none, or none of that name or prefix.
    """
    known = {step.environment.prefix: step.environment for step in recipe.steps if step.environment}
    if not known and recipe.steps:
        left = left_out(
            "It holds the packages of an environment, and none is recorded.", recipe.steps
        )
        raise ExportError(left[0], advice="Debian's packages alone: %envexport apt")
    if not known:
        raise ExportError(_NO_STEPS)
    fits = [
        environment
        for environment in known.values()
        if (not name or environment.name == name)
        and (not prefix or posixpath.normpath(environment.prefix) == posixpath.normpath(prefix))
    ]
    if not fits:
        raise ExportError(
            f"Nothing is recorded of an environment {name or prefix}.",
            advice=("There are records of:", *map(_option, known.values())),
        )
    environment = fits[0]
    holdings = [held for held in recipe.holdings if _is_of(held, environment)]
    return Chosen(
        environment=environment,
        steps=tuple(step for step in recipe.steps if step.environment == environment),
        holding=next((held for held in holdings if not held.platform), Holding(environment)),
        elsewhere=tuple(held for held in holdings if held.platform),
        left_out=tuple(_left_out(recipe, environment)),
    )


def _is_of(holding: Holding, environment: EnvironmentRef) -> bool:
    return holding.environment is not None and holding.environment.prefix == environment.prefix


def _option(environment: EnvironmentRef) -> str:
    named = environment.name is not None
    return f"--name {environment.name}" if named else f"--prefix {environment.prefix}"


def _left_out(recipe: Recipe, environment: EnvironmentRef) -> Iterator[str]:
    others = [
        step.environment for step in recipe.steps if step.environment not in (None, environment)
    ]
    for other in dict.fromkeys(others):
        assert other is not None
        yield f"The environment {called(other)} needs a file of its own: {_option(other)}."
    debian = [
        item.text for step in recipe.steps if step.environment is None for item in step.install
    ]
    if debian:
        yield f"Debian packages are not in this file: {', '.join(debian)}."
    for step in recipe.steps:
        if step.remove and step.environment in (None, environment):
            where = "the system" if step.environment is None else called(environment)
            yield f"This file cannot say that {', '.join(step.remove)} was removed from {where}."


def left_out(why: str, steps: Iterable[RecipeStep]) -> tuple[str, ...]:
    """Return one sentence on the steps that a format cannot express; none without steps.

    Args:
        why: A sentence on what the format can express.
        steps: The steps that it cannot.
    """
    parts = []
    for step in steps:
        what = [item.text for item in step.install] + [f"the removal of {n}" for n in step.remove]
        where = f"{step.manager}, {called(step.environment)}" if step.environment else step.manager
        if what:
            parts.append(f"{', '.join(what)} ({where})")
    return (mask(f"{why} Left out: {'; '.join(parts)}."),) if parts else ()
