"""Show which environment this kernel runs in, what governs it, and what can be done here.

Examples:
    %envinfo                       # the running kernel's environment
    %envinfo --kernel ir           # the environment of another kernelspec
    %envinfo --name other
    %envinfo --all-kernels
    %envinfo --packages pymongo --name root     # conda list --name root | grep pymongo
"""

from __future__ import annotations

from dataclasses import dataclass

from ..history.replays import status
from ..install.unfinished import half_done
from ..managers import workers
from ..session import Session
from ..where.host import look
from ._info import Info
from ._options import option
from ._packages import Packages, packages_in
from ._shared import TargetOptions


@dataclass(frozen=True)
class Options(TargetOptions):
    """The environment to show."""

    packages: str | None = option(
        "--packages",
        nargs="?",
        const="",
        metavar="PATTERN",
        help="list what is installed, or what is called so, as conda list does",
    )


def run(options: Options, session: Session) -> Info | Packages:
    """Look at every target."""
    environments, engines = options.environments(), session.policy.engines
    if options.packages is not None:
        return packages_in(environments, options.packages)
    return Info(
        environments=environments,
        half_done=tuple(map(half_done, environments)),
        system_half_done=half_done(environments[0], system=True) if environments else (),
        host=look(),
        replay=status(session.history.path),
        engines=tuple(tuple(workers(each, engines)) for each in environments),
        notes=options.not_reached(),
    )
