"""The package managers: a folder each, of one shape, named in one list (``model/managers.py``).

A `Manager` knows its specs, its marks and its words; an `Engine` of it does the work. The engine is
chosen once, when a step is made, and travels with the step as a `Choice`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, cast

from ..model import managers as listed
from ..model.environment import Environment, EnvironmentRef
from ..model.errors import Stopped
from ..model.packages import Change, ManagerName, Need, Package, PackageKey, PackageSet
from ..model.spec import RequirementsFile
from ..model.wanted import Wanted, plain_place

if TYPE_CHECKING:
    from pathlib import Path

    from ..display.console import Console  # noqa: TC004  # a text: loading stays light
    from ..model.engines import Engines
    from ..model.ledger import Origins
    from ..model.plan import Command, Plan
    from ..model.policy import Policy
    from ..model.recipe import RecipeStep
    from ..model.record import Record
    from ..model.request import Request
    from ..model.sources import Sources
    from .goal import Exactness, Goal, Wish
    from .keep import Archives
    from .layered import LayerFile
    from .page import Making, Page


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and the reason for it."""

    manager: ManagerName
    engine: str  #: the manager's own name for it: "conda", "rattler", "uv", "pip", "apt"
    environment: Environment  #: the one asked for, governed by the executable that was requested
    why: str = ""  #: in words, a part of a sentence; empty if there is no choice
    asked: bool = False  #: whether the user named it, so that no other may replace it
    called: str = ""  #: its usual name, if that differs
    #: the time, ISO 8601, after which nothing that is installed was published; or empty
    before: str = ""

    @property
    def name(self) -> str:
        """Return its usual name: for an executable, its own."""
        return self.called or self.engine


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The content that an engine's plan must have, and its console."""

    thorough: bool = False  #: whether it must include the change, at the price of a dry run
    exact: bool = False  #: whether it must also include the archives
    console: Console | None = None


Marks = Mapping[str, tuple[str, ...]]
"""What `Manager.note` keeps of a change, by names of the manager's own."""

Spelling = Literal["channel", "archive"]
"""The form of an exact spec: by its channel's solver, or by its archive's address."""


@dataclass(frozen=True, slots=True)
class View:
    """The installed packages by the manager's own account."""

    versions: Mapping[str, str]
    #: the SHA-256 of the requested local archives, by path
    hashes: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A program or library that does a manager's work."""

    shows_progress: ClassVar[bool] = False
    """True if planning shows its progress."""

    def plan(self, request: Request, environment: Environment) -> Plan:
        """Return the exact commands and their change; touch nothing.

        Raises:
            InvalidSpec: This manager cannot read a spec.
            Stopped: It cannot be done here; the error gives the alternative.
            CommandFailed: The manager was asked for its plan and refused (no such package,
                a conflict).
        """

    def run(self, plan: Plan, console: Console) -> int:
        """Carry the plan out and return the exit status (0 is success).

        Raises:
            CommandFailed: The program is missing, or finds no solution only now.
            Interrupted: The user interrupted it; the error says what state things are in.
        """

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        """Return, for each spec that names a package, the one that serves it now, from disk."""
        from ..where.metadata import read_packages

        here = read_packages(environment, (request.manager,))
        found = (here.get(request.manager, name) for name in asked_names(request, environment))
        return tuple(package for package in found if package is not None)

    def explain(self, plan: Plan, change: Change) -> Change:
        """Add the origins of packages, which only the engine knows, to an observed change."""
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
        """Return the parts of an install, for the policy: lists, archives and options are read."""
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
        """Return names of available packages, for Tab: from this disk, at once.

        Args:
            name: Their beginning; other names may be among them.
        """
        return ()

    def available(
        self,
        specs: Sequence[str],
        environment: Environment,
        channels: Sequence[str] = (),
        output: Console | None = None,
    ) -> Mapping[str, Sequence[str]] | None:
        """Return, for each spec, a few of the newest versions; None if only an install can say.

        Raises:
            CommandFailed: The channels cannot be read.
            Interrupted: The user interrupted it.
        """
        return None

    def own_name(self, spec: str) -> str:
        """Return a spec with this manager's name of the package, if other managers have another."""
        return spec

    def name_of(self, package: str) -> str:
        """Return what this manager calls a package of PyPI's."""
        return package

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
            wanted: The user's choice; "auto" leaves it to the manager.

        Raises:
            Stopped: The engine that the user named is not available.
        """
        return Choice(self.name, self.name, environment)

    def engine(self, choice: Choice, options: EngineOptions) -> Engine:
        """Return the engine of a choice."""

    def slips(self, request: Request) -> Mapping[str, str]:
        """Return requested names that are likely slips, each with the popular name it resembles."""
        return {}

    def harms(self, plan: Plan, allowed: Container[str]) -> Iterable[str]:
        """Yield what a plan would do to packages of other managers, a sentence each."""
        return ()

    def repair(
        self, environment: Environment, console: Console, *, drop: bool = False
    ) -> bool | None:
        """Finish an interrupted install; return whether there was one, None if unknown.

        Args:
            drop: Give up what cannot be finished, and report the state of the environment.

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
        """Ask the manager itself for an environment's packages; None if it cannot be asked.

        Raises:
            CommandFailed: It does not answer.
        """
        return None

    def package_url(self, package: Package, distribution: str) -> str:
        """Return the package URL of a package, for a bill of materials.

        Args:
            distribution: That of the system: ``debian``, ``ubuntu``.
        """
        from .packageurl import package_url

        return package_url("generic", package, {})

    constrains: ClassVar[bool] = True
    """True if an install can hold packages that it does not ask for."""

    def pinned(self, package: Package) -> str:
        """Return the spec that asks for a package as it is installed, as far as one can."""
        return f"{package.name}=={package.version}"

    def reinstall(self, package: Package, prefix: str, file: str) -> str:
        """Return the line that puts the files of an installed package back; empty without one.

        Args:
            file: The path of the file that is lost or changed.
        """
        return ""

    # A change that was cut off; see install/unfinished.py

    def note(self, plan: Plan) -> Marks:
        """Return marks to find later what an interrupted change left over; cheap."""
        return {}

    def sweep(self, environment: Environment) -> None:
        """Remove files that a killed process was writing, and that nothing reads; cheap."""
        return

    def half_done(self, environment: Environment, marks: Marks, since: int) -> tuple[str, ...]:
        """Return what a change that was cut off left half done, a sentence each.

        Args:
            marks: As `note` gave them.
            since: When the change began, in nanoseconds of the file system's clock.
        """
        return ()

    def finish(self, environment: Environment, marks: Marks, since: int, console: Console) -> None:
        """Finish what is half done, or take it away, so that the same can be asked again.

        Raises:
            CommandFailed: It cannot be.
        """
        self.repair(environment, console)

    # What was there

    def bring_back(
        self, packages: Sequence[Package], origins: Origins, spelling: Spelling
    ) -> list[Request]:
        """Return the requests that restore exactly these packages, and nothing else.

        Args:
            spelling: The form of the specs, if the manager has several.
        """

    exactness: ClassVar[tuple[Exactness, ...]] = ("builds", "versions")
    """The forms of `bring` that a replay tries, the most exact one first."""

    def bring(self, goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
        """Return the installs that bring a place to the history's goal; none if it is reached."""

    def bring_new(self, requests: Sequence[Request], goal: Goal) -> list[Request]:
        """Return the installs of `bring` as an environment needs them that was just made."""
        return list(requests)

    leaves_needed: ClassVar[bool] = False
    """True if a removal leaves the packages that came along with the removed one."""

    def alone(self, removal: Request) -> Request:
        """Return a removal that takes away what it names, and nothing that needs it."""
        return removal

    def needs(
        self, whom: Container[PackageKey], here: PackageSet, environment: Environment
    ) -> Iterable[Need]:
        """Yield what needs some of the packages that are here, from metadata alone."""
        return ()

    def overwritten(
        self, gone: Iterable[Package], here: PackageSet, environment: Environment
    ) -> tuple[Package, ...]:
        """Return its packages here whose files those had replaced that are gone."""
        return ()

    def fetch(self, packages: Sequence[Package], environment: Environment) -> None:
        """Have the contents of installed packages at hand for `relink`.

        Raises:
            CommandFailed: One is not available anywhere.
        """
        return

    def relink(
        self, packages: Sequence[Package], environment: Environment, console: Console
    ) -> None:
        """Put the files of installed packages in their places again.

        Raises:
            CommandFailed: They cannot be.
        """
        return

    def archives(self, kept: Path) -> Archives | None:
        """Return the kept archives for a replay without network; None if it cannot keep any.

        Args:
            kept: The folder for all managers.
        """
        return None

    # In a layer of an image

    leaves_more: ClassVar[bool] = False
    """True if its packages' scripts make files that no package owns."""

    def layered(
        self, package: Package, environment: Environment, spec: str | None
    ) -> Iterable[LayerFile]:
        """Yield a package's files for a layer: equal for equal installs, without secrets.

        Args:
            spec: The recorded spec for it; None if it is a dependency.

        Raises:
            Stopped: No image can have them, or they are not known.
        """
        raise Stopped(f"{self.name} keeps no list of the files of {package.name}.")

    # In a Dockerfile and in a script

    def make(self, environment: EnvironmentRef, page: Page) -> Making | None:
        """Return how to make an environment of this manager's kind; None for any other.

        Args:
            environment: The environment of a step of any manager.
        """
        return None

    def write(self, step: RecipeStep, page: Page) -> None:
        """Write a step of this manager as its commands.

        Raises:
            ExportError: Something cannot be said safely.
        """

    def portable(
        self, step: RecipeStep, records: Sequence[Record]
    ) -> tuple[RecipeStep, tuple[str, ...]]:
        """Return a step as another machine can follow it, and sentences on what it will lack."""
        return step, ()

    # What a person asked for, as the manager notes it

    def mark(
        self, there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment
    ) -> None:
        """Note the packages that the user requested.

        A manager marks everything that a request names as the user's wish; what an undo
        or a replay asks for is often a dependency, and was requested in other words.

        Raises:
            OSError: A note cannot be written.
        """

    def words(self, package: Package, environment: Environment) -> str:
        """Return the spec by which a package was requested, as the manager noted it, or ""."""
        return ""


def get(manager: ManagerName) -> Manager:
    """Return a manager by its name; its folder is imported now."""
    folder = next(each.folder for each in listed.MANAGERS if each.name == manager)
    return cast("Manager", listed.named(f"{folder}:MANAGER"))


def asked_names(request: Request, environment: Environment) -> tuple[str, ...]:
    """Return the names of the packages that a request asks for, also in its lists, each once."""
    names = [spec.name for spec in request.specs]
    if any(isinstance(spec, RequirementsFile) for spec in request.specs):
        found = get(request.manager).wanted(request, environment)
        names += (name for name, _ in found.names)
    return tuple(dict.fromkeys(filter(None, names)))


def hold(
    request: Request, environment: Environment, policy: Policy, *, planned: bool = True
) -> None:
    """Stop a request that the settings forbid, directly or in what it names.

    Args:
        request: An install, or a removal, of which the manager alone is looked at.
        planned: Whether the plan is checked too (`check_plan`).

    Raises:
        Stopped: It is forbidden, or cannot be followed although some things are forbidden.
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
    """The engine that would do a manager's work in an environment."""

    manager: ManagerName
    name: str  #: its usual name; empty where what was configured is not available
    why: str  #: in words


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
    """Finish what was cut off by whatever means, and yield a sentence for each place."""
    environments = list(environments)
    for environment in environments:
        for name in listed.of_environment():
            manager = get(name)
            if manager.works_in(environment) and manager.repair(environment, console, drop=drop):
                yield f"Finished what was cut off in the {environment.description}."
    for name in listed.of_system() if environments else ():
        try:
            if get(name).repair(environments[0], console, drop=drop):
                yield f"Finished what {name} was cut off in."
        except Stopped as error:  # noqa: PERF203  # a missing right is reported, the rest is done
            yield error.problem


def engine(choice: Choice, options: EngineOptions | None = None) -> Engine:
    """Return the engine of a choice."""
    return get(choice.manager).engine(choice, options or EngineOptions())


def mark(wishes: Iterable[Wish], environment: Environment) -> None:
    """Note what was requested, of the packages that are installed; see `Manager.mark`.

    Raises:
        OSError: A note cannot be written.
    """
    from ..where.metadata import read_packages

    by_manager: dict[ManagerName, dict[str, Wish]] = {}
    for wish in wishes:
        by_manager.setdefault(wish.manager, {})[wish.name] = wish
    for manager, wanted in by_manager.items():
        found: Sequence[Package] = read_packages(environment, (manager,)).packages
        there = [package for package in found if package.name in wanted]
        get(manager).mark(there, wanted, environment)
