"""A sync as the verbs carry it out: sync itself, install, remove, undo and diff."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..model.errors import NOTHING_CHANGED, CommandFailed, UsageError
from ..model.text import counted
from ._synced import Comparison, SyncResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..model.record import Record
    from ..session import Session
    from ..workers.cargo import Cargo
    from ..workers.cluster import Cluster


def connected(named: str | None, session: Session) -> Cluster:
    """Return the cluster that is meant.

    Raises:
        UsageError: There is no cluster, or there are several and none is named.
    """
    from ..workers.cluster import find

    return find(named or "", session.variables())


def loaded(cluster: Cluster, session: Session, via: str = "cluster", **more: Any) -> Cargo:
    """Return what this kernel's environment has for a cluster; `more` is put into the order."""
    from ..where.environment import detect
    from ..workers.cargo import load

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
    from ..where.environment import detect
    from ..workers.sync import on_record

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


def compared(cluster: Cluster, cargo: Cargo) -> Comparison:
    """Compare every worker with this kernel, and change nothing."""
    from ..workers import worker
    from ..workers.sync import compare, differences

    rows = compare(cluster, cargo)
    found = differences(cargo.order, worker.look(), rows)
    return Comparison(f"{cluster.kind} {cluster.name}", rows, found, cargo.left_out)


def reached(records: Iterable[Record], session: Session) -> dict[str, Cluster]:
    """Return the clusters that records of syncs name, which are connected here.

    Raises:
        UsageError: One of them is not.
    """
    from ..workers.cluster import connected_to

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
    from ..workers.sync import take_back

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
