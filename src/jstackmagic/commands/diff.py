"""Show what is here that the base image did not bring, and which of it the history explains.

Examples:
    %envdiff                  # the running kernel's environment, and the system's packages
    %envdiff --name other
    %envdiff --unexplained    # only what no record explains
    %envdiff --adopt          # record what no record explains
    %envdiff client           # a cluster's workers, compared with this kernel
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..display import Result
from ..model.ledger import Ledger
from ..model.managers import of_environment, of_system
from ..restore.drift import Drift, adopt, drift_of
from ..restore.homes import at_home
from ..session import Session
from ._drifts import Drifts
from ._options import flag, option
from ._shared import TargetOptions


@dataclass(frozen=True)
class Options(TargetOptions):
    """The environment to compare, besides the system, and the action to take."""

    cluster: str | None = option(
        nargs="?", metavar="CLUSTER", help="compare its workers, file by file; see %%envsync"
    )
    unexplained: bool = flag("--unexplained", help="only what no record explains")
    adopt: bool = flag(
        "--adopt", help="record what no record explains, so that the exports have it"
    )


def run(options: Options, session: Session) -> Result:
    """Compare every target with its beginning, and the system once; or workers with this."""
    if options.cluster is not None:
        from ._workers import compared, connected, loaded

        cluster = connected(options.cluster, session)
        return compared(cluster, loaded(cluster, session))
    from ..image.prove.brought import brought_here

    history = session.history
    image = cache(brought_here)  # asked once, and again the next time: its container changes
    environments = options.environments()
    places = [(each, of_environment()) for each in environments]
    places.append((environments[0], of_system()))

    def drifts() -> tuple[Drift, ...]:
        ledger = Ledger.of(at_home(history, "").records)
        return tuple(drift_of(*place, ledger, image) for place in places)

    found = drifts()
    if options.adopt:
        from ..capture.observe import requests_behind

        for drift in found:
            adopt(drift, history, session.context(), requests_behind)
        found = drifts()
    return Drifts(found, only_unexplained=options.unexplained, adopted=options.adopt)
