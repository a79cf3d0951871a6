"""conda packages without conda: py-rattler solves and links in this process.

Needs py-rattler 0.28 or newer (``PackageCache``, ``RepoDataRecord.from_package_archive``).
"""

from __future__ import annotations

from dataclasses import replace

from ....display.console import Console
from ....model.buildvariables import FOR_A_SOLVER, overrides
from ....model.environment import Environment
from ....model.errors import Interrupted, Stopped
from ....model.plan import Plan
from ....model.request import Request
from ... import Engine
from ..present import Installed, check_installed, check_records
from ..spec import read_specs
from . import journal, loop, planning, running
from .asking import available as available
from .asking import on_platform as on_platform
from .honours import unhonoured as unhonoured
from .loop import Wire
from .running import repair as repair

_ENGINE = "rattler"


def manager(*, console: Console | None = None, before: str = "") -> Rattler:
    """Return the engine in this process; see `Rattler`."""
    return Rattler(console, before)


class Rattler(Engine):
    """Plans and changes in this process; its plans always say what would change."""

    shows_progress = True

    def __init__(self, console: Console | None = None, before: str = "") -> None:
        self._console = console
        self._before = before

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Solve, and return the change."""
        _check_options(request)
        journal.check(environment.prefix)
        check_records(environment.prefix)
        specs = read_specs(request)
        installed = Installed(environment)
        if request.action == "remove":
            check_installed(specs, installed)
        elif not request.upgrade and all(map(installed.serves, specs)):
            present = self.resolved(request, environment)
            return Plan.of_nothing(request, environment, _ENGINE, present)
        plan = loop.run(
            lambda wire: planning.plan(
                request, environment, specs, _ENGINE, wire, before=self._before
            ),
            self._console,
        )
        if plan.commands:
            return plan
        return replace(plan, satisfied=self.resolved(request, environment))

    def run(self, plan: Plan, console: Console) -> int:
        """Fetch, link, and leave the prefix as conda would have left it."""
        wires: list[Wire] = []

        async def work(wire: Wire) -> int:
            wires.append(wire)
            return await running.carry_out(plan, wire)

        status = loop.run(work, console)
        if wires[0].interrupted:
            raise Interrupted(
                "Interrupted when the packages were being linked already.",
                kept="The change was carried out whole.",
            )
        return status


_FORCE = ("--force", "--force-remove")
"""conda's words for removing what is named and nothing else."""


def unserved(request: Request) -> tuple[str, ...]:
    """Return the options and variables of a request that are for a conda executable alone."""
    known = _FORCE if request.action == "remove" else ()
    variables = (
        each
        for each in request.sources.variables
        if each not in overrides() and not FOR_A_SOLVER.fullmatch(each.partition("=")[0])
    )
    return tuple(each for each in (*request.options, *variables) if each not in known)


def _check_options(request: Request) -> None:
    options = unserved(request)
    if options:
        raise Stopped(
            f"{' '.join(options)} is for a conda executable, and py-rattler does the work here.",
            advice="Leave out what follows the two dashes, or let an executable do it: "
            "--engine conda",
        )
