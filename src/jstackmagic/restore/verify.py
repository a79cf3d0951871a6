"""Compare the record, the managers' own view and the disk: three witnesses.

Nothing is changed, and no index is asked. It starts the managers, so it runs only on request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .. import managers
from ..managers import View
from ..model.environment import Environment
from ..model.errors import CommandFailed, UnknownEnvironment
from ..model.inventory import Key, key_of
from ..model.ledger import fold
from ..model.managers import is_system
from ..model.packages import ManagerName, Package
from ..model.record import Record
from ..where.detect import detect
from ..where.metadata import read_packages

NOT_ASKED = "?"
"""The placeholder for a manager that could not be asked; such a witness decides nothing."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One package according to three witnesses."""

    name: str
    manager: ManagerName
    where: str  #: the environment's prefix; empty for Debian packages
    record: str  #: the last version in the history; empty if it was removed
    #: the manager's answer; empty if it has no such package, `NOT_ASKED` if it was not asked
    manager_says: str
    disk: str  #: the version in its files; empty without files
    #: of a local file that was installed: the hash on record, and that of the file now
    hashes: tuple[str, str] = ("", "")

    @property
    def agrees(self) -> bool:
        """Return whether all available witnesses agree."""
        says = self.disk if self.manager_says == NOT_ASKED else self.manager_says
        return self.record == says == self.disk and self.hashes[0] == self.hashes[1]


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of a verification."""

    packages: tuple[Witnessed, ...] = ()
    notes: tuple[str, ...] = ()  #: the witnesses that could not be asked, with the reason

    @property
    def differences(self) -> tuple[Witnessed, ...]:
        """The packages on which the witnesses differ."""
        return tuple(each for each in self.packages if not each.agrees)


def verify(history: Sequence[Record], chosen: Sequence[Record]) -> Verification:
    """Compare the records with the managers' view and the disk.

    A package that a later record moved is compared with the last record.

    Args:
        chosen: The records whose packages to compare.
    """
    seen: dict[Key, Package] = {}
    for holding in fold(history).holdings:
        prefix = holding.environment.prefix if holding.environment else ""
        seen |= {(prefix, package.manager, package.name): package for package in holding.packages}
    wanted = dict.fromkeys(_spoken_of(chosen))
    found: list[Witnessed] = []
    notes: list[str] = []
    for prefix in dict.fromkeys(prefix for prefix, _, _ in wanted):
        keys = [key for key in wanted if key[0] == prefix]
        records = {key: seen.get(key) for key in keys}
        try:
            found += _in_place(prefix, records, notes)
        except UnknownEnvironment as error:
            notes.append(f"{error.problem} What is recorded of it has no other witness.")
    return Verification(tuple(found), tuple(dict.fromkeys(notes)))


def _spoken_of(records: Iterable[Record]) -> Iterator[Key]:
    """Yield the packages that records changed or requested, each with its environment."""
    for record in records:
        if record.outcome is None or record.undoes:
            continue
        change = record.outcome.change
        for package in (*change.came, *change.removed, *record.outcome.resolved):
            yield key_of(package, record)


def _in_place(
    prefix: str, records: Mapping[Key, Package | None], notes: list[str]
) -> Iterator[Witnessed]:
    environment = detect(prefix or None)
    kinds = dict.fromkeys(manager for _, manager, _ in records)
    disk = read_packages(environment, tuple(kinds))
    views = {manager: _view(manager, environment, records.values(), notes) for manager in kinds}
    for (_, manager, name), package in records.items():
        view = views[manager]
        there = disk.get(manager, name)
        known = package.sha256 if package is not None and view is not None else ""
        now = view.hashes.get(_file_of(package), "") if view is not None and package else ""
        yield Witnessed(
            name=name,
            manager=manager,
            where=prefix,
            record=package.version if package is not None else "",
            manager_says=NOT_ASKED if view is None else view.versions.get(name, ""),
            disk=there.version if there is not None else "",
            hashes=(known, now) if known and now else ("", ""),
        )


def _view(
    manager: ManagerName,
    environment: Environment,
    records: Iterable[Package | None],
    notes: list[str],
) -> View | None:
    files = [file for package in records if package and (file := _file_of(package))]
    try:
        view = managers.get(manager).view(environment, files)
    except CommandFailed as error:
        notes.append(f"{manager} could not be asked: {error.problem}")
        return None
    if view is None:
        where = environment.prefix if not is_system(manager) else "here"
        notes.append(f"{manager} could not be asked: {where} has none.")
    return view


def _file_of(package: Package | None) -> str:
    """Return the local archive that a package was installed from, or an empty text."""
    if package is None or package.editable or not package.sha256:
        return ""
    parts = urlsplit(package.source)
    return unquote(parts.path) if parts.scheme == "file" else ""
