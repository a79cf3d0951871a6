"""The Docker Stacks' family tree: the base and the packages of each image.

The table is ``family.json``: the packages in the images' Dockerfiles, with the commit and date it
was read from, without their dependencies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.managers import is_system
from ..model.packages import ManagerName, normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Stack:
    """One image.

    Attributes:
        name: Its name in a reference: ``scipy-notebook``.
        ancestors: Its base images, the nearest first.
        python: Its packages of conda and pip, by normalised name, with its ancestors'.
        also: Other names for some of them: conda's and pip's names differ.
        debian: Its Debian packages, with its ancestors'.
    """

    name: str
    ancestors: tuple[str, ...]
    python: frozenset[str]
    also: frozenset[str]
    debian: frozenset[str]

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
    """The images of one time.

    Attributes:
        source: The source of the table.
        date: The date of that source, ISO 8601.
        registry: The part before a stack's name in a reference.
        tag: The tag that names this time; empty for today's.
        stacks: The images, the smaller before those that build on them.
    """

    source: str
    date: str
    registry: str
    tag: str
    stacks: tuple[Stack, ...]

    def reference(self, stack: Stack) -> str:
        """Return what to write after FROM."""
        return f"{self.registry}/{stack.name}" + (f":{self.tag}" if self.tag else "")

    def get(self, name: str) -> Stack | None:
        """Return the stack of a name."""
        return next((stack for stack in self.stacks if stack.name == name), None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stack that has some of what was requested.

    Attributes:
        stack: The stack.
        has: The requested packages that it has.
        left: The packages still to install.
    """

    stack: Stack
    has: tuple[str, ...]
    left: tuple[str, ...]


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
    tag = (image or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tags.get(tag, families()[0])


def stack_of(image: str | None, family: Family) -> Stack | None:
    """Return the stack that an image's reference names."""
    last = (image or "").partition("@")[0].rpartition("/")[2]
    return family.get(last.partition(":")[0])


def likely_stack(family: Family, python: Iterable[str], debian: Iterable[str]) -> Stack | None:
    """Return the largest stack whose packages are all installed; for an unnamed image.

    Args:
        family: The family.
        python: The packages of conda and pip in the base environment, by name.
        debian: The Debian packages.
    """
    there, system = set(map(normalise, python)), set(debian)
    fits = [stack for stack in family.stacks if stack.debian <= system and stack.python <= there]
    return max(fits, key=lambda stack: stack.size, default=None)


def candidates(family: Family, asked: Iterable[tuple[ManagerName, str]]) -> list[Candidate]:
    """Return the stacks that have some of the requested packages: most first, then the smallest."""
    wanted = list(dict.fromkeys(asked))
    found = []
    for stack in family.stacks:
        has = tuple(name for manager, name in wanted if stack.has(manager, name))
        left = tuple(name for manager, name in wanted if not stack.has(manager, name))
        if has:
            found.append(Candidate(stack, has, left))
    return sorted(found, key=lambda each: (-len(each.has), each.stack.size))
