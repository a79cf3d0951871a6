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
    """One command line, as arguments; no shell reads it.

    Attributes:
        argv: The program and its arguments.
        environ: Variables set beside the inherited ones, not shown to the user.
        without: Variables that are not inherited.
    """

    argv: tuple[str, ...]
    environ: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Quoted so that pasting it after ``!`` does the same (credentials are masked)."""
        from .credentials import mask, mask_words

        return mask(shlex.join(mask_words(self.argv)))


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact commands and, if the manager knows it in advance, their change.

    Attributes:
        request: The request.
        environment: Its environment.
        engine: The program or library that does the work: "conda", "rattler", "uv", "pip",
            "apt-get".
        commands: In order; empty if everything is already satisfied.
        change: The change; None if the manager does not know it in advance.
        satisfied: The requested packages that are already installed.
        notes: Sentences the user should read.
        detail: The manager's own data for carrying the plan out; not part of the record.
    """

    request: Request
    environment: Environment
    engine: str
    commands: tuple[Command, ...]
    change: Change | None = None
    satisfied: tuple[Package, ...] = ()
    notes: tuple[str, ...] = ()
    detail: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Swap:
    """One distribution that changed on a cluster's worker.

    Attributes:
        name: Its normalised name.
        old: The version before; empty if it was not there.
        new: The version after; empty if it was removed.
        back: The archive on that host that brings back what was there, as `workers` knows it.
    """

    name: str
    old: str = ""
    new: str = ""
    back: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OnWorker:
    """The changes on one worker of a cluster.

    Attributes:
        worker: Its address or number.
        host: Its host.
        prefix: Its environment there.
        swaps: The changes.
    """

    worker: str
    host: str
    prefix: str
    swaps: tuple[Swap, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step, observed on disk.

    Attributes:
        status: How it ended.
        exit_status: The manager's own exit status.
        seconds: Its duration in wall-clock time.
        change: Package metadata after, less package metadata before.
        resolved: For each spec that names a package, the package that now serves it.
        message: The manager's last lines, if it failed.
        log: The manager's output, as a terminal finally shows it, without colours.
        workers: What changed on a cluster's workers, if it was a sync.
    """

    status: OutcomeStatus
    exit_status: int
    seconds: float
    change: Change = field(default_factory=Change)
    resolved: tuple[Package, ...] = ()
    message: str = ""
    log: str = ""
    workers: tuple[OnWorker, ...] = ()
