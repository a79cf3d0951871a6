"""Drift: the differences from the beginning, and the records that explain them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..history.file import History
from ..managers.needs import needed
from ..model.environment import Environment
from ..model.errors import JStackMagicError
from ..model.ledger import Ledger, Move
from ..model.managers import of_environment, of_system
from ..model.managers import place as manager_place
from ..model.packages import Change, ManagerName, Package, PackageKey, PackageSet, either, same
from ..model.plan import Outcome
from ..model.record import Context
from ..model.request import Request
from ..where import baseline
from ..where.baseline import Baseline, Witness, time_of
from ..where.metadata import of_uv, read_packages
from ..where.ours import OWN, asked_for, needs_of, ours_in, reached


@dataclass(frozen=True, slots=True)
class DriftDifference:
    """One package that differs from the beginning."""

    before: Package | None  #: the package then; None if it was not installed
    now: Package | None  #: the package now; None if it is gone
    record: str  #: the id of the record that explains it; empty without a record

    @property
    def package(self) -> Package:
        """The package as it is or was."""
        return either(self.now, self.before)


@dataclass(frozen=True)
class Drift:
    """The drift of one environment, or the system, from its beginning."""

    environment: Environment
    managers: tuple[ManagerName, ...]
    #: the evidence of the beginning, by manager; a manager without evidence is missing
    evidence: Mapping[ManagerName, str]
    differences: tuple[DriftDifference, ...]  #: the packages that changed
    #: jstackmagic and the dependencies that only it needs: not differences, and never recorded
    ours: tuple[Package, ...] = ()

    @property
    def unexplained(self) -> tuple[DriftDifference, ...]:
        """The differences without a record."""
        return tuple(each for each in self.differences if not each.record)

    @property
    def where(self) -> str:
        """The place, in words."""
        return "the system" if self.managers == of_system() else self.environment.description


def drift_of(
    environment: Environment,
    managers: tuple[ManagerName, ...],
    ledger: Ledger,
    image: Callable[[], Witness | None],
) -> Drift:
    """Compare the packages with the beginning, and each difference with the records.

    Args:
        image: Returns the packages of this container's image; None if unknown.
    """
    place = "" if managers == of_system() else os.path.normpath(environment.prefix)
    here = read_packages(environment, managers)
    moves = {key[1:]: move for key, move in ledger.moves().items() if key[0] == place}
    begun = baseline.container_start()
    try:
        base = baseline.of(environment, here, managers, begun=begun, image=image)
    except JStackMagicError:  # the engine went away: the files here show the rest
        base = baseline.of(environment, here, managers, begun=begun)
    found = []
    for before, now in (here - _completed(base, here, moves)).pairs:
        if same(before, now):
            continue
        move = moves.get(either(now, before).key)
        record = move.record if move is not None and same(move.left, now) else ""
        found.append(DriftDifference(before, now, record))
    asked = asked_for(ledger.recipe(), environment.prefix) if place and found else set()
    ours = _ours(environment, here, found, asked) if place else ()
    found = [each for each in found if each.now not in ours]
    if place:
        found = _shared(environment, here, found, ledger)
    # the marks of what is recorded say nothing of the rest
    nobodys = Change(added=tuple(d.now for d in found if d.now and not d.before and not d.record))
    marked = {package.key: package for package in _marked(nobodys, environment).added}
    found = [replace(each, now=marked.get(each.package.key, each.now)) for each in found]
    uvs = of_uv(environment) if place else ()
    found = [_said_by(each, asked, uvs) for each in found]
    found.sort(key=lambda difference: (difference.record != "", difference.package.key))
    return Drift(environment, managers, base.evidence, tuple(found), ours)


def _said_by(
    each: DriftDifference, asked: set[PackageKey], uvs: Collection[PackageKey]
) -> DriftDifference:
    """Mark a package that records ask for, which may have been there before as a dependency."""
    if each.now is None:
        return each
    marked = each.now.requested and not (each.record and each.now.key in uvs)
    return replace(each, now=replace(each.now, requested=marked or each.now.key in asked))


def _ours(
    environment: Environment,
    here: PackageSet,
    found: Iterable[DriftDifference],
    asked: set[PackageKey],
) -> tuple[Package, ...]:
    """Return our own packages among the unrecorded ones."""
    # where a record asked for jstackmagic itself, what came with it before is ours all the same
    differs = {each.package.key for each in found}
    new = {each.package.key for each in found if each.before is None and not each.record}
    if not new:
        return ()
    others = asked | (here.by_key.keys() - new)
    found_here = ours_in(environment, here, others - ({OWN} & differs))
    return tuple(package for package in found_here if package.key in new)


def _shared(
    environment: Environment,
    here: PackageSet,
    found: list[DriftDifference],
    ledger: Ledger,
) -> list[DriftDifference]:
    """Explain jstackmagic's dependencies by the records that also need them."""
    if OWN not in here or all(each.record for each in found):
        return found
    needs, place = needs_of(environment, here), os.path.normpath(environment.prefix)
    own, uvs = reached(needs[OWN], needs), of_uv(environment)
    records: dict[PackageKey, str] = {}
    for record in ledger.records:
        if record.outcome is None or record.id in ledger.taken_back():
            continue
        if manager_place(record.request.manager, record.environment.prefix) != place:
            continue
        came = (*record.outcome.change.came, *record.outcome.resolved)
        for key in reached((package.key for package in came), needs):
            records.setdefault(key, record.id)
    shared = own & records.keys()
    return [
        replace(each, record=records[now.key])
        if (now := each.now)
        and not each.record
        and each.before is None
        and now.key in shared
        and (not now.requested or now.key in uvs)
        else each
        for each in found
    ]


def _completed(base: Baseline, here: PackageSet, moves: Mapping[PackageKey, Move]) -> PackageSet:
    """Return the beginning; for a manager without evidence, its packages before the records."""
    rest = {p.key: p for p in here.packages if p.manager not in base.evidence}
    for key, move in moves.items():
        if key[0] not in base.evidence:
            if move.before is not None:
                rest[key] = move.before
            else:
                rest.pop(key, None)
    return PackageSet((*base.packages.packages, *rest.values()))


def adopt(
    drift: Drift,
    history: History,
    context: Context,
    requests_behind: Callable[[Change], Iterable[tuple[Request, Change]]],
) -> None:
    """Record the unrecorded differences, as found.

    Requested packages are named rather than their dependencies: by the manager's own
    marks, or without marks, those that no other package needs.

    Raises:
        HistoryError: The history cannot be written.
    """
    change = Change(
        added=tuple(d.now for d in drift.unexplained if d.now and not d.before),
        changed=tuple((d.before, d.now) for d in drift.unexplained if d.now and d.before),
        removed=tuple(d.before for d in drift.unexplained if d.before and not d.now),
    )
    if not change:
        return
    transaction = history.new_transaction()
    behind = requests_behind(change)
    for step, (request, part) in enumerate(behind, start=1):
        history.note(
            "found",
            request,
            drift.environment.ref,
            transaction=transaction,
            step=step,
            time=_time(part, drift.environment),
            context=context,
            outcome=Outcome("ok", 0, 0.0, change=part),
        )


def _marked(change: Change, environment: Environment) -> Change:
    """Mark added packages that nothing else needs as requested, where no mark tells."""
    uvs = of_uv(environment)
    marked = {p.manager for p in change.added if p.requested and p.key not in uvs}
    unmarked = {p.manager for p in change.added} - marked - {*of_system()}
    judged = {p.key for p in change.added if p.manager in unmarked or p.key in uvs}
    if not judged:
        return change
    needs = needed(read_packages(environment, of_environment()), environment)
    return replace(
        change,
        added=tuple(
            replace(p, requested=p.key not in needs) if p.key in judged else p for p in change.added
        ),
    )


def _time(change: Change, environment: Environment) -> str:
    """Return the time of the newest file, ISO 8601, UTC; now for removed packages."""
    times = [time_of(p, environment) for p in change.came]
    last = max((each for each in times if each is not None), default=None)
    moment = (
        datetime.now(timezone.utc) if last is None else datetime.fromtimestamp(last, timezone.utc)
    )
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
