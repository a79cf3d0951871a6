"""Counts over histories: plain values that add up, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..model.environment import EnvironmentRef
from ..model.packages import ManagerName, PackageKey
from ..model.sources import Sources

Way = tuple[EnvironmentRef, Sources, tuple[str, ...]]
"""The environment, the sources and the extras of a request that stands."""

_MOST_WORDS = 5
"""Reasons that are kept of one request; a sixth person's is counted and not shown."""


@dataclass(slots=True)
class Use:
    """The use of one package."""

    users: int = 0  #: the people who installed it
    installs: int = 0  #: how often they did
    standing: int = 0  #: the people whose history still asks for it: each start installs it again
    seconds: float = 0.0  #: the time that those starts take, one start each
    bytes: int = 0  #: what those starts put on disk, where the packages' metadata says it
    withdrawn: int = 0  #: the people who removed it within an hour
    removed: int = 0  #: the people who removed it though they had not installed it
    #: the versions that were asked for, by people; empty for any
    asked: Counter[str] = field(default_factory=Counter)
    got: Counter[str] = field(default_factory=Counter)  #: the versions that stand, by people
    #: how it was asked for where it stands, by people
    ways: Counter[Way] = field(default_factory=Counter)

    def add(self, other: Use) -> None:
        """Add another's counts, of other people."""
        # one by one: a hub adds up a million of these each minute
        self.users += other.users
        self.installs += other.installs
        self.standing += other.standing
        self.seconds += other.seconds
        self.bytes += other.bytes
        self.withdrawn += other.withdrawn
        self.removed += other.removed
        counters: Any = (self.asked, other.asked), (self.got, other.got), (self.ways, other.ways)
        for mine, others in counters:
            for key, count in others.items():
                mine[key] = mine.get(key, 0) + count


@dataclass(slots=True)
class Failure:
    """One kind of failure of one package."""

    users: int = 0  #: the people who met it
    times: int = 0  #: how often they did

    def add(self, other: Failure) -> None:
        """Add another's counts, of other people."""
        self.users += other.users
        self.times += other.times


@dataclass(slots=True)
class Wait:
    """A request for a system's package that waits for an image."""

    users: int = 0  #: the people who wait
    since: str = ""  #: the day of the oldest request, ISO 8601; empty if unknown
    why: tuple[str, ...] = ()  #: what they said, a few of them

    def add(self, other: Wait) -> None:
        """Add another's counts, of other people."""
        self.users += other.users
        self.since = min(filter(None, (self.since, other.since)), default="")
        self.why = tuple(dict.fromkeys((*self.why, *other.why)))[:_MOST_WORDS]


@dataclass(slots=True)
class Tally:
    """The counts over some people's histories."""

    users: int = 0  #: the people with a record that counts
    records: int = 0
    uses: dict[PackageKey, Use] = field(default_factory=dict)  #: by package
    #: by package and kind of failure
    failures: dict[tuple[ManagerName, str, str], Failure] = field(default_factory=dict)
    waits: dict[PackageKey, Wait] = field(default_factory=dict)  #: by package
    #: the people who worked in an image, by its name
    images: Counter[str] = field(default_factory=Counter)
    #: what was not read, each with the reason
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the counts over other people's histories."""
        self.users += other.users
        self.records += other.records
        _merge(self.uses, other.uses, Use)
        _merge(self.failures, other.failures, Failure)
        _merge(self.waits, other.waits, Wait)
        self.images.update(other.images)
        self.skipped += other.skipped


def _merge(mine: dict[Any, Any], others: dict[Any, Any], new: type[Any]) -> None:
    for key, other in others.items():
        if (found := mine.get(key)) is None:
            found = mine[key] = new()
        found.add(other)


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum."""
    found = Tally()
    for each in tallies:
        found.add(each)
    return found
