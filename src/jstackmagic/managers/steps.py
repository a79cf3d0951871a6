"""One step of a line: the request to a manager, its plan, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..model.environment import Environment
from ..model.plan import Outcome, Plan
from ..model.record import Record
from ..model.request import Request
from . import Choice, Engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..display.console import Console


@dataclass(frozen=True, slots=True)
class Step:
    """One request in one environment.

    Attributes:
        request: The request to the manager.
        environment: Its environment.
        undoes: The id of the record that this undoes.
        asked: The recorded request, if the manager gets a more exact one.
        over_conda: The distributions that pip may put over conda's.
        choice: The engine that does it; None until the transaction takes the step.
    """

    request: Request
    environment: Environment
    undoes: str = ""
    asked: Request | None = None
    over_conda: frozenset[str] = frozenset()
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One step and its plan.

    Attributes:
        step: The step.
        plan: The manager's plan.
        engine: The engine that runs it; None if only a record is written.
        waits: Whether its outcome is known only after an earlier step.
    """

    step: Step
    plan: Plan
    engine: Engine | None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """A module this process has loaded from files that the install changed.

    Attributes:
        module: Its name as imported.
        package: The package that it was loaded from.
        old: The package's version when the module was loaded.
        new: Its version on disk; empty if it was removed.
    """

    module: str
    package: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Done:
    """One step as it went.

    Attributes:
        plan: The plan.
        record: Its record; None for a dry run, or if the history has it already.
        outcome: What happened; None if nothing was run.
        stale: Loaded modules that need a restart of the kernel.
        running: Whether the step served the environment this process runs in.
        notes: Sentences the user should read.
    """

    plan: Plan
    record: Record | None = None
    outcome: Outcome | None = None
    stale: tuple[Stale, ...] = ()
    running: bool = False
    notes: tuple[str, ...] = ()


class Carrier(Protocol):
    """Carries steps out and records them: what undo and replay need of an install.

    Attributes:
        console: Where the managers' own words go.
    """

    console: Console

    def settle(self, place: str) -> bool:
        """Remove what an interrupted change left half done, and end its record.

        Args:
            place: A prefix; empty for the system.

        Returns:
            True where there was such a change.

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
