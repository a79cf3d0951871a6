"""The package managers: one module each, all of one shape."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ..io.log import Output
    from ..model.environment import Environment
    from ..model.packages import Change, Package
    from ..model.plan import Plan
    from ..model.request import Request
    from .choice import Choice

_ENGINES = {
    "conda": ".conda.executable",
    "rattler": ".conda.rattler",
    "pip": ".pip.executable",
    "uv": ".pip.uv.engine",
    "apt": ".apt.engine",
}


class Manager(Protocol):
    """What a package manager must be able to do."""

    def check(self, request: Request, environment: Environment) -> None:
        """Refuse specs that this manager could not read; nothing else is looked at.

        Raises:
            InvalidSpec: A spec is none of its.
        """

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Say exactly what would be run, and what it would change, and touch nothing.

        Raises:
            InvalidSpec: A spec is none this manager can read.
            Stopped: It cannot be done here; the error says what to do instead.
            CommandFailed: The manager was asked for its plan and refused (no such package,
                a conflict).
        """

    def run(self, plan: Plan, output: Output) -> int:
        """Carry the plan out and return the exit status (0 is success).

        Raises:
            CommandFailed: There is no such program, or it found out only now that there is no way.
            Interrupted: The user interrupted it; says what state things are in.
        """

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        """For each spec that names a package, the package that serves it now, read from disk."""

    def explain(self, plan: Plan, change: Change) -> Change:  # noqa: ARG002
        """Add to an observed change what only the manager knows: where a package came from."""
        return change

    def advise(self, plan: Plan, change: Change) -> tuple[str, ...]:  # noqa: ARG002
        """Sentences the user should read after a change."""
        return ()


def get(
    choice: Choice, *, thorough: bool = False, exact: bool = False, output: Output | None = None
) -> Manager:
    """The manager that does the work of a choice.

    Args:
        choice: As `_choice.choose` gives it.
        thorough: Whether its plan must tell what would change, at the price of a dry run.
        exact: Whether it must tell also which archives that takes.
        output: Where the progress of planning goes, of a manager that can tell it.
    """
    module = import_module(_ENGINES[choice.engine], __name__)
    if choice.engine == "rattler":
        return cast("Manager", module.manager(output=output))
    if choice.engine == "uv":
        return cast("Manager", module.manager(thorough=exact, strict=choice.asked))
    return cast("Manager", module.manager(thorough=thorough))
