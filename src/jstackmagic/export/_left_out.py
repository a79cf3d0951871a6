"""One wording for what a format cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.credentials import mask
from ._choice import called

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.recipe import Step


def left_out(why: str, steps: Iterable[Step]) -> tuple[str, ...]:
    """Return one sentence for what a format cannot hold; none if that is nothing.

    Args:
        why: A sentence that says what the format holds.
        steps: What it does not.
    """
    parts = []
    for step in steps:
        what = [item.text for item in step.install] + [f"the removal of {n}" for n in step.remove]
        where = f"{step.manager}, {called(step.environment)}" if step.environment else step.manager
        if what:
            parts.append(f"{', '.join(what)} ({where})")
    return (mask(f"{why} Left out: {'; '.join(parts)}."),) if parts else ()
