"""One wording for the limits of a format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.credentials import mask
from ._choice import called

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.recipe import Step


def left_out(why: str, steps: Iterable[Step]) -> tuple[str, ...]:
    """Return one sentence on the steps that a format cannot express; none without steps.

    Args:
        why: A sentence on what the format can express.
        steps: The steps that it cannot.
    """
    parts = []
    for step in steps:
        what = [item.text for item in step.install] + [f"the removal of {n}" for n in step.remove]
        where = f"{step.manager}, {called(step.environment)}" if step.environment else step.manager
        if what:
            parts.append(f"{', '.join(what)} ({where})")
    return (mask(f"{why} Left out: {'; '.join(parts)}."),) if parts else ()
