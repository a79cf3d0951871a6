"""Check whether files equal an export's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Code, Part, Result, Text


@dataclass(frozen=True, repr=False)
class Checked(Result):
    """The outcome of the comparison."""

    difference: str  #: the changes an export would make; empty without any
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()  #: notes on what was not compared

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return 1 if self.difference else 0

    def summary(self) -> str:
        return "out of date" if self.difference else "up to date"

    @property
    def document(self) -> str | None:
        return self.difference or None

    def parts(self) -> Sequence[Part]:
        if self.difference:
            return [Code(self.difference.rstrip("\n")), *self.remarks()]
        return [Text(f"{', '.join(self.files)}: up to date.", "good"), *self.remarks()]

    def remarks(self) -> Sequence[Part]:
        return [Text(note, "warning") for note in self.notes]

    def to_json(self) -> Any:
        return {
            "up_to_date": not self.difference,
            "difference": self.difference,
            "files": list(self.files),
            "notes": list(self.notes),
        }
