"""Which of the Docker Stacks this is, and which has what was installed already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..environment import detect
from ..host import look
from ..image.family import candidates, family_of, likely_stack, stack_of
from ..packages import read_packages
from ..recipe import fold
from ._image import Suggestions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..history import Record
    from ..image.family import Family, Stack


def suggestions(image: str | None, records: Sequence[Record]) -> Suggestions:
    """Look up the family's table; no engine is asked.

    Args:
        image: The base image that the user named; by default what the surroundings name.
        records: The history.
    """
    image = image or look().image
    family = family_of(image)
    asked = [
        (step.manager, item.name)
        for step in fold(records).steps
        for item in step.install
        if item.name
    ]
    return Suggestions(
        family=family,
        base=stack_of(image, family) if image else _by_contents(family, records),
        asked=tuple(dict.fromkeys(asked)),
        candidates=tuple(candidates(family, asked)),
    )


def likely_image(records: Sequence[Record]) -> str:
    """The image that this one seems to be, where nothing names it; empty where none fits."""
    family = family_of(None)
    stack = _by_contents(family, records)
    return family.reference(stack) if stack else ""


def _by_contents(family: Family, records: Sequence[Record]) -> Stack | None:
    """The largest stack that is wholly here, less what the history brought; none elsewhere."""
    if not look().stacks:
        return None
    brought = {
        package.key for each in records if each.outcome for package in each.outcome.change.added
    }
    here = [each for each in read_packages(detect()).packages if each.key not in brought]
    return likely_stack(
        family,
        [package.name for package in here if package.manager != "apt"],
        [package.name for package in here if package.manager == "apt"],
    )
