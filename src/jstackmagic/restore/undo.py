"""Undo: choose the records, plan the changes in each place, and carry them out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..managers.conda import relink
from ..managers.steps import Carrier, Done, Planned, Step
from ..model.errors import (
    NOTHING_CHANGED,
    CommandFailed,
    InvalidSpec,
    Stopped,
    UsageError,
)
from ..model.ledger import Key, Ledger, Move, Origins, has_effect
from ..model.managers import is_system, of_environment, of_system
from ..model.packages import Package, PackageSet, same
from ..model.plan import Plan
from ..model.record import Record
from ..model.request import Action, Request
from .inverse import Inverse, inverse, requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..display.console import Console
    from ..history.file import History
    from ..managers.goal import Wish
    from ..model.environment import Environment, EnvironmentRef


_OPPOSITE: dict[Action, Action] = {"install": "remove", "remove": "install"}


@dataclass(frozen=True, slots=True)
class UndoOptions:
    """The records to undo, as the user chose them.

    Attributes:
        id: A transaction or one record of it; empty for the last one.
        to: The transaction to go back to; empty without one.
        force: Undo what can be undone.
        dry_run: Do nothing.
        record_only: Move no packages.
        apart: Leave a place that cannot be restored exactly, and restore the others: for a
            transaction that failed. The guards are not asked, since it is as it was before.
    """

    id: str = ""
    to: str = ""
    force: bool = False
    dry_run: bool = False
    record_only: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Undone:
    """The outcome of an undo.

    Attributes:
        records: The records that were undone.
        done: The steps with their outcome.
        problems: A sentence for each thing that is not as it was.
    """

    records: tuple[Record, ...]
    done: tuple[Done, ...]
    problems: tuple[str, ...]


def undo(wanted: UndoOptions, history: History, carrier: Carrier) -> Undone:
    """Plan an undo, report what is no longer available, and carry it out.

    Raises:
        UsageError: There is nothing to undo, or it was undone already.
        Stopped: It cannot be undone exactly, and is not forced.
        CommandFailed: A manager failed.
        Interrupted: The user interrupted it.
    """
    ledger = history.ledger()
    if not wanted.record_only:
        for place in ledger.places():
            carrier.settle(place)
        ledger = history.ledger()
    chosen, seen = _chosen(wanted, history, ledger)
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
            kept=NOTHING_CHANGED,
            advice="To take back what can be taken back, add --force",
        )
    try:
        done = carrier.run([step for place in places for step in place.planned()])
    finally:  # also what was only done in part
        left = [] if wanted.dry_run else [place.settle(carrier.console) for place in places]
    problems += [problem for of_place in left for problem in of_place]
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


def chosen(wanted: UndoOptions, history: History) -> list[Record]:
    """Return the records that an undo would take back, the oldest first.

    Raises:
        UsageError: There is nothing to undo, or it was undone already.
        Stopped: One has not ended.
    """
    return _chosen(wanted, history, history.ledger())[0]


def _chosen(
    wanted: UndoOptions, history: History, ledger: Ledger
) -> tuple[list[Record], list[Record]]:
    """Return the records to undo, and the records that show the state before them."""
    if wanted.id and wanted.to:
        raise UsageError("Name one record, or go back --to one; not both.")
    if wanted.to:
        point = history.get(wanted.to)[-1].transaction
        found, seen = ledger.since(point), ledger.after(point)
        if not found:
            raise UsageError(f"Nothing was recorded after {point}.", kept=NOTHING_CHANGED)
    else:
        found = _not_yet(history.get(wanted.id), ledger) if wanted.id else ledger.latest()
        seen = ledger.with_attempts(found)
        if not found:
            raise UsageError(
                "There is nothing to take back.", kept=NOTHING_CHANGED, advice="See: %envhistory"
            )
    _check_ended(found, force=wanted.force)
    return found, seen


def _not_yet(chosen: list[Record], ledger: Ledger) -> list[Record]:
    taken = ledger.taken_back()
    left = [record for record in chosen if record.id not in taken]
    counting = [record for record in left if record.status != "failed" or has_effect(record)]
    by = next((taken[record.id].rpartition(".")[0] for record in chosen if record.id in taken), "")
    if not counting and by:
        raise UsageError(
            f"{chosen[-1].transaction} was taken back already, by {by}.",
            kept=NOTHING_CHANGED,
            advice=f"To have it again: %envundo {by}",
        )
    return counting or left


def _check_ended(chosen: Iterable[Record], *, force: bool) -> None:
    for record in chosen:
        if record.status == "running":
            raise Stopped(f"{record.id} is still running.", kept=NOTHING_CHANGED)
        if record.status == "interrupted" and record.outcome is None and not force:
            raise Stopped(
                f"{record.id} was cut off, and what it had changed by then is not known.",
                kept=NOTHING_CHANGED,
                advice=("See what is there: %envdiff", "To let it count no more: --force"),
            )


def _by_place(chosen: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records by prefix (empty for apt), the place of the last ones first."""
    import os

    places: dict[str, list[Record]] = {}
    for record in reversed(list(chosen)):
        prefix = "" if is_system(record.request.manager) else record.environment.prefix
        places.setdefault(prefix and os.path.normpath(prefix), []).append(record)
    return places


# One place


class Reversal:
    """One environment, or the system, and the records to undo there.

    Args:
        prefix: The environment's prefix; empty for apt's packages.
        records: The records, the newest first.
        moves: The changes of packages, everywhere, since the point to go back to.
        origins: The packages' origins according to the history.
        carrier: Plans and guards.
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
        self._relinks: tuple[Package, ...] = ()
        if disk and not self._lost:
            self._wanted = inverse(moves, self._here, prefix, origins)
            self._relinks = self._stripped()
        # also of what is back already: an attempt that was cut off may not have come to it
        before = [m.before for (where, *_), m in moves.items() if where == prefix and m.before]
        self._wishes = self._wishes_of((*before, *self._relinks) if disk and not self._lost else ())

    def _find(self, ref: EnvironmentRef) -> Environment:
        from ..model.environment import Environment
        from ..model.errors import UnknownEnvironment
        from ..where.environment import detect

        try:
            return detect(self._prefix or None)
        except UnknownEnvironment as error:
            self._lost = f"{error.problem} What was changed there is gone with it."
            return Environment(kind=ref.kind, name=ref.name, prefix=ref.prefix, python=ref.python)

    def _look(self) -> PackageSet:
        from ..model.packages import PackageSet
        from ..where.packages import read_packages

        if self._lost:
            return PackageSet()
        return read_packages(self.environment, of_environment() if self._prefix else of_system())

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
        try:
            if self._relinks:
                relink.fetch(self._relinks, self.environment)
        except CommandFailed as error:
            names = ", ".join(package.name for package in self._relinks)
            self._relinks = ()
            return [f"conda's own files of {names} are not available anywhere: {error.problem}"]
        return []

    def _stripped(self) -> tuple[Package, ...]:
        """Return conda's packages whose files a distribution that is removed now had replaced."""
        names = {package.name for package in self._wanted.goes if package.manager == "pip"}
        if not names or not self.environment.is_conda:
            return ()
        after = self._wanted.after()
        owners = relink.owners(names, self._here, self.environment)
        return tuple(package for package in owners if package.key not in after)

    def _wishes_of(self, packages: Iterable[Package]) -> list[Wish]:
        """Return the requested ones of the earlier packages."""
        from ..managers import get
        from ..managers.goal import Wish

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
        from ..managers.needs import broken_by

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
        ways = [self._exact(request)] + ([again] if again != request else [])
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

    def _exact(self, request: Request) -> Request:
        """Return a request that makes conda remove only what is named."""
        if request.manager == "conda" and request.action == "remove":
            return replace(request, options=("--force",))
        return request

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
        from ..managers import mark

        still_there = {p.key for p in self._wanted.goes} & self._look().by_key.keys()
        if self._relinks and not still_there:
            relink.relink(self._relinks, self.environment, console)
        mark(self._wishes, self.environment)
        here = self._look()
        return [
            f"{key[1]} is {now.version if now else 'not there'}, "
            f"and was {then.version if then else 'not there'}."
            for key, then in self._wanted.after().items()
            if not same(now := here.by_key.get(key), then)
        ]


def _moved_since(now: Package | None, left: Package | None) -> str:
    package = now or left
    assert package is not None
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
    for package in (*plan.change.added, *(new for _, new in plan.change.changed)):
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
