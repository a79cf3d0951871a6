"""Replaying: every environment of a history made here, one place after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..display import size_text
from ..display.console import Console
from ..history.replays import Progress
from ..io.files import sha256_of
from ..io.locks import Held, take
from ..io.runtime import own_runtime_folder, replay_file
from ..managers import get, mark
from ..managers.goal import Exactness, Goal
from ..managers.steps import Carrier, Done, Planned, Step
from ..model.causes import cause_of
from ..model.environment import Environment
from ..model.errors import (
    CommandFailed,
    Interrupted,
    InvalidSpec,
    JStackMagicError,
    Stopped,
    UsageError,
)
from ..model.ledger import Ledger
from ..model.managers import of_environment, of_system
from ..model.packages import ManagerName, Package, PackageSet
from ..model.plan import Plan
from ..model.request import Request
from ..model.spec import Constraint, Listing
from ..model.text import counted
from ..where.detect import detect, find
from ..where.metadata import read_packages
from .goals import goals
from .goals import requests as requests_for
from .kept import Store, Taken
from .made import located, make


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of a replay."""

    history: Path  #: the file of the history here, whose progress others see
    name: str = ""  #: the conda environment to replay into; empty for each one's own
    prefix: str = ""  #: the prefix to replay into; likewise
    loose: bool = False  #: install the specs as requested, not the exact versions
    foreign: bool = False  #: the history is another one, and its requests are recorded here
    keep: bool = False  #: keep the archives for the next time
    dry_run: bool = False
    log: str = ""  #: the file with the managers' output; empty if the output is shown
    notes: tuple[str, ...] = ()  #: a sentence for each thing that the user should know in advance


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The outcome of a replay."""

    done: tuple[Done, ...]
    notes: tuple[str, ...]  #: a sentence for each thing that the user should know
    kept: str = ""  #: a sentence on what was kept for the next one; empty if not requested


def replay(ledger: Ledger, wanted: ReplayOptions, carrier: Carrier, store: Store) -> Rebuilt:
    """Install what is missing, one place after the other.

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
        own_runtime_folder()
        lock = take(replay_file(history).with_suffix(".lock"), seconds=0, passing=True)
    except OSError as error:
        raise Stopped(
            f"The notes on this container cannot be kept in {error.filename}: {error.strerror}.",
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
    """One environment, or the system, and its goal."""

    goal: Goal
    environment: Environment | None  #: the environment, once it exists
    prefix: str  #: its prefix, or its future prefix

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
    target = None
    environments = [goal.ref.prefix for goal in goals if goal.ref is not None]
    if wanted.name or wanted.prefix:
        target = find(name=wanted.name or None, prefix=wanted.prefix or None)
        if len(environments) > 1:
            raise UsageError(
                f"The history has {len(environments)} environments, and the target is one: "
                f"{', '.join(environments)}.",
                advice="Leave the target out: each is made where it was.",
            )
    found = []
    for goal in goals:
        if goal.ref is None:
            found.append(Site(goal, detect(), ""))
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
        self._wanted = wanted
        self._store = store
        self._done: list[Done] = []
        self._notes = [*wanted.notes]
        self._failures: list[str] = []
        self._lost: dict[str, None] = {}
        self._pending: list[Site] = []
        self._kept = ""
        self._progress = None if wanted.dry_run else Progress(wanted.history, wanted.log)

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
        if self._wanted.keep and not self._wanted.dry_run:
            self._keep()
        problems = [*self._failures, *([] if self._wanted.dry_run else self._lost)]
        if problems:
            self._end("failed", problems[0].splitlines()[0])
            causes = set(map(cause_of, self._failures))
            again = ("When the network is there: %envreplay",) if "network" in causes else ()
            of_versions = causes & {"not found", "conflict", "build failed"}
            newer = ("Newer versions may do: %envreplay --loose",) if of_versions else ()
            raise CommandFailed(
                "\n".join(problems),
                kept=f"All else was done: {counted(len(self._done), 'step')}."
                if self._done
                else "",
                advice=(
                    *again,
                    *(() if self._wanted.loose else newer),
                    *(("Put it there again, and replay again: %envreplay",) if self._lost else ()),
                    *self._wanted.notes,
                ),
            )
        self._notes += self._lost
        self._end("done", " ".join(self._wanted.notes))
        return Rebuilt(tuple(self._done), tuple(self._notes), self._kept)

    def _end(self, state: str, message: str = "") -> None:
        if self._progress:
            self._progress.end(state, message)  # type: ignore[arg-type]

    def _bring(self, place: Site, manager: ManagerName) -> None:
        fresh = place.environment is None
        if self._wanted.dry_run and (fresh or place in self._pending):
            self._foretell(place, manager)
            return
        if place.environment is None:
            assert place.goal.ref is not None
            place.environment = make(place.goal.ref, place.prefix, self._carrier.console)
        environment = place.environment
        if not self._wanted.dry_run:  # what an earlier container was killed in comes first
            get(manager).repair(environment, self._carrier.console)
        for exactness in self._ways(manager):
            here = PackageSet() if fresh else read_packages(environment, place.managers)
            requests = requests_for(place.goal, manager, here, exactness)
            asked = {spec.place for request in requests for spec in request.specs}
            self._notes += [
                f"{path} has changed since it was installed: what it is now is taken."
                for path in asked.intersection(_changed(place.goal))
            ]
            if fresh:
                requests = get(manager).bring_new(requests, place.goal)
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
                    f"{place.where}, {manager}: not everything that was there is available "
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
        """Bring each package for itself where not all of them can be had together."""
        limits = [[s for s in each.specs if isinstance(s, Constraint)] for each in requests]
        specs = [[s for s in each.specs if not isinstance(s, Constraint)] for each in requests]
        if self._wanted.foreign or place.environment is None or sum(map(len, specs)) < 2:
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
            self._carrier.console.say(
                f"{error.problem}\nThe kept archives are not enough; asking the index."
            )
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
            self._kept = f"Kept {counted(len(files), 'archive')} ({size}) in {self._store.folder}."
        else:
            self._kept = f"All that can be kept is in {self._store.folder}."

    def _carry_out(self, place: Site, planned: Sequence[Planned], exactness: Exactness) -> None:
        self._done += self._carrier.run(planned)
        if self._wanted.dry_run and any(each.plan.commands for each in planned):
            self._pending.append(place)
        if self._wanted.dry_run or place.environment is None:
            return
        if place.goal.ref is not None:  # its Python may be another now, or be there only now
            place.environment = detect(place.prefix)
        # also where nothing was to be done: an attempt that was killed may not have come to it
        mark(place.goal.wishes(exactness), place.environment)

    def _ways(self, manager: ManagerName) -> tuple[Exactness, ...]:
        return ("asked",) if self._wanted.loose else get(manager).exactness

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
        asked = goal.asked(manager) if self._wanted.foreign else []
        yield from self._carrier.plan([Step(request, environment) for request in removals])
        for request, said in zip_longest(installs, asked):
            if request is None:
                plan = Plan(said, environment, engine="", commands=())
                yield Planned(Step(said, environment), plan, engine=None)
            else:
                nothing = Request("install", manager, ()) if self._wanted.foreign else None
                # where the history has pip's in the place of conda's, that is what there was
                over = frozenset(name for owner, name in goal.there if owner == manager)
                step = Step(request, environment, asked=said or nothing, over_conda=over)
                yield from self._carrier.plan([step])

    def _foretell(self, place: Site, manager: ManagerName) -> None:
        """List the requests that depend on earlier steps, and that pip cannot plan yet."""
        here = (
            read_packages(place.environment, place.managers) if place.environment else PackageSet()
        )
        there = {package.key: package for package in here.packages}
        there |= {key: p for key, p in place.goal.there.items() if key[0] != manager}
        then = PackageSet(tuple(there.values()))
        requests = requests_for(place.goal, manager, then, self._ways(manager)[0])
        requests = self._without_lost(place, requests)
        if place.environment is None:
            requests = get(manager).bring_new(requests, place.goal)
            note = f"{place.where} would be made."
            self._notes += [note] if note not in self._notes else []
        self._notes += [
            f"Then, with {manager}: {request.action} {' '.join(request.texts)}"
            for request in requests
        ]


def _changed(goal: Goal) -> Iterator[str]:
    """Yield the files that are not the archives that were installed from there."""
    for package in goal.there.values():
        path = _path(package)
        if path and package.sha256 and os.path.isfile(path) and sha256_of(path) != package.sha256:
            yield path


def _path(package: Package) -> str:
    """Return the file or folder that a package came from; empty for another origin."""
    local = package.source.startswith("file:") and not package.build  # conda's is a channel
    return unquote(urlsplit(package.source).path) if local else ""


def _lost(goal: Goal) -> dict[str, str]:
    """Return the packages whose file or folder is no longer here, by name, each with its path."""
    paths = {name: path for (_, name), p in goal.there.items() if (path := _path(p))}
    for step in goal.steps:
        for item in step.install:
            spec = item.spec
            if spec.place and not spec.is_url and not isinstance(spec, Listing):
                paths[item.name or spec.place] = os.path.expanduser(spec.place)
    return {name: path for name, path in paths.items() if not os.path.lexists(path)}
