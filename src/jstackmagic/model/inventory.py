"""The inventory of a history: every package that its records installed, and its request."""

from __future__ import annotations

from dataclasses import dataclass, field

from .managers import place
from .packages import ManagerName, Package, either
from .recipe import name_of_place
from .record import Record

Key = tuple[str, ManagerName, str]
"""A prefix, empty for apt; a manager; a package's normalised name."""


@dataclass(frozen=True, slots=True)
class Present:
    """A package that a record installed."""

    package: Package  #: as last seen on disk
    brought: Record  #: the record that installed it, or last changed it
    asked: Record | None = None  #: the record that requested it by name; None for a dependency
    spec: str = ""  #: the spec in that record's request


@dataclass
class Inventory:
    """The packages present so far, and those that were there at the start."""

    there: dict[Key, Present] = field(default_factory=dict)
    base: dict[Key, Package | None] = field(default_factory=dict)

    def apply(self, record: Record, *, void: bool) -> None:
        """Enter a record: an undone one too, since taking it back was seen on disk as well."""
        if record.outcome is None:
            return
        specs = _specs(record)
        for old, new in record.outcome.change.pairs:
            self._move(record, old, new, _spec(new, record, specs) if new else "")
        for package in record.outcome.resolved:
            self._name(record, package, _spec(package, record, specs))

    def _move(self, record: Record, old: Package | None, new: Package | None, spec: str) -> None:
        key = key_of(either(new, old), record)
        before = self.base.setdefault(key, old)
        earlier = self.there.pop(key, None)
        if new is None or (before is not None and new.identity == before.identity):
            return
        if spec:
            self.there[key] = Present(new, record, record, spec)
        elif earlier is not None:  # moved by another install, and still wanted for itself
            self.there[key] = Present(new, record, earlier.asked, earlier.spec)
        else:
            self.there[key] = Present(new, record)

    def _name(self, record: Record, package: Package, spec: str) -> None:
        """Note the request for a package that is there already."""
        present = self.there.get(key_of(package, record))
        if spec and present is not None and present.package.version == package.version:
            known = package if package.sha256 or package.url else present.package
            asked, said = (present.asked, present.spec) if present.asked else (record, spec)
            self.there[key_of(package, record)] = Present(known, present.brought, asked, said)


def _specs(record: Record) -> dict[str, str]:
    request = record.request
    if request.action != "install":
        return {}
    return {spec.name or name_of_place(spec, record): spec.text for spec in request.specs}


def _spec(package: Package, record: Record, specs: dict[str, str]) -> str:
    return specs.get(package.name, "") if package.manager == record.request.manager else ""


def key_of(package: Package, record: Record) -> Key:
    """Return where a record has a package."""
    return (place(package.manager, record.environment.prefix), package.manager, package.name)
