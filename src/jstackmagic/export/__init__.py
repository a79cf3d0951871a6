"""What a recipe can be rendered as: one module a format.

``dockerfile.py`` is the format ``dockerfile``; adding a module adds a format and touches no other
file. A format's module has a docstring (its first line describes it to users),
``arguments(parser)``, which declares its own options, and ``render(recipe, **options)``, which is
pure and takes them as keyword arguments; one that takes ``records`` is given the history's too.
``FILES`` has the path that the file usually has in a repository, with the options for it; a format
of several files has several. ``ONE_ENVIRONMENT = True`` says that a file is of one environment,
chosen by the options ``name`` and ``prefix``, so that a second needs a file of its own. A module
whose name begins with an underscore is shared by the formats and is none itself.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..model.errors import UsageError
from ._artifact import Artifact, File

if TYPE_CHECKING:
    import argparse

    from ..model.recipe import Recipe

__all__ = ["Artifact", "File", "Format", "formats", "get"]


class Format(Protocol):
    """A module of this package."""

    __doc__: str | None
    FILES: dict[str, dict[str, object]]

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options; each one's ``dest`` is a keyword of ``render``."""

    def render(self, recipe: Recipe, **options: Any) -> Artifact:
        """Render a recipe: the same recipe and options give the same bytes.

        Raises:
            ExportError: The format cannot hold something of the recipe, or cannot be told so.
        """


def formats() -> dict[str, Format]:
    """Every format by the name a user types, in alphabetical order."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {
        name.replace("_", "-"): cast("Format", import_module(f".{name}", __name__))
        for name in modules
        if not name.startswith("_")
    }


def get(name: str) -> Format:
    """The format of a name.

    Raises:
        UsageError: There is none of that name.
    """
    known = formats()
    if name not in known:
        raise UsageError(
            f"There is no export format {name!r}.",
            kept="Nothing was written.",
            advice=f"Take one of: {', '.join(known)}",
        )
    return known[name]
