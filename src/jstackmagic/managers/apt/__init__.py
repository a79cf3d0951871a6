"""Debian packages, of the whole system: with apt-get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import Choice, Engine, Manager

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...display.console import Console
    from ...model.environment import Environment
    from ...model.ledger import Origins
    from ...model.packages import Package, PackageSet
    from ...model.plan import Command
    from ...model.recipe import Step
    from ...model.request import Request
    from .. import Spelling, View
    from ..goal import Exactness, Goal, Wish
    from ..page import Page


class Apt(Manager):
    """The manager of Debian packages."""

    name = "apt"

    def check(self, request: Request, environment: Environment) -> None:  # noqa: ARG002
        """Refuse what apt-get could not read, or would read as something else."""
        from .engine import check_specs

        check_specs(request)

    def view(self, environment: Environment, files: Sequence[str] = ()) -> View | None:  # noqa: ARG002
        """Ask ``dpkg-query``."""
        import shutil

        from ...io import process
        from ...model.errors import CommandFailed
        from ...model.plan import Command
        from .. import View

        program = shutil.which("dpkg-query")
        if program is None:
            return None
        form = "${db:Status-Status}\\t${binary:Package}\\t${Version}\\n"
        done = process.capture(Command((program, "--show", f"--showformat={form}")), timeout=60)
        if done.exit_status != 0:
            raise CommandFailed(f"dpkg-query: {done.stderr.strip()}")
        rows = (line.split("\t") for line in done.stdout.splitlines())
        return View({row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"})

    def check_target(self, request: Request, environment: Environment) -> None:
        """Refuse nothing: the rights are a matter of the plan."""

    def engine(
        self,
        choice: Choice,  # noqa: ARG002
        *,
        thorough: bool = False,  # noqa: ARG002
        exact: bool = False,  # noqa: ARG002
        console: Console | None = None,  # noqa: ARG002
    ) -> Engine:
        """Return apt-get."""
        from .engine import manager

        return manager()

    def command(self, request: Request, environment: Environment) -> Command:  # noqa: ARG002
        """Return apt-get's command line of an install."""
        from .engine import install_command

        return install_command(request)

    def bring_back(
        self,
        packages: Sequence[Package],
        origins: Origins,
        spelling: Spelling,  # noqa: ARG002
    ) -> list[Request]:
        """Return the requests for the very packages there were."""
        from .restore import bring_back

        return list(bring_back(packages, origins))

    def bring(self, goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
        """Return the installs that make a place what the history wants."""
        from .restore import bring

        return list(bring(goal, here, exactness))

    def write(self, step: Step, page: Page) -> None:
        """Write a step in a Dockerfile or a script."""
        from .dockerfile import write

        write(step, page)

    def mark(
        self,
        there: Iterable[Package],
        wanted: Mapping[str, Wish],
        environment: Environment,  # noqa: ARG002
    ) -> None:
        """Mark as manual or automatic, with apt-mark."""
        from .engine import mark

        mark(there, wanted)


MANAGER = Apt()
