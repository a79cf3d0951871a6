"""The package managers: a folder each, of one shape, named in one list (``model/managers.py``).

A `Manager` knows its specs, its marks and its words; an `Engine` of it does the work. The engine is
chosen once, when a step is made, and travels with the step as a `Choice`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from ..model import managers as listed
from ..model.environment import Environment
from ..model.errors import Stopped
from ..model.packages import ManagerName
from ..model.wanted import Wanted, plain_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ..display.console import Console
    from ..model.engines import Engines
    from ..model.environment import EnvironmentRef
    from ..model.ledger import Origins
    from ..model.packages import Change, Package, PackageSet
    from ..model.plan import Command, Plan
    from ..model.policy import Policy
    from ..model.recipe import Step
    from ..model.request import Request
    from ..model.sources import Sources
    from .goal import Exactness, Goal, Wish
    from .keep import Archives
    from .page import Making, Page


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and the reason for it.

    Attributes:
        manager: Whose work it does.
        engine: The manager's own name for it: "conda", "rattler", "uv", "pip", "apt".
        environment: The one asked for, governed by the executable that was asked for.
        why: For people, a part of a sentence; empty if there is no choice.
        asked: Whether the user named it, so that no other may step in.
        called: What people call it, where that is another name.
    """

    manager: ManagerName
    engine: str
    environment: Environment
    why: str = ""
    asked: bool = False
    called: str = ""

    @property
    def name(self) -> str:
        """Return what people call it: the executable's own name, where it is one."""
        return self.called or self.engine


Spelling = Literal["channel", "archive"]
"""The form of an exact spec: by its channel's solver, or by its archive's address."""


@dataclass(frozen=True, slots=True)
class View:
    """The installed packages by the manager's own account.

    Attributes:
        versions: The versions by name.
        hashes: The SHA-256 of the requested local archives, by path.
    """

    versions: Mapping[str, str]
    hashes: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A program or library that does a manager's work."""

    shows_progress: ClassVar[bool] = False
    """Whether planning shows its progress."""

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Return exactly what would be run, and what it would change; touch nothing.

        Raises:
            InvalidSpec: This manager cannot read a spec.
            Stopped: It cannot be done here; the error says what to do instead.
            CommandFailed: The manager was asked for its plan and refused (no such package,
                a conflict).
        """

    def run(self, plan: Plan, console: Console) -> int:
        """Carry the plan out and return the exit status (0 is success).

        Raises:
            CommandFailed: The program is missing, or found out only now that there is no way.
            Interrupted: The user interrupted it; says what state things are in.
        """

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        """Return, for each spec that names a package, the one that serves it now, from disk."""

    def explain(self, plan: Plan, change: Change) -> Change:
        """Add to an observed change what only the engine knows: where a package came from."""
        return change

    def advise(self, plan: Plan, change: Change) -> tuple[str, ...]:
        """Return sentences that the user should read after a change."""
        return ()


class Manager(Protocol):
    """A package manager: the one value ``MANAGER`` of its folder."""

    name: ManagerName

    # Asking

    def check(self, request: Request, environment: Environment) -> None:
        """Refuse specs that this manager could not read; check nothing else.

        Raises:
            InvalidSpec: A spec is not one of this manager.
        """

    def wanted(self, request: Request, environment: Environment) -> Wanted:
        """Return what an install comes to, for the policy: lists, archives and options are read."""
        found = Wanted(names=[(spec.name, "") for spec in request.specs])
        found.beyond += [(word, "") for word in request.options]
        return found

    def places(self, sources: Sources, environment: Environment) -> Iterable[str]:
        """Return where sources lead, as the places of `wanted` are spelled."""
        return map(plain_place, filter(None, (sources.index_url, *sources.extra_index_urls)))

    def works_in(self, environment: Environment) -> bool:
        """Return whether it can install into an environment of this kind."""
        return True

    def known(self, name: str, environment: Environment) -> Iterable[str]:
        """Return names of packages that can be had there, for Tab: from this disk, at once.

        Args:
            name: What they begin with; others may be among them.
            environment: Where.
        """
        return ()

    def check_target(self, request: Request, environment: Environment) -> None:
        """Refuse an environment that this manager cannot or should not change.

        Raises:
            Stopped: Says why, and what to do instead.
        """

    def choose(
        self, environment: Environment, wanted: str = "auto", request: Request | None = None
    ) -> Choice:
        """Choose the engine for a request; without one, for any plain request.

        Args:
            environment: Where.
            wanted: The user's choice; "auto" leaves it to the manager.
            request: What is asked.

        Raises:
            Stopped: The engine that the user named is not available.
        """
        return Choice(self.name, self.name, environment)

    def engine(
        self,
        choice: Choice,
        *,
        thorough: bool = False,
        exact: bool = False,
        console: Console | None = None,
    ) -> Engine:
        """Return the engine of a choice.

        Args:
            choice: As `choose` gives it.
            thorough: Whether its plan must say what would change, at the price of a dry run.
            exact: Whether it must also say which archives that takes.
            console: Where the progress of planning goes.
        """

    def repair(
        self, environment: Environment, console: Console, *, drop: bool = False
    ) -> bool | None:
        """Finish an install that was cut off; return whether one was, None if that cannot be known.

        Args:
            environment: Where.
            console: Where the words of the work go.
            drop: Forget what cannot be finished, and say how that leaves the environment.

        Raises:
            CommandFailed: It cannot be finished.
        """
        return None

    def effective(self, request: Request, environment: Environment) -> Request:
        """Return the request with the settings that held for it and that no image has."""
        return request

    def command(self, request: Request, environment: Environment) -> Command:
        """Return the command line to show for a request before it can be planned."""

    def lacks(self, choice: Choice) -> str:
        """Return the package that the engine runs on and the environment lacks; usually none."""
        return ""

    def view(self, environment: Environment, files: Sequence[str] = ()) -> View | None:
        """Ask the manager itself what an environment holds; None if it cannot be asked.

        Args:
            environment: Where.
            files: Local archives to hash.

        Raises:
            CommandFailed: It does not answer.
        """
        return None

    # A change that was cut off; see install/unfinished.py

    def note(self, plan: Plan) -> Mapping[str, tuple[str, ...]]:
        """Return what will tell what a change left over, if it is cut off; cheap."""
        return {}

    def half_done(
        self,
        environment: Environment,
        marks: Mapping[str, tuple[str, ...]],
        since: int,
    ) -> tuple[str, ...]:
        """Return what a change that was cut off left half done, a sentence each.

        Args:
            environment: Where.
            marks: As `note` gave them.
            since: When the change began, in nanoseconds of the file system's clock.
        """
        return ()

    def finish(
        self,
        environment: Environment,
        marks: Mapping[str, tuple[str, ...]],
        since: int,
        console: Console,
    ) -> None:
        """Finish what is half done, or take it away, so that the same can be asked again.

        Raises:
            CommandFailed: It cannot be.
        """
        self.repair(environment, console)

    # What was there

    def bring_back(
        self, packages: Sequence[Package], origins: Origins, spelling: Spelling
    ) -> list[Request]:
        """Return the requests for very packages that are to come back, and for nothing else.

        Args:
            packages: This manager's, as they were; at least one.
            origins: Where the history says that packages came from.
            spelling: How to ask for them, where the manager has more than one way.
        """

    def bring(self, goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
        """Return the installs that make a place what the history wants; none if all is there.

        Args:
            goal: What the history wants.
            here: What is there now.
            exactness: How exactly.
        """

    def archives(self, kept: Path) -> Archives | None:
        """Return what is kept of its packages for a replay with no network; None if it cannot.

        Args:
            kept: The folder for all managers.
        """
        return None

    # In a Dockerfile and in a script

    def make(self, environment: EnvironmentRef, page: Page) -> Making | None:
        """Return how to make an environment of this manager's kind; None for any other.

        Args:
            environment: What a step of any manager is for.
            page: What the making is written to.
        """
        return None

    def write(self, step: Step, page: Page) -> None:
        """Write a step of this manager in its own words.

        Raises:
            ExportError: Something cannot be said safely.
        """

    # What a person asked for, as the manager notes it

    def mark(
        self, there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment
    ) -> None:
        """Note which packages a person asked for.

        A manager takes everything that it is asked for by name for a person's wish; what an undo
        or a replay asks for is often a dependency, and was asked for in other words.

        Args:
            there: Packages of this manager that are installed.
            wanted: The wish for each of their names.
            environment: Where.

        Raises:
            OSError: A note cannot be written.
        """

    def words(self, package: Package, environment: Environment) -> str:
        """Return the spec by which a package was asked for, as the manager noted it, or ""."""
        return ""


def get(manager: ManagerName) -> Manager:
    """Return a manager by its name; its folder is imported now."""
    folder = next(each.folder for each in listed.MANAGERS if each.name == manager)
    found: Manager = import_module(folder).MANAGER
    return found


def hold(
    request: Request, environment: Environment, policy: Policy, *, planned: bool = True
) -> None:
    """Stop a request that the settings forbid, in itself or in what it names.

    Args:
        request: An install, or a removal, of which the manager alone is looked at.
        environment: Where.
        policy: The settings.
        planned: Whether the plan will be held against them too (`check_plan`).

    Raises:
        Stopped: It is forbidden, or cannot be followed where something is.
    """
    policy.check_manager(request.manager)
    if request.action == "install" and policy.binds(request.manager):
        manager = get(request.manager)
        allowed = manager.places(policy.sources, environment)
        found = manager.wanted(request, environment)
        policy.check(request.manager, found, frozenset(allowed), planned=planned)


def choose(
    manager: ManagerName, environment: Environment, engines: Engines, request: Request | None = None
) -> Choice:
    """Choose the engine for a manager's request in an environment; see `Manager.choose`.

    Raises:
        Stopped: The engine that the user named is not available.
    """
    return get(manager).choose(environment, engines.of(manager), request)


@dataclass(frozen=True, slots=True)
class Worker:
    """The engine that would do a manager's work in an environment.

    Attributes:
        manager: Whose.
        name: What people call it; empty where what was configured is not available.
        why: For people.
    """

    manager: ManagerName
    name: str
    why: str


def workers(environment: Environment, engines: Engines) -> Iterator[Worker]:
    """Yield the engine of each manager that works in an environment."""
    for manager in listed.of_environment():
        if not get(manager).works_in(environment):
            continue
        try:
            choice = choose(manager, environment, engines)
        except Stopped as stopped:
            yield Worker(manager, "", stopped.problem)
        else:
            yield Worker(manager, choice.name, choice.why)


def repairs(
    environments: Iterable[Environment], console: Console, *, drop: bool = False
) -> Iterator[str]:
    """Finish the installs that were cut off, and yield a sentence for each place that was asked."""
    for environment in environments:
        for manager in map(get, listed.of_environment()):
            works = manager.works_in(environment)
            repaired = manager.repair(environment, console, drop=drop) if works else None
            if repaired is not None:
                said = "Finished what" if repaired else "Nothing"
                yield f"{said} was cut off in the {environment.description}."


def engine(
    choice: Choice, *, thorough: bool = False, exact: bool = False, console: Console | None = None
) -> Engine:
    """Return the engine of a choice; see `Manager.engine`."""
    made = get(choice.manager).engine
    return made(choice, thorough=thorough, exact=exact, console=console)


def mark(wishes: Iterable[Wish], environment: Environment) -> None:
    """Note what was asked for, of the packages that are installed; see `Manager.mark`.

    Raises:
        OSError: A note cannot be written.
    """
    from ..where.packages import read_packages

    by_manager: dict[ManagerName, dict[str, Wish]] = {}
    for wish in wishes:
        by_manager.setdefault(wish.manager, {})[wish.name] = wish
    for manager, wanted in by_manager.items():
        found: Sequence[Package] = read_packages(environment, (manager,)).packages
        there = [package for package in found if package.name in wanted]
        get(manager).mark(there, wanted, environment)
