"""Archives kept in the home volume, as a manager sees them: see `Manager.archives`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..model.environment import Environment
    from ..model.packages import Package, PackageSet
    from ..model.request import Request
    from .goal import Goal


class Archives(Protocol):
    """The kept archives of one manager, in a folder of their own."""

    def of(self, package: Package) -> Path | None:
        """Return what is kept of a package: of its version and, if known, its hash."""

    def why_not(self, package: Package, goal: Goal) -> str:
        """Return why a package cannot be kept, a sentence; empty if it can."""
        return ""

    def keep(
        self, packages: Sequence[Package], goal: Goal, environment: Environment
    ) -> Iterable[Path]:
        """Keep the archives of packages that are there, and return them.

        Args:
            packages: What to keep; at least one.
            goal: What the history says of the place.
            environment: The place.

        Raises:
            CommandFailed: They cannot be kept.
            OSError: The folder cannot be written to.
        """

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        """Return installs as one that does with what is kept; None if that is not enough.

        Args:
            installs: Of this manager, the exact packages there were; at least one.
            goal: What they come from.
            here: What is there now.
            environment: Where.
        """

    def offered(self, environment: Environment) -> AbstractContextManager[None]:
        """Have the manager find what is kept by itself as long as this lasts, where it can."""
        return nullcontext()
