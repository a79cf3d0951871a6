"""The plan of a step, and its outcome."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Literal

from .environment import Environment
from .packages import Change, Package
from .request import Request

OutcomeStatus = Literal["ok", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command line, as arguments; no shell reads it."""

    argv: tuple[str, ...]
    #: variables set beside the inherited ones, not shown to the user
    environ: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()  #: variables that are not inherited

    def __str__(self) -> str:
        """Quoted so that pasting it after ``!`` does the same (credentials are masked)."""
        from .credentials import mask, mask_words

        return mask(shlex.join(mask_words(self.argv)))


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact commands and, if the manager knows it in advance, their change."""

    request: Request
    environment: Environment
    #: the program or library that does the work: "conda", "rattler", "uv", "pip", "apt-get"
    engine: str
    commands: tuple[Command, ...]  #: in order; empty if everything is already satisfied
    change: Change | None = None  #: the change; None if the manager does not know it in advance
    satisfied: tuple[Package, ...] = ()  #: the requested packages that are already installed
    notes: tuple[str, ...] = ()
    #: the manager's own data for carrying the plan out; not part of the record
    detail: object = field(default=None, compare=False, repr=False)

    @classmethod
    def of_nothing(
        cls,
        request: Request,
        environment: Environment,
        engine: str,
        satisfied: tuple[Package, ...],
    ) -> Plan:
        """Return the plan of a request that the installed packages serve already."""
        return cls(request, environment, engine, (), change=Change(), satisfied=satisfied)


@dataclass(frozen=True, slots=True)
class Swap:
    """One distribution that changed on a cluster's worker."""

    name: str  #: its normalised name
    old: str = ""  #: the version before; empty if it was not there
    new: str = ""  #: the version after; empty if it was removed
    #: the archive on that host that brings back what was there, as `workers` knows it
    back: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnWorker:
    """The changes on one worker of a cluster."""

    worker: str  #: its address or number
    host: str
    prefix: str
    swaps: tuple[Swap, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step, observed on disk."""

    status: OutcomeStatus
    exit_status: int
    seconds: float  #: its duration in wall-clock time
    #: package metadata after, less package metadata before
    change: Change = field(default_factory=Change)
    #: for each spec that names a package, the package that now serves it
    resolved: tuple[Package, ...] = ()
    message: str = ""  #: the manager's last lines, if it failed
    log: str = ""  #: the manager's output, as a terminal finally shows it, without colours
    workers: tuple[OnWorker, ...] = ()  #: what changed on a cluster's workers, if it was a sync
