"""Take back an install or a removal, to the exact versions there were, and record that.

Examples:
    %envundo --dry-run         # the plan alone
    %envundo                   # the last one; again, and the one before it
    %envundo --to 3f9a         # all that came after that one
    %envundo 3f9a.2            # one request of it
    %envundo 3f9a              # all of it; and of an undo, to do it again
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..display import Part, Text
from ..model.record import Record
from ._change import ChangeResult, add_mode, transaction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="a transaction, or one record of it")
    parser.add_argument("--to", metavar="ID", help="go back to how things were after that one")
    add_mode(parser)


def run(args: argparse.Namespace, session: Session) -> UndoResult:
    """Take back what was named, or the last transaction."""
    from ..restore.undo import UndoOptions, undo

    # the guards are asked once, for all of it: one step alone would often look like harm
    carrier = transaction(session, args.engine, dry_run=args.dry_run, force=True, thorough=True)
    wanted = UndoOptions(
        id=args.id or "",
        to=args.to or "",
        force=args.force,
        dry_run=args.dry_run,
        record_only=args.record_only,
    )
    undone = undo(wanted, session.history, carrier)
    return UndoResult(done=undone.done, notes=undone.problems, taken_back=undone.records)


@dataclass(frozen=True, repr=False)
class UndoResult(ChangeResult):
    """The outcome of an undo.

    Attributes:
        taken_back: The records.
    """

    taken_back: tuple[Record, ...] = ()

    def parts(self) -> Sequence[Part]:
        """Return which records, then each step as it went."""
        head = [
            Text(
                f"{'Took back' if self._did else 'Would take back'} {record.id}: "
                f"{record.request.action} {' '.join(record.request.texts)} "
                f"({record.request.manager})"
            )
            for record in self.taken_back
        ]
        moved = replace(self, done=tuple(item for item in self.done if item.plan.commands))
        return [*head, *ChangeResult.parts(moved)]

    @property
    def _did(self) -> bool:
        return any(item.outcome is not None for item in self.done)
