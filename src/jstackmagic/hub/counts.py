"""The counts that the pages show: each person's, and their sum as of the last look.

Nobody sees a count while it moves. The sum is taken every minute, over whoever sent something, and
shown in steps of the fewest people: two looks differ by nobody, or by a step.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..report.shown import Report, coarse
from ..report.tally import Tally, total
from .store import Database


@dataclass
class LiveReport:
    """The counts."""

    store: Database
    least: int  #: the fewest people that a count may be of
    #: the report as of the last look
    report: Report = field(default_factory=lambda: Report(Tally()))
    body: str = ""  #: the report as HTML
    #: the sum without its steps, for what names no count
    everything: Tally = field(default_factory=Tally)
    _each: dict[int, tuple[str, Tally]] = field(default_factory=dict)
    _moved: set[int] | None = None  # None before the first look: everybody
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def moved(self, person: int) -> None:
        """Note that a person's counts are out of date."""
        with self._lock:
            if self._moved is not None:
                self._moved.add(person)

    def forget(self, person: int | None) -> None:
        """Take a person out of the counts at once; it takes a while, and belongs into a thread."""
        if person is not None:
            self.moved(person)  # a sum that is being taken may have them still
            self._each.pop(person, None)
            self._sum()

    def refresh(self, everybody: bool = False) -> None:
        """Take the sum again; it takes a while, and belongs into a thread."""
        with self._lock:
            moved, self._moved = self._moved, set()
        if everybody:
            moved = None
        if moved is not None and not moved:
            return
        try:
            self._read(moved)
        except BaseException:  # the database is away: they are read the next time
            with self._lock:
                self._moved = None if moved is None else {*moved, *(self._moved or ())}
            raise

    def _read(self, moved: set[int] | None) -> None:
        for number, name, tally in self.store.tallies(moved):
            self._each[number] = (name, tally)
        there = set(self.store.people())  # who was erased meanwhile was read before
        for number, (name, _) in list(self._each.items()):
            if name not in there:
                self._each.pop(number, None)
        self._sum()

    def _sum(self) -> None:
        self.everything = total(tally for _, tally in list(self._each.values()))
        self.report = Report(coarse(self.everything, self.least), limit=50, least=self.least)
        self.body = self.report.body()

    def waits(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield each request that waits: manager, package, person, day and reason."""
        for name, tally in list(self._each.values()):
            for (manager, package), wait in tally.waits.items():
                yield manager, package, name, wait.since, "; ".join(wait.why)
