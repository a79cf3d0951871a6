"""conda packages without conda: py-rattler solves and links in this process.

Needs py-rattler 0.28 or newer (``PackageCache``, ``RepoDataRecord.from_package_archive``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.errors import NOTHING_CHANGED, Interrupted, Stopped
from ....model.plan import Plan
from ... import Engine
from ..spec import Installed, check_installed, read_specs, resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ....display.console import Console
    from ....model.environment import Environment
    from ....model.packages import CondaDetail, Package
    from ....model.request import Request
    from .engine import Wire

_ENGINE = "rattler"


def manager(*, thorough: bool = False, console: Console | None = None) -> Rattler:  # noqa: ARG001
    """Return the engine in this process; its plans always say what would change."""
    return Rattler(console)


class Rattler(Engine):
    """Plans and changes in this process.

    Args:
        console: Shows the progress.
    """

    shows_progress = True

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Solve, and return the change.

        Raises:
            InvalidSpec: A spec is neither a match spec nor a package archive.
            Stopped: An earlier change of the environment was interrupted and must be finished, or
                options are given that only an executable takes.
            CommandFailed: There is no solution: no such package, a conflict, no network.
            Interrupted: The user interrupted it; nothing was changed.
        """
        from . import engine, journal, planning

        _check_options(request)
        journal.check(environment.prefix)
        specs = read_specs(request)
        installed = Installed(environment)
        if request.action == "remove":
            check_installed(specs, installed)
        elif not request.upgrade and all(map(installed.serves, specs)):
            return Plan(
                request=request,
                environment=environment,
                engine=_ENGINE,
                commands=(),
                satisfied=resolved(request, environment),
            )
        return engine.run(
            lambda wire: planning.plan(request, environment, specs, _ENGINE, wire), self._console
        )

    def run(self, plan: Plan, console: Console) -> int:
        """Fetch, link, and leave the prefix as conda would have left it.

        Returns:
            0, or 1 if a package's link script failed.

        Raises:
            CommandFailed: A package cannot be fetched or linked, or the environment changed since
                it was planned.
            Interrupted: The user interrupted it; the error says whether the change was made.
        """
        from . import engine, running

        wires: list[Wire] = []

        async def work(wire: Wire) -> int:
            wires.append(wire)
            return await running.carry_out(plan, wire)

        status = engine.run(work, console)
        if wires[0].interrupted:
            raise Interrupted(
                "Interrupted when the packages were being linked already.",
                kept="The change was carried out whole.",
            )
        return status

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        """For each spec, the conda package that serves it now."""
        return resolved(request, environment)


_FORCE = ("--force", "--force-remove")
"""conda's words for removing what is named and nothing else."""


def unserved(request: Request) -> tuple[str, ...]:
    """Return the options of a request that are for a conda executable alone."""
    known = _FORCE if request.action == "remove" else ()
    return tuple(option for option in request.options if option not in known)


def _check_options(request: Request) -> None:
    options = unserved(request)
    if options:
        raise Stopped(
            f"{' '.join(options)} is for a conda executable, and py-rattler does the work here.",
            kept=NOTHING_CHANGED,
            advice="Leave out what follows the two dashes, or let an executable do it: "
            "--engine conda",
        )


def available(
    specs: Sequence[str],
    environment: Environment,
    channels: Sequence[str] = (),
    console: Console | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the versions of packages that the channels have.

    Args:
        specs: Match specs; an invalid one has no versions.
        environment: The environment whose channels to ask.
        channels: More channels, asked first.
        console: Shows the progress.

    Returns:
        For each spec the few newest versions that match it; empty if none does.

    Raises:
        CommandFailed: The channels cannot be read.
        Interrupted: The user interrupted it.
    """
    from . import asking, engine

    return engine.run(lambda wire: asking.available(specs, environment, channels, wire), console)


def on_platform(
    platform: str, specs: Sequence[str], environment: Environment, channels: Sequence[str] = ()
) -> tuple[tuple[Package, ...], tuple[CondaDetail, ...]]:
    """Return what an environment with some specs would hold on another platform.

    Args:
        platform: conda's name of it, such as ``osx-arm64``.
        specs: Match specs.
        environment: Whose channels to ask.
        channels: More of them, asked before those.

    Raises:
        InvalidSpec: One is not a match spec.
        CommandFailed: There is no such platform or environment, or the channels cannot be read.
        Interrupted: The user interrupted it.
    """
    from . import elsewhere, engine

    return engine.run(lambda _: elsewhere.solve_for(platform, specs, environment, channels))


def repair(environment: Environment, console: Console, *, drop: bool = False) -> bool | None:
    """Finish an interrupted change of an environment.

    Args:
        environment: The environment.
        console: Shows the output of the work.
        drop: Give up what cannot be finished, and report the state of the environment.

    Returns:
        Whether there was one; None if it was dropped.

    Raises:
        CommandFailed: A package cannot be fetched again or linked.
        Interrupted: The user interrupted it before a file was changed.
    """
    from . import engine, journal, running

    if journal.read(environment.prefix) is None:
        return False
    return engine.run(lambda wire: running.repair(environment, wire, drop=drop), console)


def unhonoured(environment: Environment) -> tuple[str, ...]:
    """Return settings of an environment that conda obeys and this engine does not, to show them.

    Empty if this engine does all that conda would.
    """
    from . import honours

    return honours.unhonoured(environment)
