"""The Docker Stacks: find this image's stack, and stacks that already have the installs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model.managers import is_system
from ..model.packages import ManagerName
from ..where.environment import detect
from ..where.host import look
from ..where.packages import read_packages
from .family import Candidate, Family, Stack, candidates, family_of, likely_stack, stack_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.recipe import Recipe
    from ..model.record import Record


@dataclass(frozen=True)
class Suggestion:
    """The Docker Stacks that have some of what was installed.

    Attributes:
        family: The table that was looked up.
        base: The current base's stack, if known.
        asked: The installed packages, by manager and name.
        candidates: The stacks that have some of it, the best first.
    """

    family: Family
    base: Stack | None
    asked: tuple[tuple[ManagerName, str], ...]
    candidates: tuple[Candidate, ...]

    @property
    def best(self) -> Candidate | None:
        """The stack that has most of it, if that is more than the base has."""
        best = next(iter(self.candidates), None)
        own = next((each for each in self.candidates if each.stack == self.base), None)
        return best if best and len(best.has) > len(own.has if own else ()) else None


def suggestions(image: str, recipe: Recipe) -> Suggestion:
    """Look up the family's table; no engine is asked.

    Args:
        image: The base image; empty if nothing names it.
        recipe: The recipe to install on it.
    """
    family = family_of(image)
    asked = [
        (step.manager, item.name) for step in recipe.steps for item in step.install if item.name
    ]
    return Suggestion(
        family=family,
        base=stack_of(image, family),
        asked=tuple(dict.fromkeys(asked)),
        candidates=tuple(candidates(family, asked)),
    )


def likely_image(records: Sequence[Record]) -> str:
    """Return the likely image of this container if nothing names it; empty if none fits."""
    if not look().stacks:
        return ""
    family = family_of(None)
    brought = {
        package.key for each in records if each.outcome for package in each.outcome.change.added
    }
    here = [each for each in read_packages(detect()).packages if each.key not in brought]
    stack = likely_stack(
        family,
        [package.name for package in here if not is_system(package.manager)],
        [package.name for package in here if is_system(package.manager)],
    )
    return family.reference(stack) if stack else ""


def base_image(
    recipe: Recipe, records: Sequence[Record], image: str, *, guess: bool
) -> tuple[str, list[str]]:
    """Return the image to build on, and notes from the Docker Stacks' table.

    Args:
        recipe: The recipe to install on it.
        records: The history.
        image: The image that the user named; empty for none.
        guess: Whether to guess by the packages here if nothing names it.
    """
    hints: list[str] = []
    image = image or look().image or ""
    if not image and guess:
        image = likely_image(records)
        if image:
            hints.append(
                f"Nothing names the base image; by what is in it, it is {image}. Name yours: --from"
            )
    found = suggestions(image, recipe)
    if found.base and found.best:
        has = ", ".join(found.best.has)
        hints.append(f"{found.best.stack.name} has {has} already: %envimage suggest")
    return image, hints
