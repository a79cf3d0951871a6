"""recipe.json, a recipe that %envexport json wrote."""

from __future__ import annotations

from pathlib import Path

from ...model.errors import InvalidSpec
from ...model.recipefile import KIND, recipe_of
from . import Reading
from ._finds import has, text_of
from ._recipes import found_in


def recognises(path: Path) -> bool:
    return path.suffix == ".json" and has(path, rf'^\s*"kind": "{KIND}"')


def read(path: Path) -> Reading:
    """Read its installs and removals in each environment, with the versions that it saw."""
    try:
        recipe = recipe_of(text_of(path))
    except InvalidSpec as error:
        raise InvalidSpec(f"{path}: {error.problem}") from None
    return Reading(path, tuple(found_in(recipe)))
