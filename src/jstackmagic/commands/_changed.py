"""The table of changes, which install, remove, undo and replay show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..display import Part, Result, Text
from ..display.changes import count_text
from ..managers.steps import Done
from ..model.packages import Change
from ._steps import parts_of
from ._verify import Verified


@dataclass(frozen=True, repr=False)
class ChangeResult(Result):
    """The outcome of an install or a removal."""

    done: tuple[Done, ...]
    notes: tuple[str, ...] = ()  #: notes for the user on decisions
    verified: Verified | None = None  #: the result of ``--verify``; None without it
    #: the imports that ``--missing`` found, each with its spec
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return self.verified.exit_status if self.verified else 0

    @property
    def change(self) -> Change:
        """Return what changed on disk, all steps together."""
        changes = [item.outcome.change for item in self.done if item.outcome]
        return Change(
            added=tuple(package for change in changes for package in change.added),
            changed=tuple(pair for change in changes for pair in change.changed),
            removed=tuple(package for change in changes for package in change.removed),
        )

    def summary(self) -> str:
        return count_text(self.change) or "nothing changed"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = [Text(note, "warning") for note in self.notes]
        for item in self.done:
            parts += parts_of(item)
        return [*parts, *(self.verified.parts() if self.verified else ())]

    def to_json(self) -> Any:
        import msgspec

        return {
            "changed": bool(self.change),
            "notes": list(self.notes),
            **({"verified": self.verified.to_json()} if self.verified else {}),
            **({"missing": dict(self.missing)} if self.missing else {}),
            "steps": [
                msgspec.to_builtins(
                    {
                        "manager": item.plan.request.manager,
                        "environment": item.plan.environment.ref,
                        "commands": [str(command) for command in item.plan.commands],
                        "planned": item.plan.change,
                        "record": item.record.id if item.record else None,
                        "outcome": item.outcome,
                        "restart": list(item.stale),
                        "notes": [*item.plan.notes, *item.notes],
                    }
                )
                for item in self.done
            ],
        }
