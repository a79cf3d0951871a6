"""Archives kept in the home volume, as a manager sees them: see `Manager.archives`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from ..model.environment import Environment
from ..model.packages import Package, PackageSet
from ..model.request import Request
from .goal import Goal


class Archives(Protocol):
    """The kept archives of one manager, in a folder of their own."""

    folder: Path

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, package: Package) -> Path | None:
        """Return the kept archive of a package, with its version and, if known, its hash."""

    def why_not(self, package: Package, goal: Goal) -> str:
        """Return why a package cannot be kept, a sentence; empty if it can."""
        return ""

    def keep(
        self, packages: Sequence[Package], goal: Goal, environment: Environment
    ) -> Iterable[Path]:
        """Keep the archives of installed packages, and return them.

        Raises:
            CommandFailed: They cannot be kept.
            OSError: The folder cannot be written to.
        """

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        """Return installs as one request that uses only kept files; None if they are not enough."""

    def offered(self, environment: Environment) -> AbstractContextManager[None]:
        """Let the manager itself find the kept files inside this context, if it can."""
        return nullcontext()
