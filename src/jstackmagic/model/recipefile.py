"""A recipe as JSON text: the format of ``docs/recipe.schema.json``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from .environment import EnvironmentRef
from .errors import InvalidSpec
from .managers import names
from .pins import pinned
from .recipe import Recipe, RecipeStep
from .request import Request
from .spec import read_all
from .text import as_json
from .written import plain, step_of, written

VERSION = 1
"""The value of ``v``. A new optional field does not raise it."""

KIND = "jstackmagic recipe"
"""The value of ``kind``, by which a reader recognises the file."""


def text_of(recipe: Recipe) -> str:
    """Return a recipe as JSON; empty fields are left out, and no string holds a credential."""
    whole = {"kind": KIND, "v": VERSION, "steps": plain(recipe.steps)}
    return as_json(whole) + "\n"


def recipe_of(text: str | bytes) -> Recipe:
    """Read the text of `text_of`.

    Raises:
        InvalidSpec: It is not a recipe, or a newer jstackmagic wrote it.
    """
    import msgspec

    try:
        file = _decoder().decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"It is not a recipe: {error}", kept="Nothing was read.") from None
    if file.kind != KIND:
        raise InvalidSpec(f"It is not a recipe: it is a {file.kind!r}.", kept="Nothing was read.")
    if file.v > VERSION:
        raise InvalidSpec(
            f"It is a recipe of version {file.v}, and this jstackmagic reads {VERSION}.",
            kept="Nothing was read.",
            advice="Upgrade jstackmagic.",
        )
    for step in file.steps:
        if step.manager not in names():
            raise InvalidSpec(
                f"It is not a recipe: {step.manager!r} is not a package manager known here.",
                kept="Nothing was read.",
            )
    return Recipe(tuple(map(step_of, file.steps)))


def requests_of(recipe: Recipe) -> Iterator[tuple[EnvironmentRef | None, Request]]:
    """Yield the requests that reproduce a recipe elsewhere, with the versions that were seen.

    Yields:
        An environment, None for the system; and a request.
    """
    for step in recipe.steps:
        if step.remove:
            yield (
                step.environment,
                Request("remove", step.manager, read_all(step.manager, step.remove)),
            )
        if step.install:
            yield (
                step.environment,
                Request(
                    "install",
                    step.manager,
                    read_all(
                        step.manager,
                        (pinned(item, "exact") for item in step.install),
                    ),
                    sources=step.sources,
                    options=step.options,
                ),
            )


@lru_cache(maxsize=1)
def _decoder() -> Any:
    import msgspec

    steps = ("steps", tuple[written(RecipeStep), ...], ())  # type: ignore[misc]
    return msgspec.json.Decoder(msgspec.defstruct("File", [("kind", str), ("v", int), steps]))
