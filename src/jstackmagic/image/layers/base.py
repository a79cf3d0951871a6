"""Find and read the base image of the layers, a witness of its own packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ...display.console import Console
from ...model.errors import JStackMagicError, UsageError
from ...model.reference import parse
from ..engine.labels import HISTORY
from ..registry.client import Registry, RegistryImage, opened
from ..registry.source import image_of, read_root
from ..root import Root


@dataclass(frozen=True)
class Base:
    """A base image."""

    registry: Registry  #: its repository
    image: RegistryImage  #: its description in the registry
    root: Root

    @property
    def reference(self) -> str:
        """Return its name with its digest."""
        return f"{self.image.name.name}@{self.image.digest}"


@contextmanager
def base_of(name: str, history: str, console: Console) -> Iterator[Base]:
    """Find and read the base image, and keep its registry open while it is used.

    Args:
        history: The history's id: an image that was made from it has another base.

    Raises:
        UsageError: The name is invalid.
        RegistryError: The image cannot be read.
    """
    with ExitStack() as stack:
        try:
            registry = stack.enter_context(opened(parse(name)))
            image = image_of(registry)
            if history and image.labels.get(HISTORY) == history and image.base:
                registry = stack.enter_context(opened(image.base))
                image = image_of(registry)
            root = read_root(registry, image, console)
        except JStackMagicError as error:
            raise type(error)(
                error.problem,
                kept="Nothing was sent.",
                advice=(
                    *error.advice,
                    "Another name of the base image: --from IMAGE",
                    "Or build it where an engine is: %envexport dockerfile",
                ),
            ) from error
        yield Base(registry, image, root)


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
