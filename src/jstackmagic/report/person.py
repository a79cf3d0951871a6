"""One person's history, read line by line and folded into counts.

Only the fields that are counted are decoded. What the fold keeps grows with the packages that one
person named, never with the lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import BinaryIO, NamedTuple

import msgspec

from ..history.lines import SCHEMA, time_of
from ..model.causes import cause_of
from ..model.environment import EnvironmentRef
from ..model.managers import is_system, names, place
from ..model.packages import PackageKey
from ..model.record import WHY
from ..model.sources import Sources
from ..model.spec import MatchSpec, Requirement, Spec, read
from ..model.text import counted
from .tally import Failure, Tally, Use, Wait

MAX_LINE = 8 * 2**20
"""Bytes of a line; a manager's log of 5,500 lines, the most that is kept, has one."""

MAX_NAMES = 20_000
"""Packages of one person; an image with all of Anaconda has some 600."""

_MAX_OPEN = 10_000  # records begun and not ended
_MAX_TEXT = 300  # characters of a spec, a version, an image or a reason
_SOON = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Filter:
    """The records that count."""

    since: str = ""  #: only from this time on, ISO 8601 in UTC as records have it; empty for all
    until: str = ""  #: only up to this time
    image: str = ""  #: a pattern of the images
    environment: str = ""  #: a pattern of the environments, by name or prefix

    def __contains__(self, line: PersonLine) -> bool:
        where = line.environment
        return (
            (not self.since or line.time >= self.since)
            and (not self.until or line.time <= self.until)
            and (not self.image or fnmatchcase(line.context.image, self.image))
            and (
                not self.environment
                or fnmatchcase(where.name or "", self.environment)
                or fnmatchcase(where.prefix, self.environment)
            )
        )


class _BriefRequest(msgspec.Struct, gc=False):
    action: str
    manager: str
    specs: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()


class _BriefPackage(msgspec.Struct, gc=False):
    manager: str
    name: str
    version: str = ""
    size: int | None = None


class _BriefChange(msgspec.Struct, gc=False):
    added: tuple[_BriefPackage, ...] = ()
    removed: tuple[_BriefPackage, ...] = ()


class _BriefOutcome(msgspec.Struct, gc=False):
    status: str
    seconds: float = 0.0
    change: _BriefChange = msgspec.field(default_factory=_BriefChange)
    resolved: tuple[_BriefPackage, ...] = ()
    message: str = ""


class _BriefContext(msgspec.Struct, gc=False):
    image: str = ""


_NOWHERE = EnvironmentRef("system", None, "", None)


class PersonLine(msgspec.Struct, gc=False):
    """The fields of a history's line that are counted."""

    v: int
    event: str
    id: str
    time: str
    request: _BriefRequest | None = None
    environment: EnvironmentRef = _NOWHERE
    context: _BriefContext = msgspec.field(default_factory=_BriefContext)
    outcome: _BriefOutcome | None = None
    undoes: str = ""
    notes: tuple[str, ...] = ()


decode = msgspec.json.Decoder(PersonLine).decode


class Unusable(Exception):
    """A history cannot be counted; the text is the reason."""


class _PersonStanding(NamedTuple):
    time: str
    seconds: float
    bytes: int
    version: str
    way: tuple[EnvironmentRef, Sources, tuple[str, ...]]


@dataclass(slots=True)
class _PersonRecord:
    """One person's use of a package."""

    installs: int = 0
    withdrawn: bool = False
    removed: bool = False
    asked: set[str] = field(default_factory=set)


class Person:
    """The fold of one history."""

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._open: dict[str, PersonLine] = {}
        self._mine: dict[PackageKey, _PersonRecord] = {}
        self._standing: dict[tuple[str, str, str], _PersonStanding] = {}
        self._failures: Counter[tuple[str, str, str]] = Counter()
        self._waits: dict[PackageKey, tuple[str, tuple[str, ...]]] = {}
        self._images: set[str] = set()
        self._count = 0
        self._bad: Counter[str] = Counter()

    def take(self, raw: bytes) -> None:
        """Take one line in, or count it as bad.

        Raises:
            Unusable: There are more packages than any person could name.
        """
        if len(raw) >= MAX_LINE:
            self._bad[f"more than {MAX_LINE // 2**20} MB"] += 1
            return
        try:
            line = decode(raw)
        except (ValueError, RecursionError):
            self._bad["no record"] += bool(raw.strip())
            return
        if line.v != SCHEMA:
            self._bad["another schema version"] += 1
        elif line.event == "end":
            self._end(line)
        elif line.request is None or line.request.manager not in names():
            self._bad["no record"] += 1
        elif line in self._wanted:
            self._begin(line)

    def _begin(self, line: PersonLine) -> None:
        self._count += 1
        if line.context.image:
            self._images.add(line.context.image[:_MAX_TEXT])
        if line.event == "begin":
            self._open[line.id] = line
            if len(self._open) > _MAX_OPEN:
                del self._open[next(iter(self._open))]
        elif line.event == "planned":
            self._plan(line)
        elif line.event == "found" and line.outcome:
            self._apply(line, line.outcome)
        named = len(self._mine) + len(self._failures) + len(self._waits) + len(self._images)
        if named > MAX_NAMES:
            raise Unusable(f"it names more than {MAX_NAMES} packages")

    def _end(self, line: PersonLine) -> None:
        start = self._open.get(line.id)
        if start is None or line.outcome is None:
            return
        if line.outcome.status == "ok":  # what failed may be finished since
            del self._open[line.id]
        self._apply(start, line.outcome)

    def _plan(self, line: PersonLine) -> None:
        assert line.request is not None
        why = tuple(n.removeprefix(WHY)[:_MAX_TEXT] for n in line.notes if n.startswith(WHY))
        if line.request.action != "install" or not (why or is_system(line.request.manager)):
            return
        for spec in _specs(line):
            if spec.name:
                self._waits.setdefault((line.request.manager, spec.name), (line.time, why))

    def _apply(self, line: PersonLine, outcome: _BriefOutcome) -> None:
        request = line.request
        assert request is not None
        manager = request.manager
        specs = [spec for spec in _specs(line) if spec.name]
        if outcome.status != "ok":
            cause = cause_of(outcome.message) if outcome.status == "failed" else "interrupted"
            for spec in specs:
                self._failures[manager, spec.name, cause] += 1
        elif request.action == "remove":
            for spec in specs:
                self._remove(line, spec.name)
        else:
            self._install(line, outcome, specs)

    def _install(self, line: PersonLine, outcome: _BriefOutcome, specs: list[Spec]) -> None:
        request = line.request
        assert request is not None
        if not specs:
            return
        manager, where = request.manager, line.environment
        share = 1 / len(specs)
        seconds = min(max(outcome.seconds, 0.0), 86_400.0) * share
        size = sum(min(max(each.size or 0, 0), 2**40) for each in outcome.change.added)
        versions = {each.name: each.version for each in outcome.resolved}
        sources = Sources(request.channels, request.index_url, request.extra_index_urls)
        for spec in specs:
            name = spec.name
            mine = self._mine.setdefault((manager, name), _PersonRecord())
            if not line.undoes:
                mine.installs += 1
                mine.asked.add(_version_of(spec))
            self._waits.pop((manager, name), None)
            if spec.place:
                continue  # what one person has in a file is nothing for an image of all
            got = versions.get(name, "")[:_MAX_TEXT]
            self._standing[place(manager, where.prefix), manager, name] = _PersonStanding(
                line.time, seconds, int(size * share), got, (where, sources, spec.extras)
            )

    def _remove(self, line: PersonLine, name: str) -> None:
        assert line.request is not None
        manager = line.request.manager
        self._waits.pop((manager, name), None)
        stood = self._standing.pop((place(manager, line.environment.prefix), manager, name), None)
        mine = self._mine.setdefault((manager, name), _PersonRecord())
        if stood is None:
            mine.removed = True
        elif _is_soon(stood.time, line.time):
            mine.withdrawn = True

    def tally(self, called: str = "") -> Tally:
        """Return the counts of this person.

        Args:
            called: The file's name, for what was skipped.
        """
        found = Tally(users=bool(self._count), records=self._count, images=Counter(self._images))
        found.skipped = [
            (called, f"{counted(n, 'line')} of {what}") for what, n in (+self._bad).items()
        ]
        for name, mine in self._mine.items():
            found.uses[name] = Use(
                users=bool(mine.installs),
                installs=mine.installs,
                withdrawn=mine.withdrawn,
                removed=mine.removed and not mine.installs,
                asked=Counter(mine.asked),
            )
        seen = set()
        for (_, manager, package), stands in self._standing.items():
            use = found.uses[manager, package]
            use.seconds += stands.seconds
            use.bytes += stands.bytes
            if (manager, package) not in seen:
                seen.add((manager, package))
                use.standing = 1
                use.got[stands.version] += 1
                use.ways[stands.way] += 1
        for kind, times in self._failures.items():
            found.failures[kind] = Failure(1, times)
        for name, (time, why) in self._waits.items():
            found.waits[name] = Wait(1, _day(time), why)
        return found


def _specs(line: PersonLine) -> list[Spec]:
    assert line.request is not None
    manager, texts = line.request.manager, line.request.specs
    return [read(manager, text) for text in texts if len(text) <= _MAX_TEXT]


def _version_of(spec: Spec) -> str:
    return spec.version if isinstance(spec, (Requirement, MatchSpec)) else ""


def _is_soon(then: str, now: str) -> bool:
    try:
        return time_of(now) - time_of(then) <= _SOON
    except (ValueError, TypeError):
        return False


def _day(time: str) -> str:
    return time[:10] if re.fullmatch(r"\d{4}-\d\d-\d\d", time[:10]) else ""


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, of one that is too long the beginning.

    The last one may have no end: it is being written.
    """
    cut = False
    for raw in iter(partial(file.readline, MAX_LINE), b""):
        whole = raw.endswith(b"\n")
        if not cut and (whole or len(raw) == MAX_LINE):
            yield raw
        cut = not whole


def count(lines: Iterable[bytes], called: str, wanted: Filter) -> Tally:
    """Return the counts of one person's lines.

    Args:
        called: What they are called where they, or some of them, cannot be used.
    """
    person = Person(wanted)
    try:
        for raw in lines:
            person.take(raw)
    except Unusable as error:
        return Tally(skipped=[(called, str(error))])
    return person.tally(called)
