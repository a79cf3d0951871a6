"""recipe.json, a recipe that %envexport json wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.errors import InvalidSpec
from ...model.recipefile import KIND, recipe_of
from . import Reading
from ._finds import has, text_of
from ._recipes import found_in

if TYPE_CHECKING:
    from pathlib import Path


def recognises(path: Path) -> bool:
    """Return whether it is JSON that says so."""
    return path.suffix == ".json" and has(path, rf'^\s*"kind": "{KIND}"')


def read(path: Path) -> Reading:
    """Read its installs and removals in each environment, with the versions that it saw.

    Raises:
        InvalidSpec: It is broken, or a newer jstackmagic wrote it.
        OSError: It cannot be read.
    """
    try:
        recipe = recipe_of(text_of(path))
    except InvalidSpec as error:
        raise InvalidSpec(f"{path}: {error.problem}", kept="Nothing was started.") from None
    return Reading(path, tuple(found_in(recipe)))
