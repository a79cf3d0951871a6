"""Replaying: every environment of a history made here, one place after the other."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..display import size_text
from ..history.progress import Progress
from ..io.locks import Held, take
from ..io.runtime import own_runtime_folder
from ..managers import get
from ..managers.goal import Exactness, Goal
from ..managers.steps import Carrier, Done, Planned, Step
from ..model.environment import Environment
from ..model.errors import (
    CommandFailed,
    Interrupted,
    InvalidSpec,
    JStackMagicError,
    Stopped,
    UsageError,
)
from ..model.managers import of_environment, of_system
from ..model.plan import Plan
from ..model.request import Request
from ..model.spec import Constraint, Listing, read_all
from .goals import goals
from .goals import requests as requests_for
from .keep import Store, Taken
from .made import located, make

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..display.console import Console
    from ..model.ledger import Ledger
    from ..model.packages import ManagerName, PackageSet


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of a replay.

    Attributes:
        name: The conda environment to replay into; empty for each one's own.
        prefix: The prefix to replay into; likewise.
        loose: Install the specs as requested, not the exact versions.
        foreign: The history is another one, and its requests are recorded here.
        keep: Keep the archives for the next time.
        dry_run: Do nothing.
        log: The file with the managers' output; empty if the output is shown.
        notes: A sentence for each thing that the user should know in advance.
    """

    name: str = ""
    prefix: str = ""
    loose: bool = False
    foreign: bool = False
    keep: bool = False
    dry_run: bool = False
    log: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The outcome of a replay.

    Attributes:
        done: The steps with their outcome.
        notes: A sentence for each thing that the user should know.
        kept: A sentence on what was kept for the next one; empty if not requested.
    """

    done: tuple[Done, ...]
    notes: tuple[str, ...]
    kept: str = ""


def replay(ledger: Ledger, wanted: ReplayOptions, carrier: Carrier, store: Store) -> Rebuilt:
    """Install what is missing, one place after the other.

    Args:
        ledger: The ledger to reach.
        wanted: The options.
        carrier: Plans, runs and records.
        store: The kept archives.

    Raises:
        UsageError: The history is of several environments, and the target is one.
        CommandFailed: Some of it failed; says what.
        Interrupted: The user interrupted it.
    """
    sites = _sites(goals(ledger), wanted, carrier.console)
    for prefix in dict.fromkeys(site.prefix for site in sites if site.environment):
        carrier.settle(prefix)
    return Rebuild(carrier, wanted, sites, store).carry_out()


@contextmanager
def alone(history: Path, *, dry_run: bool) -> Iterator[None]:
    """Hold off other replays of a history in this container.

    Raises:
        Stopped: Another one is at work, or there is no place for its lock.
    """
    if dry_run:
        yield
        return
    try:
        name = hashlib.sha256(os.fsencode(os.path.realpath(history))).hexdigest()[:16]
        lock = take(own_runtime_folder() / f"replay-{name}.lock", seconds=0)
    except OSError as error:
        raise Stopped(
            f"What concerns this container cannot be kept in {error.filename}: {error.strerror}.",
            kept="Nothing was started.",
            advice="Name a folder of yours: set XDG_RUNTIME_DIR",
        ) from None
    if isinstance(lock, Held):
        raise Stopped(
            f"{history} is being replayed already, by {lock.by}.",
            kept="Nothing was started.",
            advice="See how far it is: %envinfo",
        )
    try:
        yield
    finally:
        lock.release()


# Places


@dataclass
class Site:
    """One environment, or the system, and its goal.

    Attributes:
        goal: Its goal.
        environment: The environment, once it exists.
        prefix: Its prefix, or its future prefix.
    """

    goal: Goal
    environment: Environment | None
    prefix: str

    @property
    def managers(self) -> tuple[ManagerName, ...]:
        """The managers that work there."""
        return of_system() if self.goal.ref is None else of_environment()

    @property
    def where(self) -> str:
        """The place, in a sentence."""
        if self.goal.ref is None:
            return "the system"
        return self.environment.description if self.environment else f"environment {self.prefix}"


def _sites(goals: Sequence[Goal], wanted: ReplayOptions, console: Console) -> list[Site]:
    from ..where import environment

    target = None
    environments = [goal.ref.prefix for goal in goals if goal.ref is not None]
    if wanted.name or wanted.prefix:
        target = environment.find(name=wanted.name or None, prefix=wanted.prefix or None)
        if len(environments) > 1:
            raise UsageError(
                f"The history is of {len(environments)} environments, and the target is one: "
                f"{', '.join(environments)}.",
                kept="Nothing was started.",
                advice="Leave the target out: each is made where it was.",
            )
    found = []
    for goal in goals:
        if goal.ref is None:
            found.append(Site(goal, environment.detect(), ""))
        elif target is not None:
            found.append(Site(goal, target, target.prefix))
        else:
            here, prefix = located(goal.ref)
            if here is not None and here.prefix != goal.ref.prefix:
                console.say(f"{goal.ref.prefix} is {here.prefix} here.")
            found.append(Site(goal, here, prefix))
    return found


# Doing it


class Rebuild:
    """One replay: the places in turn, each manager in turn, and the outcome."""

    def __init__(
        self, carrier: Carrier, wanted: ReplayOptions, sites: Sequence[Site], store: Store
    ) -> None:
        self._carrier = carrier
        self._sites = sites
        self._loose: bool = wanted.loose
        self._foreign = wanted.foreign
        self._keeps: bool = wanted.keep and not wanted.dry_run
        self._store = store
        self._dry_run: bool = wanted.dry_run
        self._done: list[Done] = []
        self._before = wanted.notes
        self._notes = [*wanted.notes]
        self._failures: list[str] = []
        self._lost: dict[str, None] = {}
        self._pending: list[Site] = []
        self._kept = ""
        self._progress = None if wanted.dry_run else Progress(wanted.log)

    def carry_out(self) -> Rebuilt:
        """Carry out every place, also after one has failed.

        Raises:
            CommandFailed: Some of it failed; says what.
            Interrupted: The user interrupted it.
        """
        pairs = [(place, manager) for place in self._sites for manager in place.managers]
        failed: set[str] = set()
        for number, (place, manager) in enumerate(pairs, start=1):
            if place.prefix in failed:
                continue
            if self._progress:
                self._progress.at(f"{manager}, {place.where}", number, len(pairs))
            try:
                self._bring(place, manager)
            except Interrupted:
                self._end("interrupted")
                raise
            except JStackMagicError as error:
                failed.add(place.prefix)
                self._failures.append(f"{place.where}: {error}")
        if self._keeps:
            self._keep()
        problems = [*self._failures, *([] if self._dry_run else self._lost)]
        if problems:
            self._end("failed", problems[0].splitlines()[0])
            newer = ("Newer versions may do: %envreplay --loose",)
            raise CommandFailed(
                "\n".join(problems),
                kept=f"All else was done: {len(self._done)} steps.",
                advice=(
                    *(newer if self._failures and not self._loose else ()),
                    *(("Put it there again, and replay again: %envreplay",) if self._lost else ()),
                    *self._before,
                ),
            )
        self._notes += self._lost
        self._end("done", " ".join(self._before))
        return Rebuilt(tuple(self._done), tuple(self._notes), self._kept)

    def _end(self, state: str, message: str = "") -> None:
        if self._progress:
            self._progress.end(state, message)  # type: ignore[arg-type]

    def _bring(self, place: Site, manager: ManagerName) -> None:
        from ..model.packages import PackageSet
        from ..where.packages import read_packages

        fresh = place.environment is None
        if self._dry_run and (fresh or place in self._pending):
            self._foretell(place, manager)
            return
        if place.environment is None:
            assert place.goal.ref is not None
            place.environment = make(place.goal.ref, place.prefix, self._carrier.console)
        environment = place.environment
        if not self._dry_run:  # what an earlier container was killed in comes first
            get(manager).repair(environment, self._carrier.console)
        for exactness in self._ways(manager):
            here = PackageSet() if fresh else read_packages(environment, place.managers)
            requests = requests_for(place.goal, manager, here, exactness)
            if fresh and manager == "conda":
                requests = _with_python(requests, place.goal)
            if exactness == "builds" and self._bring_kept(place, requests, here):
                return
            requests = self._without_lost(place, requests)
            try:
                planned = [*self._plan(place.goal, manager, requests, environment)]
                self._carry_out(place, planned, exactness)
            except (CommandFailed, InvalidSpec) as error:
                # apt finds out only with its lists what its archive dropped, and then does nothing
                if exactness == self._ways(manager)[-1]:
                    self._one_by_one(place, requests, exactness, error)
                    return
                reason = error.problem.splitlines()[-1]
                self._notes.append(
                    f"{place.where}, {manager}: not all that there was can be had again "
                    f"({reason}); what was asked for is taken."
                )
            else:
                return

    def _without_lost(self, place: Site, requests: Sequence[Request]) -> list[Request]:
        """Return requests without what came from a file or folder that is no longer here.

        An index may have another project of that name.
        """
        lost = _lost(place.goal)
        found = []
        for request in requests:
            specs = request.specs if request.action == "install" else ()
            gone = [s for s in specs if s.name in lost or s.place in lost.values()]
            there = tuple(spec for spec in request.specs if spec not in gone)
            if any(not isinstance(spec, Constraint) for spec in there):
                found.append(replace(request, specs=there))
            self._lost |= {
                f"{place.where}: {spec.name or spec} is not put back: it came from"
                f" {lost.get(spec.name, spec.place)}, which is not here.": None
                for spec in gone
            }
        return found

    def _one_by_one(
        self,
        place: Site,
        requests: Sequence[Request],
        exactness: Exactness,
        error: CommandFailed | InvalidSpec,
    ) -> None:
        """Bring each package for itself where not all of them can be had together.

        Raises:
            CommandFailed: There is but one, or another history is to be recorded as one.
        """
        limits = [[s for s in each.specs if isinstance(s, Constraint)] for each in requests]
        specs = [[s for s in each.specs if not isinstance(s, Constraint)] for each in requests]
        if self._foreign or place.environment is None or sum(map(len, specs)) < 2:
            raise error
        for request, held, wanted in zip(requests, limits, specs, strict=True):
            for spec in wanted:
                alone = replace(request, specs=(*held, spec))
                try:
                    planned = self._plan(place.goal, request.manager, [alone], place.environment)
                    self._carry_out(place, [*planned], exactness)
                except (CommandFailed, InvalidSpec) as failure:
                    self._failures.append(f"{place.where}: {failure}")

    def _bring_kept(self, place: Site, requests: Sequence[Request], here: PackageSet) -> bool:
        """Return whether the files kept in the home volume were enough."""
        environment = place.environment
        assert environment is not None
        served = self._store.serve(requests, place.goal, here, environment)
        if served is None:
            return False
        try:
            with self._store.offered(environment):
                manager = served[0].manager
                planned = [*self._plan(place.goal, manager, served, environment)]
                self._carry_out(place, planned, "builds")
        except (CommandFailed, InvalidSpec) as error:
            self._carrier.console.say(f"{error.problem}\nWhat is kept does not do.")
            return False
        return True

    def _keep(self) -> None:
        """Have the archives of all that is there in the home volume."""
        if self._progress:
            self._progress.at("keeping what was brought", 1, 1)
        found = []
        for place in self._sites:
            if place.environment is not None:
                try:
                    taken = self._store.take(place.goal, place.environment, self._carrier.console)
                except OSError as error:
                    taken = Taken(left_out=(f"Nothing more can be kept: {error}",))
                found.append(taken)
                self._notes += taken.left_out
        files = [file for taken in found for file in taken.files]
        if files:
            size = size_text(sum(taken.size for taken in found))
            self._kept = f"Kept {len(files)} archives ({size}) in {self._store.folder}."
        else:
            self._kept = f"All that can be kept is in {self._store.folder}."

    def _carry_out(self, place: Site, planned: Sequence[Planned], exactness: Exactness) -> None:
        from ..managers import mark
        from ..where.environment import detect

        self._done += self._carrier.run(planned)
        if self._dry_run and any(each.plan.commands for each in planned):
            self._pending.append(place)
        if self._dry_run or place.environment is None:
            return
        if place.goal.ref is not None:  # its Python may be another now, or be there only now
            place.environment = detect(place.prefix)
        # also where nothing was to be done: an attempt that was killed may not have come to it
        mark(place.goal.wishes(exactness), place.environment)

    def _ways(self, manager: ManagerName) -> tuple[Exactness, ...]:
        if self._loose:
            return ("asked",)
        return ("builds", "asked") if manager == "apt" else ("builds", "versions")

    def _plan(
        self,
        goal: Goal,
        manager: ManagerName,
        requests: Sequence[Request],
        environment: Environment,
    ) -> Iterator[Planned]:
        """Yield the steps; those of another history are recorded as requested there."""
        installs = [request for request in requests if request.action == "install"]
        removals = [request for request in requests if request.action == "remove"]
        asked = goal.asked(manager) if self._foreign else []
        yield from self._carrier.plan([Step(request, environment) for request in removals])
        for request, said in zip_longest(installs, asked):
            if request is None:
                plan = Plan(said, environment, engine="", commands=())
                yield Planned(Step(said, environment), plan, engine=None)
            else:
                nothing = Request("install", manager, ()) if self._foreign else None
                # where the history has pip's in the place of conda's, that is what there was
                over = frozenset(name for owner, name in goal.there if owner == "pip")
                step = Step(request, environment, asked=said or nothing, over_conda=over)
                yield from self._carrier.plan([step])

    def _foretell(self, place: Site, manager: ManagerName) -> None:
        """List the requests that depend on earlier steps, and that pip cannot plan yet."""
        from ..model.packages import PackageSet
        from ..where.packages import read_packages

        here = (
            read_packages(place.environment, place.managers) if place.environment else PackageSet()
        )
        there = {package.key: package for package in here.packages}
        there |= {key: p for key, p in place.goal.there.items() if key[0] != manager}
        then = PackageSet(tuple(there.values()))
        requests = requests_for(place.goal, manager, then, self._ways(manager)[0])
        requests = self._without_lost(place, requests)
        if place.environment is None and manager == "conda":
            requests = _with_python(requests, place.goal)
            self._notes.append(f"{place.where} would be made.")
        self._notes += [
            f"Then, with {manager}: {request.action} {' '.join(request.texts)}"
            for request in requests
        ]


def _lost(goal: Goal) -> dict[str, str]:
    """Return the packages whose file or folder is no longer here, by name, each with its path."""
    paths = {
        name: unquote(urlsplit(package.source).path)
        for (_, name), package in goal.there.items()
        if package.source.startswith("file:") and not package.build  # conda's is a channel
    }
    for step in goal.steps:
        for item in step.install:
            spec = item.spec
            if spec.place and not spec.is_url and not isinstance(spec, Listing):
                paths[item.name or spec.place] = os.path.expanduser(spec.place)
    return {name: path for name, path in paths.items() if not os.path.lexists(path)}


def _with_python(requests: Sequence[Request], goal: Goal) -> list[Request]:
    """Return conda's requests in a new environment: with its Python, and pip for pip's packages."""
    assert goal.ref is not None
    if not goal.ref.kind.startswith("conda"):
        return list(requests)
    specs = [f"python={goal.ref.python}"] if goal.ref.python else []
    if specs and any(step.manager == "pip" for step in goal.steps):
        specs.append("pip")
    there = [request for request in requests if request.action == "install"]
    first = there[0] if there else Request("install", "conda", ())
    named = {spec.name for spec in first.specs}
    specs = [spec for spec in specs if spec.partition("=")[0] not in named]
    if not (specs or first.specs):
        return []
    return [replace(first, specs=(*read_all("conda", specs), *first.specs))]
