"""The Docker Stacks: their family tree, this image's stack, stacks that have the installs already.

The tree is ``family.json``: the packages in the images' Dockerfiles, with the commit and date it
was read from, without their dependencies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..model.managers import is_system
from ..model.packages import ManagerName, PackageKey, normalise
from ..model.recipe import Recipe
from ..model.record import Record
from ..model.reference import written
from ..where.detect import detect
from ..where.host import look
from ..where.metadata import read_packages


@dataclass(frozen=True, slots=True)
class Stack:
    """One image."""

    name: str  #: its name in a reference: ``scipy-notebook``
    ancestors: tuple[str, ...]  #: its base images, the nearest first
    #: its packages of conda and pip, by normalised name, with its ancestors'
    python: frozenset[str]
    also: frozenset[str]  #: other names for some of them: conda's and pip's names differ
    debian: frozenset[str]  #: its Debian packages, with its ancestors'

    @property
    def size(self) -> int:
        """The number of its packages."""
        return len(self.python) + len(self.debian)

    def has(self, manager: ManagerName, name: str) -> bool:
        """Return whether it has a package, from conda or pip."""
        if is_system(manager):
            return name in self.debian
        return normalise(name) in self.python | self.also


@dataclass(frozen=True, slots=True)
class Family:
    """The images of one time."""

    source: str  #: the source of the table
    date: str  #: the date of that source, ISO 8601
    registry: str  #: the part before a stack's name in a reference
    tag: str  #: the tag that names this time; empty for today's
    stacks: tuple[Stack, ...]  #: the images, the smaller before those that build on them

    def reference(self, stack: Stack) -> str:
        """Return what to write after FROM."""
        return f"{self.registry}/{stack.name}" + (f":{self.tag}" if self.tag else "")

    def get(self, name: str) -> Stack | None:
        """Return the stack of a name."""
        return next((stack for stack in self.stacks if stack.name == name), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stack that has some of what was requested."""

    stack: Stack
    has: tuple[str, ...]  #: the requested packages that it has
    left: tuple[str, ...]  #: the packages still to install


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """Return the families, today's first."""
    data = json.loads(Path(__file__).with_name("family.json").read_text(encoding="utf-8"))
    return tuple(_family(one, data["also_called"]) for one in data["families"])


def _family(data: Any, also_called: Mapping[str, Sequence[str]]) -> Family:
    stacks: dict[str, Stack] = {"": Stack("", (), frozenset(), frozenset(), frozenset())}
    for one in data["stacks"]:
        parent = stacks[one["builds_on"]]
        own = (*one.get("conda", ()), *one.get("pip", ()))
        also = (other for name in own for other in also_called.get(name, ()))
        stacks[one["name"]] = Stack(
            name=one["name"],
            ancestors=tuple(filter(None, (parent.name, *parent.ancestors))),
            python=parent.python.union(map(normalise, own)),
            also=parent.also.union(map(normalise, also)),
            debian=parent.debian.union(one.get("apt", ())),
        )
    return Family(
        source=data["source"],
        date=data["date"],
        registry=data["registry"],
        tag=data["tag"],
        stacks=tuple(stack for stack in stacks.values() if stack.name),
    )


def family_of(image: str | None) -> Family:
    """Return the family of an image's reference: today's, unless its tag names another."""
    tags = {family.tag: family for family in families() if family.tag}
    return tags.get(written(image or "").tag, families()[0])


def stack_of(image: str | None, family: Family) -> Stack | None:
    """Return the stack that an image's reference names."""
    return family.get(written(image or "").last)


def likely_stack(family: Family, python: Iterable[str], debian: Iterable[str]) -> Stack | None:
    """Return the largest stack whose packages are all installed; for an unnamed image."""
    there, system = set(map(normalise, python)), set(debian)
    fits = [stack for stack in family.stacks if stack.debian <= system and stack.python <= there]
    return max(fits, key=lambda stack: stack.size, default=None)


def candidates(family: Family, asked: Iterable[PackageKey]) -> list[Candidate]:
    """Return the stacks that have some of the requested packages: most first, then the smallest."""
    wanted = list(dict.fromkeys(asked))
    found = []
    for stack in family.stacks:
        has = tuple(name for manager, name in wanted if stack.has(manager, name))
        left = tuple(name for manager, name in wanted if not stack.has(manager, name))
        if has:
            found.append(Candidate(stack, has, left))
    return sorted(found, key=lambda each: (-len(each.has), each.stack.size))


# This image among them


@dataclass(frozen=True)
class ImageSuggestion:
    """The Docker Stacks that have some of what was installed."""

    family: Family  #: the table that was looked up
    base: Stack | None  #: the current base's stack, if known
    asked: tuple[PackageKey, ...]  #: the installed packages
    candidates: tuple[Candidate, ...]  #: the stacks that have some of it, the best first

    @property
    def best(self) -> Candidate | None:
        """The stack that has most of it, if that is more than the base has."""
        best = next(iter(self.candidates), None)
        own = next((each for each in self.candidates if each.stack == self.base), None)
        return best if best and len(best.has) > len(own.has if own else ()) else None


def suggestions(image: str, recipe: Recipe) -> ImageSuggestion:
    """Look up the family's table; no engine is asked.

    Args:
        image: The base image; empty if nothing names it.
    """
    family = family_of(image)
    asked = [
        (step.manager, item.name) for step in recipe.steps for item in step.install if item.name
    ]
    return ImageSuggestion(
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
