"""The net of a history: what must be installed to get here from the base image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple

from .environment import EnvironmentRef
from .managers import listed, of_environment, of_system
from .packages import Change, CondaDetail, ManagerName, Package, trace
from .plan import Outcome
from .record import Record
from .request import Request
from .sources import Sources
from .spec import (
    Constraint,
    RequirementsFile,
    Spec,
    is_direct,
    of_package,
    read,
    read_all,
    same_place,
)

Style = Literal["stacks", "legacy", "plain"]
"""The patterns of a Dockerfile; see `jstackmagic.export.dockerfile`."""

_COUNTS = ("ok", "planned")
_NO_CHANGE = Change()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to install."""

    spec: Spec  #: the requested spec, with the extras of later requests
    name: str = ""  #: the package's normalised name; empty without one (``-r FILE``)
    version: str = ""  #: as last seen on disk; empty if it was never seen
    build: str = ""  #: conda's build string as last seen on disk
    source: str = ""  #: the channel or URL as last seen on disk
    sha256: str = ""  #: of the archive it was unpacked from, if known
    upgrade: bool = False  #: whether the newest version allowed was requested
    brought: tuple[Item, ...] = ()  #: for a spec without a name, its packages as last seen on disk

    @property
    def text(self) -> str:
        """The spec as the user wrote it."""
        return self.spec.text


@dataclass(frozen=True, slots=True)
class RecipeStep:
    """One run of one manager in one environment."""

    manager: ManagerName
    #: its environment; None for apt, which serves the whole system
    environment: EnvironmentRef | None
    #: in the order the user asked. ``-c FILE`` is among them: it holds for the step.
    install: tuple[Item, ...] = ()
    remove: tuple[str, ...] = ()  #: names of packages of the base image to remove first
    sources: Sources = field(default_factory=Sources)
    options: tuple[str, ...] = ()  #: the words after ``--``

    def __post_init__(self) -> None:
        items = tuple(_read_item(self.manager, item) for item in self.install)
        object.__setattr__(self, "install", items)
        if self.options:
            sources, options = self.sources.taking(self.manager, self.options)
            object.__setattr__(self, "sources", sources)
            object.__setattr__(self, "options", options)


def _read_item(manager: ManagerName, item: Item) -> Item:
    (spec,) = read_all(manager, (item.spec,))
    brought = tuple(_read_item(manager, each) for each in item.brought)
    return item if spec is item.spec and not brought else replace(item, spec=spec, brought=brought)


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A wheel or a source archive of an index."""

    name: str  #: the distribution's name, normalised
    version: str
    url: str
    sha256: str  #: in hexadecimal


@dataclass(frozen=True, slots=True)
class Holding:
    """The packages of an environment: those requested, and their dependencies."""

    environment: EnvironmentRef | None  #: their environment; None for the system's Debian packages
    packages: tuple[Package, ...] = ()  #: by manager and name, as last seen on disk
    details: tuple[CondaDetail, ...] = ()  #: of its conda packages, if they could be read
    #: the files of an index that serve the versions of its pip packages, if it was asked; there is
    #: one more for every other platform
    archives: tuple[IndexFile, ...] = ()
    #: conda's name of the platform, such as ``linux-64``, if it differs from the history's
    platform: str = ""
    #: whether it is complete. A history has only the changes; the environment itself, if it is
    #: here, can be read whole.
    whole: bool = False

    def of(self, manager: ManagerName) -> list[Package]:
        """Return the packages of one manager."""
        return [package for package in self.packages if package.manager == manager]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in an order that works: apt, then for each environment conda, then pip."""

    steps: tuple[RecipeStep, ...] = ()
    #: the resulting packages, for formats that list all; not part of what two recipes are compared
    #: by. An environment has one, or one a platform.
    holdings: tuple[Holding, ...] = field(default=(), compare=False)


def taken_back(history: Sequence[Record]) -> dict[str, str]:
    """Return the ids of the records that were undone, each with the id of the one that did.

    One that undid another and was itself undone does not count.
    """
    targets: dict[str, list[str]] = {record.undoes: [] for record in history if record.undoes}
    if not targets:
        return {}
    for record in history:
        for target in (record.id, record.transaction):
            if target in targets:
                targets[target].append(record.id)
    taken: dict[str, str] = {}
    for record in reversed(history):
        if record.undoes and record.id not in taken and record.status in _COUNTS:
            taken |= dict.fromkeys(targets[record.undoes], record.id)
    return taken


class _Manner(NamedTuple):
    """The options of a request for all of its specs; specs with other options get another step."""

    sources: Sources
    options: tuple[str, ...]
    constraints: tuple[Spec, ...]  #: the ``-c FILE`` specs
    #: the ``-r FILE`` specs: a file may name an index or ask for hashes, for the whole run
    files: tuple[Spec, ...]


class _AskedSpec(NamedTuple):
    """One spec that is requested; ``since`` orders the entries of all shelves."""

    spec: Spec
    name: str
    options: _Manner
    since: int
    upgrade: bool
    brought: tuple[Package, ...]  #: of a spec without a name, as they arrived
    listed: Spec | None = None  #: the list that it is what is left of


@dataclass(slots=True)
class _Shelf:
    """One manager in one environment."""

    manager: ManagerName
    prefix: str  #: empty for apt, which serves the whole system
    #: by name, every package as last seen on disk
    seen: dict[str, Package] = field(default_factory=dict)
    #: the names of the packages that a counting record added
    ours: set[str] = field(default_factory=set)
    #: the names of those that were removed though no record had added them
    base: set[str] = field(default_factory=set)
    #: the requested items by name, or by the whole spec without a name
    asked: dict[str, _AskedSpec] = field(default_factory=dict)
    #: the names of the base's packages that were removed, and since when
    removals: dict[str, int] = field(default_factory=dict)

    def added(self, name: str) -> None:
        self.ours.add(name)
        self.removals.pop(name, None)

    def removed(self, name: str) -> None:
        self.spell_out(name)
        self.asked.pop(name, None)
        if name in self.ours:
            self.ours.remove(name)
        else:
            self.base.add(name)

    def spell_out(self, name: str) -> None:
        """Put what is left of the lists that asked for a package that went or moved in their place.

        They would bring it back, and pip refuses two versions of one package.
        """
        for at in [*self.asked]:
            entry = self.asked[at]
            wanted = [package.name for package in entry.brought if package.requested]
            if name not in wanted:
                continue
            files = tuple(each for each in entry.options.files if each != entry.spec)
            options = entry.options._replace(files=files)
            left = {
                each: entry._replace(
                    spec=_as_seen(self.seen[each]), name=each, brought=(), listed=entry.spec
                )
                for each in wanted
                if each in self.seen and each not in self.asked
            }
            asked: dict[str, _AskedSpec] = {}
            for key, each in self.asked.items():
                asked |= left if key == at else {key: each}
            self.asked = {
                key: each._replace(options=options) if each.options == entry.options else each
                for key, each in asked.items()
            }

    def ask(self, entry: _AskedSpec) -> None:
        key = entry.name or entry.spec.text
        left = [each for each in self.asked.values() if each.listed == entry.spec]
        for each in left:  # the list is asked for again
            del self.asked[each.name]
        again = (replace(self.seen[e.name], requested=True) for e in left if e.name in self.seen)
        entry = entry._replace(brought=(*again, *entry.brought))
        earlier = self.asked.get(key)
        if earlier is not None:
            entry = entry._replace(spec=_with_extras(entry.spec, earlier.spec))
            if entry.spec == earlier.spec and entry.options == earlier.options:
                entry = earlier._replace(
                    upgrade=entry.upgrade or earlier.upgrade,
                    brought=earlier.brought + entry.brought,
                    listed=None,
                )
            else:
                del self.asked[key]
        self.asked[key] = entry
        self.removals.pop(entry.name, None)

    def take_out(self, name: str, since: int, *, planned: bool) -> None:
        self.spell_out(name)
        was_asked = self.asked.pop(name, None) is not None
        # a planned removal was not seen: a package that was not requested must be the base's
        if name in self.base or (planned and not was_asked and name not in self.ours):
            self.removals.setdefault(name, since)

    def since(self) -> Iterator[int]:
        """Yield the times of the requests that remain here."""
        yield from (entry.since for entry in self.asked.values())
        yield from self.removals.values()


@dataclass
class Net:
    """The requests that count so far.

    - A request counts if it succeeded or was planned (``--record-only``). Of one that failed or
      was interrupted, what was observed on disk counts all the same: the specs whose package did
      arrive, and the packages that did go.
    - A record that was undone, and the one that undid it, count only for the
      versions they left; undoing the second restores the first.
    - A package requested again keeps its place if it was requested in the same way; otherwise its
      earlier request no longer counts.
    - A version is the last one seen on disk, after any later change.
    - A removal cancels the install. Only a package that no record had added, and that is
      therefore in the base image, leaves a removal behind.
    """

    #: the shelves by manager that all environments share
    system: dict[ManagerName, _Shelf] = field(
        default_factory=lambda: {manager: _Shelf(manager, "") for manager in of_system()}
    )
    #: by prefix, as last recorded
    environments: dict[str, EnvironmentRef] = field(default_factory=dict)
    #: by prefix and manager
    shelves: dict[str, dict[ManagerName, _Shelf]] = field(default_factory=dict)
    count: int = 0  #: the number of records applied

    def apply(self, record: Record, *, void: bool) -> None:
        """Apply a record; a void one only says what was on disk after it."""
        self.count += 1
        prefix = _normal(record.environment.prefix)
        self.environments[prefix] = record.environment
        shelves = self.shelves.get(prefix)
        if shelves is None:
            shelves = {manager: _Shelf(manager, prefix) for manager in of_environment()}
            self.shelves[prefix] = shelves = shelves | self.system
        if record.outcome is not None:
            _observe(record.outcome, shelves, void=void)
        if void:
            return
        shelf = shelves[record.request.manager]
        counts = record.status in _COUNTS
        if record.request.action == "install":
            specs = record.request.specs if counts else tuple(_specs_seen(record, shelf))
            self._install(record, shelf, specs)
        else:
            gone = {package.name for package in _change(record).removed}
            for spec in record.request.specs:
                name = _name(spec, record, shelf)
                if counts or name in gone:
                    planned = bool(name) and record.status == "planned"
                    shelf.take_out(name or spec.text, self.count, planned=planned)

    def _install(self, record: Record, shelf: _Shelf, specs: Sequence[Spec]) -> None:
        request = record.request
        options = _options(request, specs)
        names = {spec: _name(spec, record, shelf) for spec in specs}
        for spec, name in names.items():
            if spec in options.constraints:
                continue
            if record.outcome is None:  # planned: what it moves was not seen
                shelf.spell_out(name)
            brought = () if name else _brought(record, set(names.values()))
            shelf.ask(_AskedSpec(spec, name, options, self.count, request.upgrade, brought))

    def asked(self, manager: ManagerName, place: str) -> set[str]:
        """Return the texts of one manager that count, at one prefix or for the system."""
        shelves = self.shelves.get(place, {}) if place else self.system
        found = shelves.get(manager)
        if found is None:
            return set()
        entries = found.asked.values()
        constraints = {spec.text for entry in entries for spec in entry.options.constraints}
        return {entry.spec.text for entry in entries} | constraints

    def steps(self) -> Iterator[RecipeStep]:
        """Yield the steps, in an order that works."""
        for shelf in self.system.values():
            yield from self._steps_of(shelf)
        oldest = {
            prefix: min(since)
            for prefix in self.shelves
            if (since := [number for shelf in self._own(prefix) for number in shelf.since()])
        }
        for prefix in sorted(oldest, key=oldest.__getitem__):
            for shelf in self._own(prefix):
                yield from self._steps_of(shelf)

    def _own(self, prefix: str) -> list[_Shelf]:
        """Return the shelves of one environment, in the order in which the managers work."""
        return [self.shelves[prefix][manager] for manager in of_environment()]

    def holdings(self) -> Iterator[Holding]:
        """Yield the packages last seen on disk: the system's, then each environment's."""
        shared = [package for shelf in self.system.values() for package in shelf.seen.values()]
        if shared:
            yield Holding(None, _sorted(shared))
        for prefix in self.shelves:
            seen = [package for shelf in self._own(prefix) for package in shelf.seen.values()]
            if seen:
                yield Holding(self.environments[prefix], _sorted(seen))

    def _steps_of(self, shelf: _Shelf) -> Iterator[RecipeStep]:
        environment = self.environments[shelf.prefix] if shelf.prefix else None
        remove = tuple(shelf.removals)
        if remove and not shelf.asked:
            yield RecipeStep(shelf.manager, environment, remove=remove)
        for options, entries in groupby(shelf.asked.values(), key=lambda entry: entry.options):
            constraints = (Item(spec) for spec in options.constraints)
            yield RecipeStep(
                shelf.manager,
                environment,
                install=(*constraints, *(self._item(shelf, entry) for entry in entries)),
                remove=remove,
                sources=options.sources,
                options=options.options,
            )
            remove = ()

    def _item(self, shelf: _Shelf, entry: _AskedSpec) -> Item:
        names = dict.fromkeys(package.name for package in entry.brought)
        seen = map(shelf.seen.get, names)
        item = Item(
            entry.spec,
            entry.name,
            upgrade=entry.upgrade,
            brought=tuple(
                Item(
                    read(shelf.manager, package.name),
                    package.name,
                    package.version,
                    package.build,
                    package.source,
                )
                for package in seen
                if package is not None and not package.editable
            ),
        )
        package = self._serving(shelf, entry.name)
        if package is None:
            return item
        return replace(
            item,
            version=package.version,
            build=package.build,
            source=package.source,
            sha256=package.sha256,
        )

    def _serving(self, shelf: _Shelf, name: str) -> Package | None:
        """Return the package as last seen; another manager's of that name may satisfy this one."""
        package = shelf.seen.get(name)
        for other in listed(shelf.manager).content_with if name and package is None else ():
            seen = self.shelves[shelf.prefix][other].seen
            found = seen.get(name) or seen.get(name.replace("-", "_"))
            package = Package(shelf.manager, name, found.version) if found else package
        return package


def _sorted(packages: Iterable[Package]) -> tuple[Package, ...]:
    return tuple(sorted(packages, key=lambda package: package.key))


@lru_cache(maxsize=1024)
def _normal(prefix: str) -> str:
    return os.path.normpath(prefix)


def _change(record: Record) -> Change:
    return record.outcome.change if record.outcome else _NO_CHANGE


def _observe(outcome: Outcome, shelves: dict[ManagerName, _Shelf], *, void: bool) -> None:
    change = outcome.change
    for package in change.removed:
        shelf = shelves[package.manager]
        shelf.seen.pop(package.name, None)
        if not void:
            shelf.removed(package.name)
    for package in change.added:
        shelf = shelves[package.manager]
        shelf.seen[package.name] = package
        if not void:
            shelf.added(package.name)
    for before, package in change.changed:
        shelf = shelves[package.manager]
        shelf.seen[package.name] = package
        if not void and trace(before) != trace(package):
            shelf.spell_out(package.name)
    for package in outcome.resolved:
        shelves[package.manager].seen[package.name] = package


def _options(request: Request, specs: Sequence[Spec]) -> _Manner:
    return _Manner(
        request.sources,
        request.options,
        constraints=tuple(spec for spec in specs if isinstance(spec, Constraint)),
        files=tuple(spec for spec in specs if isinstance(spec, RequirementsFile)),
    )


def _specs_seen(record: Record, shelf: _Shelf) -> Iterator[Spec]:
    """Yield the arrived specs of an unfinished install, and specs of other requested packages."""
    arrived = {p.name: p for p in _change(record).came if p.manager == shelf.manager}
    for spec in record.request.specs:
        if arrived.pop(_name(spec, record, shelf), None):
            yield spec
    yield from (of_package(package) for package in arrived.values() if package.requested)


def _as_seen(package: Package) -> Spec:
    """Return the spec of a package as it was last seen."""
    if listed(package.manager).direct and is_direct(package):
        return of_package(package)
    return read(package.manager, f"{package.name}=={package.version}")


def _brought(record: Record, named: set[str]) -> tuple[Package, ...]:
    """Return the packages that a record brought and did not name."""
    if record.outcome is None:
        return ()
    serving = (replace(package, requested=True) for package in record.outcome.resolved)
    arrived = (*record.outcome.change.came, *serving)
    own = (package for package in arrived if package.manager == record.request.manager)
    return tuple(package for package in own if package.name not in named)


def _name(spec: Spec, record: Record, shelf: _Shelf) -> str:
    """Return the name in a spec; for a place, the name of the package installed from it."""
    if ":" in spec.name and spec.name not in shelf.seen:
        return spec.name.partition(":")[0]  # dpkg names its own architecture nowhere
    return spec.name or name_of_place(spec, record)


def name_of_place(spec: Spec, record: Record) -> str:
    """Return the package that a record's request installed from a place; empty if unseen.

    Where a place names its package (``Listed.direct``), it needs no look.
    """
    if not listed(record.request.manager).direct or record.outcome is None or not spec.place:
        return ""
    candidates = (*record.outcome.resolved, *record.outcome.change.came)
    where = same_place(spec.place)
    return next((p.name for p in candidates if p.source and same_place(p.source) == where), "")


def _with_extras(spec: Spec, earlier: Spec) -> Spec:
    """Return a requirement with an earlier one's extras, which are still on disk."""
    if set(earlier.extras) <= set(spec.extras):
        return spec
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        new = Requirement(spec.text)
    except InvalidRequirement:  # a path
        return spec
    new.extras |= set(earlier.extras)
    return read("pip", str(new))
