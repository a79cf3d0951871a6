"""Take back an install or a removal, to the exact versions there were, and record that.

Examples:
    %envundo --dry-run         # the plan alone
    %envundo                   # the last one; again, and the one before it
    %envundo --to 3f9a         # all that came after that one
    %envundo 3f9a.2            # one request of it
    %envundo 3f9a              # all of it; and of an undo, to do it again
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..display import Part, Text
from ..model.record import Record
from ..session import Session
from ._change import transaction
from ._changed import ChangeResult
from ._mode import Single
from ._options import option
from ._records import what_of

if TYPE_CHECKING:
    from ..workers.cluster import Cluster


@dataclass(frozen=True)
class Options(Single):
    """The records to undo."""

    id: str | None = option(nargs="?", metavar="ID", help="a transaction, or one record of it")
    to: str | None = option("--to", metavar="ID", help="go back to how things were after that one")


def run(options: Options, session: Session) -> UndoResult:
    """Undo the named records, or the last transaction."""
    from ..restore.homes import at_home
    from ..restore.undo import UndoOptions, undo

    # the guards are asked once, for all of it: one step alone would often look like harm
    carrier = transaction(
        session, options.engine, dry_run=options.dry_run, force=True, thorough=True
    )
    home = at_home(session.history, "%envundo ID", every=bool(options.id))
    wanted = UndoOptions(
        id=options.id or "",
        to=options.to or "",
        force=options.force,
        dry_run=options.dry_run,
        here=home.ids,
        notes=home.notes,
        record_only=options.record_only,
    )
    moves = not (options.dry_run or options.record_only)
    if not (moves and any(record.context.cluster for record in session.history.records())):
        undone = undo(wanted, session.history, carrier)
        return UndoResult(undone.done, undone.problems, taken_back=undone.records)
    from . import _workers

    clusters: dict[str, Cluster] = {}

    def reach(records: Sequence[Record]) -> None:
        clusters.update(_workers.reached(records, session))

    undone = undo(wanted, session.history, carrier, reach)
    there = _workers.taken_back(undone.records, clusters, session)
    again = _again(undone.records, session)
    return UndoResult(undone.done, (*there, *again, *undone.problems), taken_back=undone.records)


def _again(taken: Iterable[Record], session: Session) -> Iterator[str]:
    """Yield a sentence for each cluster that has what an undo of an undo brings back."""
    undone = {record.undoes for record in taken}
    known = [record for record in session.history.records() if record.id in undone]
    clusters = (record.context.cluster for record in known if record.context.cluster)
    return (f"The workers of {name} have it again with: %envsync" for name in set(clusters))


@dataclass(frozen=True, repr=False)
class UndoResult(ChangeResult):
    """The outcome of an undo."""

    taken_back: tuple[Record, ...] = ()

    def parts(self) -> Sequence[Part]:
        verb = "Took back" if self._did else "Would take back"
        head = [
            Text(f"{record.id} failed and changed nothing: there is nothing to take back.")
            if record.outcome and record.outcome.status == "failed" and not record.outcome.change
            else Text(
                f"{verb} {record.id}: "
                f"{what_of(record)} ({record.context.cluster or record.request.manager})"
            )
            for record in self.taken_back
        ]
        moved = replace(self, done=tuple(item for item in self.done if item.plan.commands))
        return [*head, *ChangeResult.parts(moved)]

    @property
    def _did(self) -> bool:
        return any(item.outcome is not None for item in self.done)
