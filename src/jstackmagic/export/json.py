"""The recipe itself as JSON, for other programs; %envexport --recipe FILE exports it elsewhere.

``docs/recipe.schema.json`` is its schema.
"""

from __future__ import annotations

from ..model.recipe import Recipe
from ..model.recipefile import text_of
from ._artifact import Artifact
from ._format import Format


def render(recipe: Recipe) -> Artifact:
    """Render a recipe as JSON."""
    places = [item.spec.path for step in recipe.steps for item in step.install if item.spec.path]
    notes = (f"It names files of this machine: {', '.join(places)}.",) if places else ()
    return Artifact(text_of(recipe), notes=notes)


FORMAT = Format(
    description=__doc__,
    files={"recipe.json": {}},
    render=render,
)
