"""One transaction of a session, as install, remove, undo and replay carry it out."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ..managers import repairs
from ..model.errors import CommandFailed, UsageError
from ._changed import ChangeResult

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..install.transaction import Transaction
    from ..managers.steps import Done, Step
    from ..model.environment import Environment
    from ..session import Session
    from ._mode import Several

_WHOLE = "Nothing was cut off in the {0.description}."


def transaction(session: Session, engines: Sequence[str] = (), **mode: Any) -> Transaction:
    """Return a transaction of this session."""
    from ..install.transaction import Mode, Transaction
    from ..model.policy import engines_of

    return Transaction(
        history=session.history,
        context=session.context(),
        policy=session.policy,
        console=session.console,
        on_exit_status=session.on_exit_status,
        mode=Mode(engines=engines_of(engines, session.policy), **mode),
    )


def carry_out(
    steps: Sequence[Step], options: Several, session: Session, notes: Sequence[str] = ()
) -> ChangeResult:
    """Carry steps out as one transaction, as the options say: here, or on workers as well."""
    if options.workers or options.cluster is not None:
        everywhere = import_module("._everywhere", __package__)  # only now: it needs a cluster
        return cast("ChangeResult", everywhere.carry_out(steps, options, session, notes))
    made = transaction(
        session,
        options.engine,
        dry_run=options.dry_run,
        record_only=options.record_only and not options.dry_run,
        force=options.force,
    )
    if not options.keep_going:
        made.take_back = partial(take_back, session, options.engine)
    return ChangeResult(done=tuple(made.carry_out(steps)), notes=tuple(notes))


def repair(
    environments: Sequence[Environment], options: Several, session: Session, *, alone: bool
) -> ChangeResult | None:
    """Finish the interrupted changes in some environments; with ``--force``, or give them up.

    Args:
        alone: Whether the line asks for nothing else.

    Returns:
        None where the rest of the line is to be carried out.

    Raises:
        UsageError: Only records are to be made.
        CommandFailed: One cannot be finished.
    """
    if options.record_only:
        raise UsageError("--record-only changes nothing: leave it out, or --repair.")
    from ..install.unfinished import half_done

    if options.dry_run:
        found = [each for environment in environments for each in half_done(environment)]
        found += half_done(environments[0], system=True) if environments else ()
        said = [f"Would repair: {each.words}." for each in found]  # no plan counts before it
        said += map(_WHOLE.format, environments) if alone and not said else ()
        return ChangeResult((), tuple(said)) if said else None
    drop = options.force
    made = transaction(session, options.engine)
    done: list[Done] = []
    notes: list[str] = []
    for environment in environments:
        said, whole = [], not half_done(environment)
        if drop:
            said += repairs([environment], session.console, drop=True)
        try:
            finished = made.repair(environment)
        except CommandFailed:
            if not drop:
                raise
            finished = []
            made.settle(environment.prefix)  # as it was before: the record says what is there
        if not drop:
            said += repairs([environment], session.console)
        if whole and not (finished or said):
            said.append(_WHOLE.format(environment))
        done, notes = [*done, *finished], [*notes, *said]
    return ChangeResult(done=tuple(done), notes=tuple(notes)) if alone else None


def take_back(
    session: Session, engines: Sequence[str], failed: str
) -> tuple[Collection[str], Sequence[str]]:
    """Take back the steps of a transaction that failed; see `Transaction.take_back`."""
    from ..restore.undo import UndoOptions, undo

    session.console.say("A step failed: undoing what was done before it …")
    carrier = transaction(session, engines, force=True, thorough=True)
    undone = undo(UndoOptions(id=failed, apart=True), session.history, carrier)
    return {record.id for record in undone.records}, undone.problems
