"""Archives kept in the home volume: with them a replay needs no network, and nothing is solved.

They are next to the history, in ``kept``, with a folder for each manager that can keep any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..display.console import Console
from ..history.file import History
from ..managers import get
from ..managers.goal import Goal
from ..managers.keep import Archives
from ..model.environment import Environment
from ..model.errors import CommandFailed
from ..model.managers import names, of_environment, of_system
from ..model.packages import ManagerName, Package, PackageSet, same
from ..model.request import Request
from ..where.metadata import read_packages


@dataclass(frozen=True)
class Taken:
    """The outcome of keeping packages."""

    files: tuple[Path, ...] = ()  #: the newly kept files
    #: a sentence for each package that cannot be kept, with the reason
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of these files."""
        return sum(file.stat().st_size for file in self.files)


class Store:
    """The packages that are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, history: History) -> Store:
        """Return the store next to a history."""
        return cls(history.path.parent / "kept")

    @cached_property
    def _archives(self) -> Mapping[ManagerName, Archives | None]:
        return {manager: get(manager).archives(self.folder) for manager in names()}

    def file_of(self, package: Package) -> Path | None:
        """Return the kept file of a package; None without one."""
        archives = self._archives[package.manager]
        return None if archives is None else archives.of(package)

    def serve(
        self, requests: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> list[Request] | None:
        """Return the same requests, using only kept files; None if they are not enough."""
        installs = [request for request in requests if request.action == "install"]
        others = [request for request in requests if request.action != "install"]
        archives = self._archives[installs[0].manager] if installs else None
        served = archives and archives.serve(installs, goal, here, environment)
        return [*others, served] if served else None

    @contextmanager
    def offered(self, environment: Environment) -> Iterator[None]:
        """Let the managers find the kept files, if they can."""
        with ExitStack() as stack:
            for archives in filter(None, self._archives.values()):
                stack.enter_context(archives.offered(environment))
            yield

    def take(self, goal: Goal, environment: Environment, console: Console) -> Taken:
        """Keep the installed packages of a history in one place; files already kept are left alone.

        Raises:
            OSError: The folder cannot be written to.
        """
        managers = of_system() if goal.ref is None else of_environment()
        here = read_packages(environment, managers)
        files: list[Path] = []
        left_out: list[str] = []
        for manager in managers:
            there = [
                package
                for key, package in goal.there.items()
                if package.manager == manager and same(here.by_key.get(key), package)
            ]
            archives = self._archives[manager]
            if archives is None:
                left_out += [f"{manager} has no archives to keep."] if there else []
                continue
            new = [package for package in there if archives.of(package) is None]
            reasons = {package: archives.why_not(package, goal) for package in new}
            left_out += filter(None, reasons.values())
            wanted = [package for package, reason in reasons.items() if not reason]
            if not wanted:
                continue
            console.say(f"Keeping {', '.join(package.name for package in wanted)}.")
            try:
                files += archives.keep(wanted, goal, environment)
            except CommandFailed as error:
                left_out.append(f"Not all could be kept: {error.problem}")
        return Taken(tuple(files), tuple(dict.fromkeys(left_out)))
