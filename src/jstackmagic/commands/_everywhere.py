"""A change of install or remove, here and then on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..install.imports import is_running
from ..managers.steps import Step
from ..model.errors import NOTHING_CHANGED, Interrupted, JStackMagicError, UsageError
from ..session import Session
from ..workers.cluster import Cluster
from . import _change
from ._changed import ChangeResult
from ._mode import Several
from ._synced import ChangedWithWorkers
from ._workers import connected, loaded, synced, taken_back


def carry_out(
    steps: Sequence[Step], options: Several, session: Session, notes: Sequence[str]
) -> ChangeResult:
    """Carry steps out here, and on the workers in the same transaction.

    Raises:
        UsageError: No such cluster is connected, or a step is of another environment.
        CommandFailed: It failed on a worker; what was done is taken back, unless it is to be kept.
    """
    cluster = connected(options.cluster, session)
    if any(not is_running(step.environment) for step in steps):
        raise UsageError(
            "Workers get what this kernel's environment has, and another one is named.",
            kept=NOTHING_CHANGED,
            advice="Leave out --name, --prefix and --kernel, or --workers.",
        )
    alone = replace(options, workers=False, cluster=None)
    here = _change.carry_out(steps, alone, session, notes)
    if options.dry_run or options.record_only:
        note = f"Then, on the workers of {cluster.kind} {cluster.name}: what they lack of it."
        return replace(here, notes=(*here.notes, note))
    transaction = next((item.record.transaction for item in here.done if item.record), "")
    removed = (step.request for step in steps if step.request.action == "remove")
    gone = {spec.name for request in removed for spec in request.specs}
    gone |= {package.name for package in here.change.removed}
    try:
        cargo = loaded(cluster, session, remove=sorted(gone))
        there = synced(cluster, cargo, session, "%envsync", transaction)
    except JStackMagicError as error:
        if options.keep_going or not transaction or isinstance(error, Interrupted):
            error.kept = f"Done here, and left so. {error.kept}"
            error.advice = (*error.advice, f"To take back what was done: %envundo {transaction}")
        else:
            _take_back(error, transaction, cluster, session, options)
        raise
    return ChangedWithWorkers(here.done, here.notes, workers=there)


def _take_back(
    error: JStackMagicError, transaction: str, cluster: Cluster, session: Session, options: Several
) -> None:
    """Take a transaction back, here and on the workers, and have its error say so."""
    records = session.history.get(transaction)
    try:
        taken, left = _change.take_back(session, options.engine, transaction)
        left = [*left, *taken_back(records, {f"{cluster.kind} {cluster.name}": cluster}, session)]
    except JStackMagicError as other:
        taken, left = (), [other.problem, *filter(None, [other.kept])]
    words = "Taken back, here and on the workers." if taken else "Done here, and left so."
    error.kept = " ".join([words, *left])
    keep = "To keep what is done before a worker fails: --keep-going"
    error.advice = (*(line for line in error.advice if "%envsync" not in line), keep)
