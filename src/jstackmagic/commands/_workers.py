"""A sync as the verbs carry it out: sync itself, install, remove, undo and diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..model.errors import NOTHING_CHANGED, CommandFailed, UsageError
from ..model.record import Record
from ..model.text import counted
from ..session import Session
from ..where.detect import detect
from ..workers import worker
from ..workers.cargo import Cargo, load
from ..workers.cluster import Cluster, connected_to, find
from ..workers.sync import compare, differences, on_record, take_back
from ._synced import SyncResult, WorkersComparison


def connected(named: str | None, session: Session) -> Cluster:
    """Return the cluster that is meant.

    Raises:
        UsageError: There is no cluster, or there are several and none is named.
    """
    return find(named or "", session.variables())


def loaded(cluster: Cluster, session: Session, via: str = "cluster", **more: Any) -> Cargo:
    """Return what this kernel's environment has for a cluster; `more` is put into the order."""
    environment = detect()
    made = load(
        session.history, environment, session.policy,
        own=cluster.own, modules=session.magic, via=via,
    )  # fmt: skip
    return replace(made, order={**made.order, **more})


def synced(
    cluster: Cluster, cargo: Cargo, session: Session, command: str, transaction: str = ""
) -> SyncResult:
    """Sync on record.

    Raises:
        CommandFailed: It failed on a worker; names each.
    """
    done, record = on_record(
        cluster, cargo, session.console, session.history, session.context(), detect().ref,
        command, transaction,
    )  # fmt: skip
    if done.failed:
        well = len(done.rows) - len(done.failed)
        see = (f"See the record: %envhistory {record.id}",) if record else ()
        raise CommandFailed(
            "\n".join(f"{row.worker}: {row.failed}" for row in done.failed),
            kept=f"In step: {well} of {counted(len(done.rows), 'worker')}.",
            advice=("When the cause is fixed, go on with: %envsync", *see),
        )
    return SyncResult(f"{cluster.kind} {cluster.name}", done.rows, cargo.left_out)


def compared(cluster: Cluster, cargo: Cargo) -> WorkersComparison:
    """Compare every worker with this kernel, and change nothing."""
    rows = compare(cluster, cargo)
    fitted = cargo.fitted(row.facts or None for row in rows)
    found = differences(fitted.order, worker.look(), rows)
    return WorkersComparison(f"{cluster.kind} {cluster.name}", rows, found, cargo.left_out)


def reached(records: Iterable[Record], session: Session) -> dict[str, Cluster]:
    """Return the clusters that records of syncs name, which are connected here.

    Raises:
        UsageError: One of them is not.
    """
    found: dict[str, Cluster] = {}
    for record in _syncs(records):
        name = record.context.cluster
        cluster = connected_to(name, session.variables(), by_address=not session.magic)
        if cluster is None:
            raise UsageError(
                f"{record.id} changed the workers of {name}, which is not connected here.",
                kept=NOTHING_CHANGED,
                advice="Connect to it first; or for this record alone: %envundo --record-only",
            )
        found[name] = cluster
    return found


def taken_back(
    records: Iterable[Record], clusters: Mapping[str, Cluster], session: Session
) -> list[str]:
    """Take syncs back on the workers of their clusters; return what cannot be, in sentences."""
    found: list[str] = []
    for record in _syncs(records):
        cluster = clusters[record.context.cluster]
        found += take_back(cluster, record, session.console, loaded(cluster, session))
    return found


def _syncs(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records of syncs that changed workers, the last first."""
    for record in reversed([*records]):
        if record.outcome and record.outcome.workers:
            yield record
