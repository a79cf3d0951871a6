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
from ..model.errors import NOTHING_CHANGED, Stopped, UsageError
from ..model.ledger import Ledger
from ..model.managers import is_system
from ..model.record import Record
from ._change import ChangeResult, add_mode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from ..history.file import History
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="a transaction, or one record of it")
    parser.add_argument("--to", metavar="ID", help="go back to how things were after that one")
    add_mode(parser)


def run(args: argparse.Namespace, session: Session) -> UndoResult:
    """Find out what it takes, say what cannot be had, and do it."""
    from ..install.transaction import Mode, Transaction
    from ..model.policy import engines_of
    from ._place import Place

    history = session.history
    ledger = history.ledger()
    chosen, seen = _chosen(args, history, ledger)
    transaction = Transaction(
        history=history,
        context=session.context(),
        policy=session.policy,
        console=session.console,
        on_exit_status=session.on_exit_status,
        # the guards are asked once, for all of it: one step alone would often look like harm
        mode=Mode(
            dry_run=args.dry_run,
            force=True,
            thorough=True,
            engines=engines_of(args.engine, session.policy),
        ),
    )
    origins, moves = ledger.origins(), Ledger.of(seen).moves()
    places = [
        Place(prefix, of_place, moves, origins, transaction, disk=not args.record_only)
        for prefix, of_place in _by_place(chosen).items()
    ]
    problems = [problem for place in places for problem in place.check(force=args.force)]
    if problems and not args.force:
        raise Stopped(
            "\n".join(["This cannot be taken back exactly.", *problems]),
            kept=NOTHING_CHANGED,
            advice="To take back what can be taken back, add --force",
        )
    try:
        done = transaction.run([step for place in places for step in place.planned()])
    finally:  # also what was only done in part
        left = [] if args.dry_run else [place.settle(session.console) for place in places]
    problems += [problem for of_place in left for problem in of_place]
    return UndoResult(done=tuple(done), notes=tuple(problems), taken_back=tuple(chosen))


# Which


def _chosen(
    args: argparse.Namespace, history: History, ledger: Ledger
) -> tuple[list[Record], list[Record]]:
    """What is to be taken back, and the records that tell how things were before it."""
    if args.id and args.to:
        raise UsageError("Name one record, or go back --to one; not both.")
    if args.to:
        point = history.get(args.to)[-1].transaction
        found, seen = ledger.since(point), ledger.after(point)
        if not found:
            raise UsageError(f"Nothing was recorded after {point}.", kept=NOTHING_CHANGED)
    else:
        found = seen = _not_yet(history.get(args.id), ledger) if args.id else ledger.latest()
        if not found:
            raise UsageError(
                "There is nothing to take back.", kept=NOTHING_CHANGED, advice="See: %envhistory"
            )
    _check_ended(found, force=args.force)
    return found, seen


def _not_yet(chosen: list[Record], ledger: Ledger) -> list[Record]:
    taken = ledger.taken_back()
    left = [record for record in chosen if record.id not in taken]
    if not left:
        by = taken[chosen[-1].id].rpartition(".")[0]
        raise UsageError(
            f"{chosen[-1].transaction} was taken back already, by {by}.",
            kept=NOTHING_CHANGED,
            advice=f"To have it again: %envundo {by}",
        )
    return left


def _check_ended(chosen: Iterable[Record], *, force: bool) -> None:
    for record in chosen:
        if record.status == "running":
            raise Stopped(f"{record.id} is still running.", kept=NOTHING_CHANGED)
        if record.status == "interrupted" and record.outcome is None and not force:
            raise Stopped(
                f"{record.id} was cut off, and nobody saw what it had changed by then.",
                kept=NOTHING_CHANGED,
                advice=("See what is there: %envdiff", "To let it count no more: --force"),
            )


def _by_place(chosen: Iterable[Record]) -> dict[str, list[Record]]:
    """The records by prefix, empty for apt; where the last ones were made comes first."""
    import os

    places: dict[str, list[Record]] = {}
    for record in reversed(list(chosen)):
        prefix = "" if is_system(record.request.manager) else record.environment.prefix
        places.setdefault(prefix and os.path.normpath(prefix), []).append(record)
    return places


@dataclass(frozen=True, repr=False)
class UndoResult(ChangeResult):
    """What taking back came to.

    Attributes:
        taken_back: The records.
    """

    taken_back: tuple[Record, ...] = ()

    def parts(self) -> Sequence[Part]:
        """Which records, then each step as it went."""
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
