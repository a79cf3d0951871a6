"""Counts over histories: plain values that add up, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..model.environment import EnvironmentRef
from ..model.packages import ManagerName
from ..model.sources import Sources

Name = tuple[ManagerName, str]
"""A manager and a package's normalised name."""

Way = tuple[EnvironmentRef, Sources, tuple[str, ...]]
"""The environment, the sources and the extras of a request that stands."""

_MOST_WORDS = 5
"""Reasons that are kept of one request; a sixth person's is counted and not shown."""


@dataclass(slots=True)
class Use:
    """The use of one package.

    Attributes:
        users: The people who installed it.
        installs: How often they did.
        standing: The people whose history still asks for it: each start installs it again.
        seconds: The time that those starts take, one start each.
        bytes: What those starts put on disk, where the packages' metadata says it.
        withdrawn: The people who removed it within an hour.
        removed: The people who removed it though they had not installed it.
        asked: The versions that were asked for, by people; empty for any.
        got: The versions that stand, by people.
        ways: How it was asked for where it stands, by people.
    """

    users: int = 0
    installs: int = 0
    standing: int = 0
    seconds: float = 0.0
    bytes: int = 0
    withdrawn: int = 0
    removed: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    got: Counter[str] = field(default_factory=Counter)
    ways: Counter[Way] = field(default_factory=Counter)

    def add(self, other: Use) -> None:
        """Add another's counts, of other people."""
        for name in ("users", "installs", "standing", "seconds", "bytes", "withdrawn", "removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.asked.update(other.asked)
        self.got.update(other.got)
        self.ways.update(other.ways)


@dataclass(slots=True)
class Failure:
    """One kind of failure of one package.

    Attributes:
        users: The people who met it.
        times: How often they did.
    """

    users: int = 0
    times: int = 0

    def add(self, other: Failure) -> None:
        """Add another's counts, of other people."""
        self.users += other.users
        self.times += other.times


@dataclass(slots=True)
class Wait:
    """A request for a system's package that waits for an image.

    Attributes:
        users: The people who wait.
        since: The day of the oldest request, ISO 8601; empty if unknown.
        why: What they said, a few of them.
    """

    users: int = 0
    since: str = ""
    why: tuple[str, ...] = ()

    def add(self, other: Wait) -> None:
        """Add another's counts, of other people."""
        self.users += other.users
        self.since = min(filter(None, (self.since, other.since)), default="")
        self.why = tuple(dict.fromkeys((*self.why, *other.why)))[:_MOST_WORDS]


@dataclass(slots=True)
class Tally:
    """The counts over some people's histories.

    Attributes:
        users: The people with a record that counts.
        records: Their records.
        uses: By package.
        failures: By package and kind of failure.
        waits: By package.
        images: The people who worked in an image, by its name.
        skipped: What was not read, each with the reason.
    """

    users: int = 0
    records: int = 0
    uses: dict[Name, Use] = field(default_factory=dict)
    failures: dict[tuple[ManagerName, str, str], Failure] = field(default_factory=dict)
    waits: dict[Name, Wait] = field(default_factory=dict)
    images: Counter[str] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add the counts over other people's histories."""
        self.users += other.users
        self.records += other.records
        for use in other.uses:
            self.uses.setdefault(use, Use()).add(other.uses[use])
        for kind in other.failures:
            self.failures.setdefault(kind, Failure()).add(other.failures[kind])
        for name in other.waits:
            self.waits.setdefault(name, Wait()).add(other.waits[name])
        self.images.update(other.images)
        self.skipped += other.skipped


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum."""
    found = Tally()
    for each in tallies:
        found.add(each)
    return found
