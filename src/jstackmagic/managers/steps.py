"""One step of a line: the request to a manager, its plan, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..display.console import Console
from ..model.environment import Environment
from ..model.plan import Outcome, Plan
from ..model.record import Record
from ..model.request import Request
from . import Choice, Engine


@dataclass(frozen=True, slots=True)
class Step:
    """One request in one environment."""

    request: Request
    environment: Environment
    undoes: str = ""  #: the id of the record that this undoes
    asked: Request | None = None  #: the recorded request, if the manager gets a more exact one
    over_conda: frozenset[str] = frozenset()  #: the distributions that pip may put over conda's
    #: the engine that does it; None until the transaction takes the step
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One step and its plan."""

    step: Step
    plan: Plan
    engine: Engine | None  #: the engine that runs it; None if only a record is written
    waits: bool = False  #: whether its outcome is known only after an earlier step


@dataclass(frozen=True, slots=True)
class Stale:
    """A module this process has loaded from files that the install changed."""

    module: str  #: its name as imported
    package: str  #: the package that it was loaded from
    old: str  #: the package's version when the module was loaded
    new: str  #: its version on disk; empty if it was removed


@dataclass(frozen=True, slots=True)
class Done:
    """One step as it went."""

    plan: Plan
    #: its record; None for a dry run, or if the history has it already
    record: Record | None = None
    outcome: Outcome | None = None  #: what happened; None if nothing was run
    stale: tuple[Stale, ...] = ()  #: loaded modules that need a restart of the kernel
    running: bool = False  #: whether the step served the environment this process runs in
    notes: tuple[str, ...] = ()


class Carrier(Protocol):
    """Carries steps out and records them: what undo and replay need of an install."""

    console: Console

    def settle(self, place: str) -> tuple[str, ...]:
        """Remove what an interrupted change left half done, and end its record.

        In a dry run it only says so.

        Args:
            place: A prefix; empty for the system.

        Returns:
            The ids of the records of such changes.

        Raises:
            CommandFailed: It cannot be removed.
        """

    def guard(self, plan: Plan) -> None:
        """Stop what would do harm, before its manager is asked.

        Raises:
            Stopped: It would.
        """

    def plan(self, steps: Sequence[Step]) -> list[Planned]:
        """Ask the managers what each step comes to; nothing is touched, and nothing recorded.

        Raises:
            Stopped: A guard stopped it.
            CommandFailed: A manager finds no way.
        """

    def run(self, planned: Sequence[Planned]) -> list[Done]:
        """Carry out plans as one transaction; nothing in a dry run.

        Raises:
            CommandFailed: A manager failed; later steps were not begun.
            Interrupted: The user interrupted it.
        """
