"""Show what is here that the base image did not bring, and which of it the history explains.

Examples:
    %envdiff                  # the running kernel's environment, and the system's packages
    %envdiff --name other
    %envdiff --unexplained    # only what nobody recorded
    %envdiff --adopt          # record what nobody recorded
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ..display import Part, Result, Table, Text
from ..model.environment import Environment
from ..model.errors import JStackMagicError
from ..model.managers import of_environment, of_system
from ..model.packages import Change, ManagerName, Package, PackageSet, same
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ..history.file import History
    from ..image.prove.brought import Brought
    from ..model.ledger import Ledger, Move
    from ..session import Session
    from ..where.baseline import Baseline, Witness

_Key = tuple[ManagerName, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_target(parser)
    parser.add_argument("--unexplained", action="store_true", help="only what nobody recorded")
    parser.add_argument(
        "--adopt", action="store_true", help="record what nobody recorded: it reaches the exports"
    )


def run(args: argparse.Namespace, session: Session) -> Drifts:
    """Compare every target with its beginning, and the system once."""
    history = session.history
    ledger = history.ledger()
    environments = targets(args)
    image = cache(_image)  # asked once, and anew the next time: its container changes
    drifts = [_drift(each, of_environment(), ledger, image) for each in environments]
    drifts.append(_drift(environments[0], of_system(), ledger, image))
    if args.adopt:
        for drift in drifts:
            adopt(drift, history, session)
        ledger = history.ledger()
        drifts = [_drift(drift.environment, drift.managers, ledger, image) for drift in drifts]
    return Drifts(tuple(drifts), only_unexplained=args.unexplained, adopted=args.adopt)


@dataclass(frozen=True, slots=True)
class Difference:
    """One package that is not as it was in the beginning.

    Attributes:
        before: As it was; None where it was not there.
        now: As it is; None where it is gone.
        record: The id of the record that explains it; empty where nobody recorded it.
    """

    before: Package | None
    now: Package | None
    record: str

    @property
    def package(self) -> Package:
        """It, as it is or was."""
        package = self.now or self.before
        assert package is not None
        return package


@dataclass(frozen=True)
class Drift:
    """How far one environment, or the system, is from its beginning.

    Attributes:
        environment: Where.
        managers: Whose packages these are.
        told_by: How the beginning is known, by manager; it is missing where nothing tells.
        differences: What is not as it was.
    """

    environment: Environment
    managers: tuple[ManagerName, ...]
    told_by: Mapping[ManagerName, str]
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> tuple[Difference, ...]:
        """What nobody recorded."""
        return tuple(each for each in self.differences if not each.record)

    @property
    def where(self) -> str:
        """The place, for people."""
        return "the system" if self.managers == of_system() else self.environment.description


def _drift(
    environment: Environment,
    managers: tuple[ManagerName, ...],
    ledger: Ledger,
    image: Callable[[], Witness | None],
) -> Drift:
    import os

    from ..where import baseline
    from ..where.packages import read_packages

    place = "" if managers == of_system() else os.path.normpath(environment.prefix)
    here = read_packages(environment, managers)
    moves = {key[1:]: move for key, move in ledger.moves().items() if key[0] == place}
    begun = baseline.container_start()
    try:
        base = baseline.of(environment, here, managers, begun=begun, image=image)
    except JStackMagicError:  # the engine went away: what lies here tells the rest
        base = baseline.of(environment, here, managers, begun=begun)
    change = here - _completed(base, here, moves)
    pairs = (
        *((None, package) for package in change.added),
        *change.changed,
        *((package, None) for package in change.removed),
    )
    found = []
    for before, now in pairs:
        package = now or before
        assert package is not None
        if same(before, now):
            continue
        move = moves.get(package.key)
        found.append(
            Difference(
                before, now, move.record if move is not None and same(move.left, now) else ""
            )
        )
    # the marks of what is recorded say nothing of the rest
    nobodys = Change(added=tuple(d.now for d in found if d.now and not d.before and not d.record))
    marked = {package.key: package for package in _marked(nobodys, environment).added}
    found = [replace(each, now=marked.get(each.package.key, each.now)) for each in found]
    found.sort(key=lambda difference: (difference.record != "", difference.package.key))
    return Drift(environment, managers, base.told_by, tuple(found))


def _image() -> Brought | None:
    """What the image of this container brought, where an engine is in reach that can tell."""
    from ..where.host import look

    host = look()
    if host.runtime is None or host.engine is None:
        return None
    from ..image.engine.client import connect
    from ..image.engine.container import this_container
    from ..image.prove.brought import Brought

    try:
        engine = connect()
        container = this_container(engine, host)
    except JStackMagicError:
        return None
    return Brought(engine, container) if container else None


def _completed(base: Baseline, here: PackageSet, moves: Mapping[_Key, Move]) -> PackageSet:
    """The beginning; of a manager of which nothing tells, what there was before the records."""
    untold = {p.key: p for p in here.packages if p.manager not in base.told_by}
    for key, move in moves.items():
        if key[0] not in base.told_by:
            if move.before is not None:
                untold[key] = move.before
            else:
                untold.pop(key, None)
    return PackageSet((*base.packages.packages, *untold.values()))


def adopt(drift: Drift, history: History, session: Session) -> None:
    """Record what nobody recorded, as found.

    What a person asked for is named rather than what that brought along: by the manager's own
    marks, and where it made none, what no other package needs.
    """
    from ..capture.observe import requests_behind
    from ..model.plan import Outcome

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
        history.note_found(
            request,
            drift.environment.ref,
            transaction=transaction,
            step=step,
            time=_time(part, drift.environment),
            context=session.context(),
            outcome=Outcome("ok", 0, 0.0, change=part),
        )


def _marked(change: Change, environment: Environment) -> Change:
    """What came, marked as asked for where nothing else needs it, if nobody's marks tell."""
    from ..restore.needs import needed
    from ..where.packages import read_packages

    marked = {p.manager for p in change.added if p.requested and not _is_of_uv(p, environment)}
    unmarked = {p.manager for p in change.added} - marked - {"apt"}
    if not unmarked:
        return change
    needs = needed(read_packages(environment, of_environment()), environment)
    return replace(
        change,
        added=tuple(
            replace(p, requested=p.key not in needs) if p.manager in unmarked else p
            for p in change.added
        ),
    )


def _is_of_uv(package: Package, environment: Environment) -> bool:
    """Whether uv installed a distribution: it marks everything as asked for."""
    from pathlib import Path

    from ..where.packages import files_of

    if package.manager != "pip":
        return False
    files = files_of(package, environment)
    installer = next((file for file in files if file.endswith(".dist-info/INSTALLER")), None)
    return installer is not None and Path(installer).read_text().strip() == "uv"


def _time(change: Change, environment: Environment) -> str:
    """When the last of the files came, ISO 8601, UTC; now for what is gone."""
    from datetime import datetime, timezone

    from ..where.baseline import time_of

    times = [time_of(p, environment) for p in (*change.added, *(new for _, new in change.changed))]
    last = max((each for each in times if each is not None), default=None)
    moment = (
        datetime.now(timezone.utc) if last is None else datetime.fromtimestamp(last, timezone.utc)
    )
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, repr=False)
class Drifts(Result):
    """How far environments and the system are from their beginning."""

    drifts: tuple[Drift, ...]
    only_unexplained: bool = False
    adopted: bool = False

    def summary(self) -> str:
        """How many packages are not as they were, and how many nobody recorded."""
        differences = sum(len(drift.differences) for drift in self.drifts)
        unexplained = sum(len(drift.unexplained) for drift in self.drifts)
        return f"{differences} differences, {unexplained} unexplained"

    def parts(self) -> Sequence[Part]:
        """A table for each place, what it is measured from, and what to do about the rest."""
        parts: list[Part] = []
        for drift in self.drifts:
            parts += self._parts_of(drift)
        unexplained = sum(len(drift.unexplained) for drift in self.drifts)
        if unexplained:
            words = f"Nobody recorded {unexplained} of these. Record them: %envdiff --adopt"
            parts.append(Text(words, "warning"))
        elif self.adopted:
            parts.append(Text("All of it is in the history now.", "good"))
        return parts

    def _parts_of(self, drift: Drift) -> Sequence[Part]:
        shown = drift.unexplained if self.only_unexplained else drift.differences
        told = ", ".join(f"{name}: {words}" for name, words in drift.told_by.items())
        against = f"Measured from {told}." if told else "Nothing tells how it began."
        if not shown:
            return [Text(f"Nothing differs in {drift.where}. {against}", "quiet")]
        rows = tuple(_row(difference) for difference in shown)
        columns = ("", "Package", "Version", "Manager", "Asked for", "Recorded")
        return [Table(columns, rows, f"What differs in {drift.where}"), Text(against, "quiet")]

    def to_json(self) -> Any:
        """The places and their differences."""
        import msgspec

        return [
            {
                "environment": msgspec.to_builtins(drift.environment.ref),
                "managers": list(drift.managers),
                "told_by": dict(drift.told_by),
                "differences": msgspec.to_builtins(drift.differences),
            }
            for drift in self.drifts
        ]


def _row(difference: Difference) -> tuple[str, ...]:
    before, now, package = difference.before, difference.now, difference.package
    sign = "+" if before is None else "−" if now is None else "~"
    version = package.version
    if before is not None and now is not None and before.version != now.version:
        version = f"{before.version} → {now.version}"
    asked = "yes" if now is not None and now.requested else ""
    recorded = difference.record or "by nobody"
    return (sign, package.name, version, package.manager, asked, recorded)
