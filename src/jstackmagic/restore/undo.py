"""Undo: choose the records, plan the changes in each place, and carry them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ..display.console import Console
from ..history.file import History
from ..managers import get, mark
from ..managers.goal import Wish
from ..managers.needs import broken_by
from ..managers.steps import Carrier, Done, Planned, Step
from ..model.environment import Environment, EnvironmentRef
from ..model.errors import (
    NOTHING_CHANGED,
    CommandFailed,
    InvalidSpec,
    Stopped,
    UnknownEnvironment,
    UsageError,
)
from ..model.inventory import Key
from ..model.ledger import Ledger, Move, Origins, has_effect
from ..model.managers import of_environment, of_system
from ..model.managers import place as place_of
from ..model.packages import ManagerName, Package, PackageSet, either, same
from ..model.plan import Plan
from ..model.record import Record
from ..model.request import Action, Request
from ..where.detect import detect
from ..where.metadata import read_packages
from .inverse import Inverse, inverse, requests

_OPPOSITE: dict[Action, Action] = {"install": "remove", "remove": "install"}


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """The records to undo, as the user chose them."""

    id: str = ""  #: a transaction or one record of it; empty for the last one
    to: str = ""  #: the transaction to go back to; empty without one
    force: bool = False  #: undo what can be undone
    dry_run: bool = False
    #: the ids of the records that count where none is named, since this image had what they
    #: installed; None for all
    here: frozenset[str] | None = None
    notes: tuple[str, ...] = ()  #: a sentence for each image whose records do not count
    record_only: bool = False  #: move no packages
    #: leave a place that cannot be restored exactly, and restore the others: for a transaction that
    #: failed. The guards are not asked, since it is as it was before.
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """The outcome of an undo."""

    records: tuple[Record, ...]
    done: tuple[Done, ...]
    problems: tuple[str, ...]  #: a sentence for each thing that is not as it was


def undo(
    wanted: UndoOptions,
    history: History,
    carrier: Carrier,
    ready: Callable[[Sequence[Record]], None] = lambda _: None,
) -> Undone:
    """Plan an undo, report what is no longer available, and carry it out.

    Args:
        ready: Called with the records to undo, before a package moves; it may refuse them.

    Raises:
        UsageError: There is nothing to undo, or it was undone already.
        Stopped: It cannot be undone exactly, and is not forced.
        CommandFailed: A manager failed.
        Interrupted: The user interrupted it.
    """
    ledger = history.ledger()
    cut_off: list[str] = []
    if not wanted.record_only:
        for place in ledger.places():
            cut_off += carrier.settle(place)
        ledger = history.ledger()
    chosen, seen = _chosen(wanted, history, ledger, cut_off)
    ready(chosen)
    origins, moves = ledger.origins(), Ledger.of(seen).moves()
    places = [
        Reversal(prefix, of_place, moves, origins, carrier, disk=not wanted.record_only)
        for prefix, of_place in _by_place(chosen).items()
    ]
    found = [(place, _problems_at(place, wanted)) for place in places]
    problems = [problem for _, of_place in found for problem in of_place]
    if wanted.apart:
        places = [place for place, of_place in found if not of_place]
    elif problems and not wanted.force:
        raise Stopped(
            "\n".join(["This cannot be taken back exactly.", *problems]),
            advice="To take back what can be taken back, add --force",
        )
    try:
        done = carrier.run([step for place in places for step in place.planned()])
    finally:  # also what was only done in part
        left = [] if wanted.dry_run else [place.settle(carrier.console) for place in places]
    problems += [problem for of_place in left for problem in of_place]
    problems += [
        f"What {record.id} brought is known, and goes, when it has been cleaned up."
        for record in chosen
        if wanted.dry_run and record.outcome is None and record.id in cut_off
    ]
    records = tuple(record for record in chosen for place in places if record in place.records)
    return Undone(records, tuple(done), tuple(problems))


def _problems_at(place: Reversal, wanted: UndoOptions) -> list[str]:
    if not wanted.apart:
        return place.check(force=wanted.force)
    try:
        return place.check(force=False, guarded=False)
    except (CommandFailed, InvalidSpec) as error:
        return [error.problem]


# Which


def _chosen(
    wanted: UndoOptions, history: History, ledger: Ledger, cut_off: Sequence[str]
) -> tuple[list[Record], list[Record]]:
    """Return the records to undo, and the records that show the state before them.

    What another image had counts only where it is named: none of it is here.

    Args:
        cut_off: The ids of those that left something half done, which this undo cleans up.

    Raises:
        UsageError: There is nothing to undo, or it was undone already.
        Stopped: One has not ended.
    """
    if wanted.id and wanted.to:
        raise UsageError("Name one record, or go back --to one; not both.")
    records = history.records()
    mine = [each for each in records if wanted.here is None or each.id in wanted.here]
    if wanted.to:
        point = history.get(wanted.to)[-1].transaction
        found, seen = _counting(ledger.since(point)), ledger.after(point)
        found = [record for record in found if record in mine]
        if not found:
            problem = f"Nothing was changed after {point}."
            raise UsageError(problem, kept=NOTHING_CHANGED, advice=wanted.notes)
    else:
        named = _not_yet(history.get(wanted.id), ledger) if wanted.id else None
        found = Ledger.of(mine).latest(cut_off) if named is None else named
        seen = ledger.with_attempts(found)
        if not found:
            problem = "There is nothing to take back."
            advice = (*wanted.notes, "See: %envhistory")
            raise UsageError(problem, kept=NOTHING_CHANGED, advice=advice)
    _check_ended((each for each in found if each.id not in cut_off), force=wanted.force)
    return found, seen


def _not_yet(chosen: list[Record], ledger: Ledger) -> list[Record]:
    taken = ledger.taken_back()
    left = [record for record in chosen if record.id not in taken]
    counting = _counting(left)
    by = next((taken[record.id].rpartition(".")[0] for record in chosen if record.id in taken), "")
    if not counting and by:
        raise UsageError(
            f"{chosen[-1].transaction} was taken back already, by {by}.",
            kept=NOTHING_CHANGED,
            advice=f"To have it again: %envundo {by}",
        )
    return counting or left


def _counting(records: Iterable[Record]) -> list[Record]:
    """Return the records without those that failed and changed nothing."""
    return [record for record in records if record.status != "failed" or has_effect(record)]


def _check_ended(chosen: Iterable[Record], *, force: bool) -> None:
    for record in chosen:
        if record.status == "running":
            raise Stopped(f"{record.id} is still running.")
        if record.status == "interrupted" and record.outcome is None and not force:
            raise Stopped(
                f"{record.id} was cut off, and its changes up to then are not known.",
                advice=("See what is there: %envdiff", "To stop counting it: --force"),
            )


def _by_place(chosen: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records by prefix (empty for apt), the place of the last ones first."""
    places: dict[str, list[Record]] = {}
    for record in reversed(list(chosen)):
        prefix = place_of(record.request.manager, record.environment.prefix)
        places.setdefault(prefix, []).append(record)
    return places


# One place


class Reversal:
    """One environment, or the system, and the records to undo there.

    Args:
        prefix: The environment's prefix; empty for apt's packages.
        moves: The changes of packages, everywhere, since the point to go back to.
        disk: Whether to move packages, and not only the records.
    """

    def __init__(
        self,
        prefix: str,
        records: Sequence[Record],
        moves: Mapping[Key, Move],
        origins: Origins,
        carrier: Carrier,
        *,
        disk: bool,
    ) -> None:
        self._prefix = prefix
        self.records = records
        self._origins = origins
        self._carrier = carrier
        self._lost = ""
        self.environment = self._find(records[0].environment)
        self._wanted = Inverse()
        self._here = self._look()
        self._planned: list[Planned] = []
        self._relinks: dict[ManagerName, tuple[Package, ...]] = {}
        if disk and not self._lost:
            self._wanted = inverse(moves, self._here, prefix, origins)
            self._relinks = self._stripped()
        # also of what is back already: an attempt that was cut off may not have come to it
        before = [m.before for (where, *_), m in moves.items() if where == prefix and m.before]
        before += chain.from_iterable(self._relinks.values())
        self._wishes = self._wishes_of(before if disk and not self._lost else ())

    def _find(self, ref: EnvironmentRef) -> Environment:
        try:
            return detect(self._prefix or None)
        except UnknownEnvironment as error:
            self._lost = f"{error.problem} What was changed there is gone with it."
            return Environment(kind=ref.kind, name=ref.name, prefix=ref.prefix, python=ref.python)

    def _look(self) -> PackageSet:
        if self._lost:
            return PackageSet()
        return read_packages(self.environment, self._managers)

    @property
    def _managers(self) -> tuple[ManagerName, ...]:
        return of_environment() if self._prefix else of_system()

    def check(self, *, force: bool, guarded: bool = True) -> list[str]:
        """Plan everything; return a sentence for each thing that is unavailable as it was.

        Raises:
            Stopped: A guard stopped it.
        """
        problems = [self._lost] if self._lost else []
        problems += [_moved_since(now, left) for now, left in self._wanted.moved_since]
        problems += self._needs()
        if guarded and not force:
            self._guard()
        problems += self._fetch_relinks()
        while True:
            self._planned, missing, words = self._plan()
            problems += words
            if not missing or not force:
                return problems
            self._wanted = self._wanted.without(missing)

    def _fetch_relinks(self) -> list[str]:
        problems = []
        for manager, packages in [*self._relinks.items()]:
            try:
                get(manager).fetch(packages, self.environment)
            except CommandFailed as error:  # noqa: PERF203 - each has its own reason
                del self._relinks[manager]
                whose = f"{manager}'s own files of {', '.join(each.name for each in packages)}"
                problems.append(f"{whose} are not available anywhere: {error.problem}")
        return problems

    def _stripped(self) -> dict[ManagerName, tuple[Package, ...]]:
        """Return the packages, by manager, whose files one that is removed now had replaced."""
        gone, after = self._wanted.goes, self._wanted.after()
        found = {
            manager: tuple(
                package
                for package in get(manager).overwritten(gone, self._here, self.environment)
                if package.key not in after
            )
            for manager in self._managers
        }
        return {manager: packages for manager, packages in found.items() if packages}

    def _wishes_of(self, packages: Iterable[Package]) -> list[Wish]:
        """Return the requested ones of the earlier packages."""
        return [
            Wish(
                package.manager,
                package.name,
                package.requested,
                get(package.manager).words(package, self.environment) if package.requested else "",
            )
            for package in packages
        ]

    def _needs(self) -> list[str]:
        if not self._prefix or not self._wanted:
            return []
        after = self._wanted.after()
        return [
            f"{need.who[1]} needs {need.what}, and "
            + (f"{then.name} would be {then.version}." if then else f"{need.whom[1]} would go.")
            for need in broken_by(after, self._here, self.environment)
            for then in (after[need.whom],)
        ]

    def _guard(self) -> None:
        for request in requests(self._wanted, self._origins, "channel"):
            change = self._wanted.change(self._here, request.manager)
            self._carrier.guard(
                Plan(request, self.environment, engine="", commands=(), change=change)
            )

    # Planning

    def _plan(self) -> tuple[list[Planned], list[Package], list[str]]:
        """Return the steps, the packages that are unavailable, and notes."""
        steps: list[Planned] = []
        problems: list[str] = []
        by_archive = requests(self._wanted, self._origins, "archive")
        for request, again in zip(
            requests(self._wanted, self._origins, "channel"), by_archive, strict=True
        ):
            try:
                planned, surplus = self._exactly(request, again)
            except (CommandFailed, InvalidSpec) as error:
                missing = self._missing(request, again)
                problems += [f"{p.name} {p.version} is not available anywhere." for p in missing]
                problems.append(error.problem)
                if not missing:
                    raise
                return [], missing, problems
            steps.append(planned)
            problems += surplus
        return steps, [], problems

    def _exactly(self, request: Request, again: Request) -> tuple[Planned, list[str]]:
        """Plan a request so that it does exactly what is wanted, if possible.

        A channel may have dropped a package that is in the cache, and its solver may want to move
        others along; by their archives, conda puts packages in as they are.
        """
        removes = request.action == "remove"
        ways = [get(request.manager).alone(request) if removes else request]
        ways += [again] if again != request else []
        found: tuple[Planned, list[str]] | None = None
        failure: CommandFailed | InvalidSpec | None = None
        for way in ways:
            try:
                (planned,) = self._carrier.plan([self._step(way)])
            except (CommandFailed, InvalidSpec) as error:
                failure = failure or error
                continue
            surplus = list(_surplus(planned.plan, self._wanted))
            if not surplus:
                return planned, []
            found = found or (planned, surplus)
        if found is None:
            assert failure is not None
            raise failure
        return found

    def _step(self, request: Request) -> Step:
        mine = [record for record in self.records if record.request.manager == request.manager]
        return Step(request, self.environment, undoes=(mine or self.records)[0].id)

    def _missing(self, request: Request, again: Request) -> list[Package]:
        """Return the requested packages that are unavailable."""
        found = []
        of_manager = [p for p in self._wanted.returns if p.manager == request.manager]
        if request.action == "install" and len(of_manager) == 1:
            return of_manager
        for package in of_manager if request.action == "install" else ():
            alone = Inverse(returns=(package,))
            (one,) = requests(alone, self._origins, "channel")
            (other,) = requests(alone, self._origins, "archive")
            if not set(one.texts + other.texts) & set(request.texts + again.texts):
                continue  # of another index
            try:
                self._exactly(one, other)
            except (CommandFailed, InvalidSpec):
                found.append(package)
        return found

    def planned(self) -> Iterator[Planned]:
        """Yield the steps that move packages, then the records that need no step of their own."""
        yield from self._planned
        covered = {planned.step.undoes for planned in self._planned}
        for record in self.records:
            if record.id not in covered:
                asked = record.request
                request = Request(_OPPOSITE[asked.action], asked.manager, asked.specs)
                yield Planned(
                    step=Step(request, self.environment, undoes=record.id),
                    plan=Plan(request, self.environment, engine="", commands=(), change=None),
                    engine=None,
                )

    # Afterwards

    def settle(self, console: Console) -> list[str]:
        """Restore what no request can; return sentences on what is still not as it was.

        Raises:
            CommandFailed: conda's own package cannot be linked again.
        """
        still_there = {p.key for p in self._wanted.goes} & self._look().by_key.keys()
        for manager, packages in self._relinks.items() if not still_there else ():
            get(manager).relink(packages, self.environment, console)
        mark(self._wishes, self.environment)
        here = self._look()
        return [
            f"{key[1]} is {now.version if now else 'not there'}, "
            f"and was {then.version if then else 'not there'}."
            for key, then in self._wanted.after().items()
            if not same(now := here.by_key.get(key), then)
        ]


def _moved_since(now: Package | None, left: Package | None) -> str:
    package = either(now, left)
    was = f"left {left.version}" if left else "left it out"
    return f"{package.name} has changed since: this {was}, and there is " + (
        f"{now.version} now." if now else "none now."
    )


def _surplus(plan: Plan, wanted: Inverse) -> Iterator[str]:
    """Yield the changes of a plan beyond, or other than, the wanted ones."""
    if plan.change is None:
        return
    after = wanted.after()
    for package in plan.change.removed:
        if package.key not in after:
            yield f"{package.name} {package.version} would go too."
    for package in plan.change.came:
        then = after.get(package.key)
        if package.key not in after:
            yield f"{package.name} {package.version} would come too."
        elif then is not None and not same(package, then):
            yield (
                f"{package.name} {then.version} is available, but it is not the same: "
                f"{_difference(package, then)}."
            )


def _difference(one: Package, other: Package) -> str:
    for name in ("version", "build", "sha256", "source"):
        here, there = getattr(one, name), getattr(other, name)
        if here != there and here and there:
            return f"its {name} is {here}, and was {there}"
    return "it comes from elsewhere"
