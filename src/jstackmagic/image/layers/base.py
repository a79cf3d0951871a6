"""Find and read the base image of the layers, a witness of its own packages."""

from __future__ import annotations

import posixpath
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from ...model.reference import Reference, parse
from ..engine.labels import BASE, BASE_DIGEST, HISTORY
from ..packages import packages_of
from ..registry.client import Image, Registry, opened
from ..registry.connection import RegistryError
from ..registry.source import image_of, read_root
from ..root import Root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...display.console import Console
    from ...model.environment import Environment
    from ...model.packages import ManagerName, Package


@dataclass(frozen=True)
class Base:
    """A base image.

    Attributes:
        registry: Its repository.
        image: Its description in the registry.
        root: Its files.
    """

    registry: Registry
    image: Image
    root: Root

    @property
    def reference(self) -> str:
        """Return its name with its digest."""
        return f"{self.image.name.name}@{self.image.digest}"


@contextmanager
def base_of(name: str, history: str, console: Console) -> Iterator[Base]:
    """Find and read the base image, and keep its registry open while it is used.

    Args:
        name: The base's name.
        history: The history's id: an image that was made from it has another base.
        console: Shows the progress.

    Raises:
        UsageError: The name is invalid.
        RegistryError: The image cannot be read.
    """
    with ExitStack() as stack:
        with _needed():
            registry = stack.enter_context(opened(parse(name)))
            image = image_of(registry)
        labels = image.labels
        if history and labels.get(HISTORY) == history and labels.get(BASE):
            below = parse(labels[BASE])
            digest = labels.get(BASE_DIGEST, "")
            reference = Reference(below.name, below.tag, digest or below.digest)
            with _needed():
                registry = stack.enter_context(opened(reference))
                image = image_of(registry)
        with _needed():
            root = read_root(registry, image, console)
        yield Base(registry, image, root)


@contextmanager
def _needed() -> Iterator[None]:
    """Add advice to errors if the base image cannot be read."""
    try:
        yield
    except RegistryError as error:
        raise type(error)(
            error.problem,
            kept="Nothing was sent.",
            advice=(
                *error.advice,
                "Another name of the base image: --from IMAGE",
                "Or build it where an engine is: %envexport dockerfile",
            ),
        ) from error


class Witness:
    """A base image as a witness of the packages that it brought."""

    def __init__(self, base: Base) -> None:
        self._root = base.root
        self.words = f"the image {base.image.name}"

    def of(
        self,
        environment: Environment,
        manager: ManagerName,
        here: Sequence[Package],
    ) -> list[Package] | None:
        """Return one manager's packages; None of an environment that the image does not have."""
        prefix = posixpath.normpath(environment.prefix)
        is_system = environment.kind == "system" or manager == "apt"
        if not is_system and prefix not in self._root.entries:
            return None
        return list(packages_of(self._root, prefix, (manager,)).packages)


def said_base(said: str | None, *known: str | None) -> str:
    """Return the first name of a base image.

    Raises:
        UsageError: Nothing names it.
    """
    found = next((name for name in (said, *known) if name), "")
    if not found:
        raise UsageError(
            "Nothing says which image this container was started from.",
            kept="Nothing was sent.",
            advice="Say it: --from IMAGE",
        )
    return found
