"""Workers of a cluster as tables: after a sync, and compared with this kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..display import Part, Result, Table, Text
from ..model.text import counted
from ..workers.sync import WorkerDifference, WorkerRow
from ._changed import ChangeResult


def state_of(row: WorkerRow) -> str:
    """Return how a worker stands, in words."""
    if row.failed:
        return f"failed: {row.failed}"
    moves = [_move(*each) for each in row.brought or row.would]
    if not moves:
        return "same"
    return f"{'would get' if row.would else 'brought in step'}: {', '.join(moves)}"


def _move(name: str, old: str, new: str) -> str:
    if not new:
        return f"− {name} {old}"
    return f"~ {name} {old} → {new}" if old and old != new else f"+ {name} {new}"


def _table(cluster: str, rows: Sequence[WorkerRow], states: Sequence[str]) -> Table:
    cells = tuple(
        (row.worker, row.facts.get("host", ""), row.facts.get("prefix", ""), state)
        for row, state in zip(rows, states, strict=True)
    )
    return Table(("Worker", "Host", "Environment", "State"), cells, f"Workers of {cluster}")


@dataclass(frozen=True, repr=False)
class SyncResult(Result):
    """The workers after a sync, or before one in a dry run."""

    cluster: str
    rows: tuple[WorkerRow, ...]
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        return f"{counted(len(self.rows), 'worker')} of {self.cluster}"

    def parts(self) -> Sequence[Part]:
        notes = [Text(note, "warning") for note in self.notes]
        if not self.rows:
            return [*notes, Text(f"{self.cluster} has no workers now.", "warning")]
        states = [". ".join((state_of(row), *row.words)) for row in self.rows]
        return [*notes, _table(self.cluster, self.rows, states)]

    def to_json(self) -> Any:
        import msgspec

        rows = [
            {**msgspec.to_builtins(replace(row, facts={})), "prefix": row.facts.get("prefix", "")}
            for row in self.rows
        ]
        return {"cluster": self.cluster, "workers": rows, "notes": list(self.notes)}


@dataclass(frozen=True, repr=False)
class WorkersComparison(Result):
    """Workers compared with this kernel, package by package."""

    cluster: str
    rows: tuple[WorkerRow, ...]
    differences: tuple[WorkerDifference, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return int(any(each.sent for each in self.differences) or any(r.failed for r in self.rows))

    def summary(self) -> str:
        return f"{counted(len(self.differences), 'difference')} on {self.cluster}"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = [Text(note, "warning") for note in self.notes]
        differing = {each.worker for each in self.differences if each.sent}
        states = ["differs" if r.worker in differing else state_of(r) for r in self.rows]
        parts.append(_table(self.cluster, self.rows, states))
        if self.differences:
            cells = tuple(
                (d.worker, d.name, d.here, d.there, "%envsync" if d.sent else "")
                for d in self.differences
            )
            columns = ("Worker", "Package", "Here", "There", "Sent by")
            parts.append(Table(columns, cells, "What differs from this kernel"))
        if any(each.there.startswith("changed:") for each in self.differences):
            parts.append(Text("To put back what was changed there: %envsync --force", "warning"))
        return parts

    def to_json(self) -> Any:
        import msgspec

        found = msgspec.to_builtins(self.differences)
        return {"cluster": self.cluster, "differences": found, "notes": list(self.notes)}


@dataclass(frozen=True, repr=False)
class ChangedWithWorkers(ChangeResult):
    """The outcome of an install or a removal, here and on a cluster's workers."""

    workers: SyncResult | None = None

    def parts(self) -> Sequence[Part]:
        return [*super().parts(), *(self.workers.parts() if self.workers else ())]

    def to_json(self) -> Any:
        return {**super().to_json(), "workers": self.workers.to_json() if self.workers else None}
