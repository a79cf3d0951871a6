"""Bring a cluster's workers to what this kernel's environment has beyond its image.

Examples:
    %envsync                   # the one cluster that this notebook is connected to
    %envsync client            # a variable: a Dask or ipyparallel Client, a SparkSession; or ray
    %envsync --dry-run         # what each worker lacks
    %envsync --prove           # then compare every worker with this kernel, file by file
    %envsync --via index       # each worker asks its own index, and gets the same builds or nothing
    %envsync --force           # put back what was changed on a worker
"""

from __future__ import annotations

from dataclasses import dataclass

from ..display import Result
from ..model.errors import UsageError
from ..session import Session
from ._mode import Rehearsal
from ._options import flag, option
from ._synced import SyncResult
from ._workers import compared, connected, loaded, synced


@dataclass(frozen=True)
class Options(Rehearsal):
    """The cluster, and how what is sent gets there."""

    cluster: str | None = option(
        nargs="?", metavar="CLUSTER", help="a variable; in a terminal, an address such as tcp://…"
    )
    via: str = option(
        "--via",
        choices=("cluster", "index"),
        default="cluster",
        help="send the archives (cluster, the default), or have each worker ask its index",
    )
    prove: bool = flag("--prove", help="compare afterwards; exit status 1 where a worker differs")


def run(options: Options, session: Session) -> Result:
    """Bring every worker in step, or say what that would take."""
    if options.dry_run and options.prove:
        raise UsageError("--prove compares afterwards, and --dry-run sends nothing.")
    cluster = connected(options.cluster, session)
    cargo = loaded(cluster, session, options.via, again=options.force)
    if options.dry_run:
        from ..workers.sync import sync

        found = sync(cluster, cargo, session.console, dry_run=True)
        return SyncResult(f"{cluster.kind} {cluster.name}", found.rows, cargo.left_out)
    verb = "%envsync" if session.magic else "jstackmagic sync"
    result = synced(cluster, cargo, session, f"{verb} {options.cluster or ''}".strip())
    return compared(cluster, cargo) if options.prove else result
