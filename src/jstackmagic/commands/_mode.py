"""The ways to go about a change, which install, remove, undo and replay share."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.engines import NAMES
from ._options import flag, option


@dataclass(frozen=True)
class Rehearsal:
    """Ways to go about a change that every change has."""

    dry_run: bool = flag("--dry-run", help="show the plan and do nothing")
    force: bool = flag("--force", help="go on where a guard would stop")
    yes: bool = flag("-y", "--yes", help="accepted, and without effect: nothing here asks")


@dataclass(frozen=True)
class Single(Rehearsal):
    """Ways to go about an install, a removal or an undo."""

    record_only: bool = flag(
        "--record-only",
        help="only record it, so that it reaches the Dockerfile",
    )
    engine: tuple[str, ...] = option(
        "--engine",
        action="append",
        choices=NAMES,
        metavar="NAME",
        help=f"the engine: {', '.join(NAMES)}; may be given for conda and for pip",
    )
    quiet: bool = flag("-q", "--quiet", help="show the result alone, not the progress")


@dataclass(frozen=True)
class Several(Single):
    """Ways to go about several steps that belong together."""

    keep_going: bool = flag(
        "--keep-going", help="keep the steps before one that fails, which are otherwise undone"
    )
    workers: bool = flag("--workers", help="also on the workers of the connected cluster")
    cluster: str | None = option(
        "--cluster", metavar="NAME", help="the variable that holds it, where there are several"
    )
