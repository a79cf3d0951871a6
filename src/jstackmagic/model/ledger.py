"""The ledger: the result of a history, folded once and updated with each line."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, cast

from .collector import collector_paused
from .environment import EnvironmentRef
from .inventory import Inventory, Key, Present, key_of
from .managers import is_system, place
from .packages import ManagerName, Package, either, same, trace
from .recipe import Net, Recipe, taken_back
from .record import Record
from .request import Request


class Account(Protocol):
    """One column of the ledger."""

    def apply(self, record: Record, *, void: bool) -> None:
        """Enter a record; a void one was undone, or undid one."""


_A = TypeVar("_A", bound=Account)


class Ledger:
    """A fold of records: the requests, the packages present, their moves and origins.

    An account is folded when it is first asked for. From there on a new record costs its own entry
    and no more. An account starts again from nothing if that would not be the same: a record
    ended after a later one was entered, or one that was entered has been undone since.
    """

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._numbers: dict[str, int] = {}
        self._accounts: dict[type[Account], tuple[Account, int]] = {}
        self._void: frozenset[str] = frozenset()
        self._taken: Mapping[str, str] | None = {}

    @classmethod
    def of(cls, records: Iterable[Record]) -> Ledger:
        """Return the ledger of some records, in the order in which they began."""
        ledger = cls()
        for record in records:
            ledger.add(record)
        return ledger

    @property
    def records(self) -> Sequence[Record]:
        """Every record, in the order in which they began."""
        return tuple(self._records)

    def add(self, record: Record) -> None:
        """Apply a record, or the end of one that was taken in when it began."""
        number = self._numbers.setdefault(record.id, len(self._records))
        if number == len(self._records):
            self._records.append(record)
        else:
            was, self._records[number] = self._records[number], record
            for kind, (_, entered) in list(self._accounts.items()):
                if entered == number + 1 and _is_open(was):
                    self._accounts[kind] = (self._accounts[kind][0], number)
                elif entered > number:
                    del self._accounts[kind]
        if record.undoes or self._void:
            self._taken = None

    # What it comes to

    def recipe(self) -> Recipe:
        """Return the recipe of the requests that count."""
        with collector_paused():
            net = self._account(Net)
            return Recipe(tuple(net.steps()), tuple(net.holdings()))

    def asks_for(self, request: Request, prefix: str) -> bool:
        """Return True if all specs of an install were requested at a prefix."""
        standing = self._account(Net).asked(request.manager, place(request.manager, prefix))
        return {_masked(spec) for spec in request.texts} <= standing

    def has_named(self, manager: ManagerName, name: str) -> bool:
        """Return True if a package was requested by its name, whatever became of it since."""
        return any(
            record.request.manager == manager and name in {s.name for s in record.request.specs}
            for record in self._records
            if record.status in ("ok", "planned", "found")
        )

    def present(self) -> tuple[Present, ...]:
        """Return the packages that the records installed, each with its request.

        It follows what was seen on disk: an undone install leaves nothing, and neither does what
        was only planned. The system's packages come first, then by environment, manager and name.
        """
        there = self._account(Inventory).there
        return tuple(there[key] for key in sorted(there))

    def moves(self) -> dict[Key, Move]:
        """Return what became of each package that is not as it was in the beginning."""
        moves = self._account(_Movement).moves
        return {key: move for key, move in moves.items() if not same(move.before, move.left)}

    def origins(self) -> Origins:
        """Return where packages came from."""
        return Origins(self._account(_Arrivals).arrivals)

    def places(self) -> Mapping[str, EnvironmentRef | None]:
        """Return the environments by prefix, as last recorded; the system is None, and first."""
        refs: dict[str, EnvironmentRef | None] = {"": None}
        for record in self._records:
            if not is_system(record.request.manager):
                refs[place(record.request.manager, record.environment.prefix)] = record.environment
        return refs

    def taken_back(self) -> Mapping[str, str]:
        """Return the ids of what was undone, each with that of the record that did."""
        if self._taken is None:
            self._taken = taken_back(self._records)
        return self._taken

    # Which records

    def latest(self, cut_off: Container[str] = ()) -> list[Record]:
        """Return the records of the last transaction that can be undone.

        One that undoes another is passed over: a second undo goes further back. So is one that
        failed and changed nothing.

        Args:
            cut_off: The ids of records that left something half done, though they changed nothing.
        """
        taken = self.taken_back()
        for last in reversed(self._records):
            effect = has_effect(last) or last.id in cut_off
            if last.undoes or last.id in taken or not effect:
                continue
            return [
                record
                for record in self._records
                if record.transaction == last.transaction and record.id not in taken
            ]
        return []

    def after(self, transaction: str) -> list[Record]:
        """Return all records that began after those of a transaction."""
        own = [n for n, record in enumerate(self._records) if record.transaction == transaction]
        return self._records[own[-1] + 1 :]

    def since(self, transaction: str) -> list[Record]:
        """Return the records to undo to return to a transaction."""
        later = self.after(transaction)
        earlier = {
            name
            for record in self._records[: len(self._records) - len(later)]
            for name in (record.id, record.transaction)
        }
        taken = self.taken_back()
        return [
            record
            for record in later
            if record.id not in taken and (not record.undoes or record.undoes in earlier)
        ]

    def with_attempts(self, chosen: Sequence[Record]) -> list[Record]:
        """Return records with the interrupted or failed attempts to undo them.

        What such an attempt moved is a part of how things are: of what it was to take back, and of
        the later attempt that did.
        """
        targets = {name for r in chosen for name in (r.id, r.transaction, r.undoes) if name}
        own = {record.id for record in chosen}
        return [
            record
            for record in self._records
            if record.id in own
            or (record.undoes in targets and record.status in ("failed", "interrupted"))
        ]

    # Folding

    def _account(self, kind: Callable[[], _A]) -> _A:
        self._check_void()
        account, entered = self._accounts.get(cast("type[Account]", kind), (None, 0))
        found = kind() if account is None else cast("_A", account)
        for record in self._records[entered:]:
            found.apply(record, void=record.id in self._void)
        self._accounts[cast("type[Account]", kind)] = (found, len(self._records))
        return found

    def _check_void(self) -> None:
        """Start the accounts again that hold a record taken back, or back again, since."""
        taken = self.taken_back()
        # an undo that took several steps has a record of each, and all of them took back
        targets = {self._records[self._numbers[by]].undoes for by in taken.values()}
        takers = (r.id for r in self._records if r.undoes in targets) if targets else ()
        void = frozenset((*taken, *takers))
        changed, self._void = void ^ self._void, void
        if changed:
            first = min(self._numbers[name] for name in changed)
            self._accounts = {k: (a, n) for k, (a, n) in self._accounts.items() if n <= first}


def fold(records: Iterable[Record]) -> Recipe:
    """Return the recipe of some records."""
    return Ledger.of(records).recipe()


def _is_open(record: Record) -> bool:
    """Return True for a record that has entered nothing yet: it was begun, and has not ended."""
    return record.outcome is None and record.status in ("running", "interrupted")


def has_effect(record: Record) -> bool:
    """Return False for a record that failed, or synced workers, and changed nothing."""
    if record.context.cluster:
        return bool(record.outcome and record.outcome.workers)
    if record.outcome is not None and record.outcome.change:
        return True
    return record.status in ("ok", "planned", "found")


# What became of the packages


@dataclass(frozen=True, slots=True)
class Move:
    """The change of one package."""

    before: Package | None  #: the package before; None if it was not installed
    left: Package | None  #: the package after; None if it was removed
    record: str = field(default="", compare=False)  #: the id of the record that moved it last


@dataclass
class _Movement:
    """The changes of every package."""

    moves: dict[Key, Move] = field(default_factory=dict)

    def apply(self, record: Record, *, void: bool) -> None:
        for before, left in record.outcome.change.pairs if record.outcome else ():
            key = key_of(either(before, left), record)
            known = self.moves.get(key)
            mover = known.record if known and same(before, left) else record.id
            self.moves[key] = Move(known.before if known else before, left, mover)


@dataclass
class _Arrivals:
    """The arrivals of packages and their requests, found by the packages on disk."""

    arrivals: dict[tuple[str, ...], tuple[Package, Request]] = field(default_factory=dict)

    def apply(self, record: Record, *, void: bool) -> None:
        if record.outcome is None or record.request.action != "install":
            return
        for package in record.outcome.change.came:
            known = self.arrivals.get(trace(package))
            if known or not record.undoes:  # an undo brings it, but did not ask for it
                request = known[1] if known and record.undoes else record.request
                self.arrivals[trace(package)] = (package, request)


@dataclass(frozen=True)
class Origins:
    """The origins of packages according to the history."""

    #: the arrivals of packages and their requests, found by the packages on disk
    arrivals: Mapping[tuple[str, ...], tuple[Package, Request]]

    def request(self, package: Package) -> Request | None:
        """Return the request that brought a package; None without a record of it."""
        found = self.arrivals.get(trace(package))
        return found[1] if found else None

    def is_archive(self, package: Package) -> bool:
        """Return True for a conda package that was requested by its archive, not of a channel."""
        request = self.request(package)
        file = package.url.rpartition("/")[2]
        specs = request.specs if request and file else ()
        return any(spec.place.endswith(f"/{file}") for spec in specs)

    def describe(self, package: Package) -> Package:
        """Return a package with the hash it arrived with, which its metadata may not keep."""
        found = self.arrivals.get(trace(package))
        return replace(package, sha256=package.sha256 or found[0].sha256) if found else package


def _masked(spec: str) -> str:
    from .credentials import mask

    return mask(spec)
