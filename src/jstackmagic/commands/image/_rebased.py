"""The outcomes of rebases, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...display import Part, Result, Table, Text, size_text
from ...image.layers.rebasing import Outcome


@dataclass(frozen=True, repr=False)
class Rebased(Result):
    """The outcome of some rebases.

    Attributes:
        onto: The new base.
        outcomes: One an image.
        dry_run: Whether nothing was sent.
    """

    onto: str
    outcomes: tuple[Outcome, ...]
    dry_run: bool = False

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 if an image could not be rebased."""
        return int(any(each.state == "no" for each in self.outcomes))

    def summary(self) -> str:
        there = sum(each.state != "no" for each in self.outcomes)
        return (
            f"{there} of {len(self.outcomes)} {'can be' if self.dry_run else 'are'} on {self.onto}"
        )

    def parts(self) -> Sequence[Part]:
        rows = tuple(
            (
                each.image,
                each.state,
                size_text(each.size) if each.size else "",
                "; ".join(each.reasons),
            )
            for each in self.outcomes
        )
        parts: list[Part] = [Table(("Image", f"On {self.onto}", "Sent", "Why not"), rows)]
        if self.exit_status:
            words = "What says no has to be built again: %envexport dockerfile --from BASE"
            parts.append(Text(words, "warning"))
        return parts

    def to_json(self) -> Any:
        return {"onto": self.onto, "images": msgspec.to_builtins(self.outcomes)}
