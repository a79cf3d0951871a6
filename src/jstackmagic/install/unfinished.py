"""A note of a change that is being made, which outlives a killed process and a failed manager.

It is in the prefix, or for the system in this container's own folder, as ``.jstackmagic.RECORD``,
from before the manager starts until its result is known to be whole. It has the request, the
packages before, and the manager's marks to find later what is left over; so the same request can
be finished, and its record ended.

On a shared volume a note may be of a process that cannot be seen from here: in another pod, or in
another container of this machine. Whoever makes a change touches its note every two seconds; the
file's ``ctime``, by the file system's own clock, then says whether it is still at work.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from .. import managers
from ..history.who import lives
from ..io.files import clock, sweep, write_file
from ..io.reading import MAX_LIST, own_bytes
from ..io.runtime import is_ours, is_seen_here, own_runtime_folder, runtime_folder
from ..model.credentials import MASK
from ..model.environment import Environment, repair_line
from ..model.errors import NOTHING_CHANGED, CommandFailed
from ..model.managers import of_environment, of_system, place
from ..model.packages import Package, PackageSet
from ..model.plan import Plan
from ..model.record import Context
from ..model.request import Request
from ..model.written import plain, request_of, written

_NAME = ".jstackmagic."
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

_BEAT = 2.0  # seconds between two touches of a note
_SILENCE = 30.0  # seconds after which a process that cannot be seen counts as gone

_at_work: dict[str, threading.Event] = {}
"""The notes of changes that this process is making; each event ends the touching."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One note."""

    record: str  #: the id of its record
    request: Request  #: the request to the manager, with credentials masked
    context: Context  #: the origin of the request
    before: PackageSet  #: the packages before, of the managers that the change could touch
    #: the manager's own; see `Manager.note`
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    undoes: str = ""  #: the id of the record that the step undoes
    path: str = ""  #: the note itself; empty if it could not be written
    since: int = 0  #: the time of writing, in nanoseconds of the file system's clock
    works: str = ""  #: the process that still makes the change, in words; empty if it was cut off

    @property
    def words(self) -> str:
        """The request, for a sentence."""
        return f"{self.request.action} {' '.join(self.request.texts)} ({self.request.manager})"

    @property
    def is_masked(self) -> bool:
        """True if a credential was left out, so that only the user can request it again."""
        return any(MASK in text for text in _texts(self.request))

    def is_of(self, request: Request) -> bool:
        """Return True if the request is the same, apart from credentials."""
        return bool(plain(self.request) == plain(request))

    def half_done(self, environment: Environment) -> tuple[str, ...]:
        """Return a sentence for each thing half done; none if all is whole."""
        manager = managers.get(self.request.manager)
        return manager.half_done(environment, self.marks, self.since)

    def drop(self) -> None:
        """Take the note away."""
        self.leave()
        if self.path:
            with contextlib.suppress(OSError):  # the next line finds it, and that all is whole
                os.unlink(self.path)

    def leave(self) -> None:
        """Keep the note for what must still be finished."""
        if ended := _at_work.pop(self.path, None):
            ended.set()

    def taken_over(self, context: Context) -> Unfinished | None:
        """Return the note as this process's own; None if another has finished it meanwhile.

        Call it in the place's turn.

        Raises:
            CommandFailed: It cannot be written.
        """
        if (now := _read(self.path)) is None or now.works:
            return None
        now = replace(now, context=context)
        try:
            _write(now)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return now.begun()

    def begun(self) -> Unfinished:
        """Touch the note from now on, for those who cannot see this process; return it."""
        ended = _at_work[self.path] = threading.Event()

        def beat() -> None:
            while not ended.wait(_BEAT):
                with contextlib.suppress(OSError):
                    os.utime(self.path, ns=(self.since, self.since))

        threading.Thread(target=beat, name="jstackmagic-note", daemon=True).start()
        return self


def note(plan: Plan, record: str, context: Context, before: PackageSet, undoes: str) -> Unfinished:
    """Note a change before it begins, on disk before this returns.

    A prefix that this user cannot write to has no note: pip then installs elsewhere.

    Raises:
        CommandFailed: There is no space, or the disk fails.
    """
    marks = managers.get(plan.request.manager).note(plan)
    left = Unfinished(record, plan.request, context, before, marks, undoes)
    where = place(plan.request.manager, plan.environment.prefix)
    try:
        left = replace(left, path=os.path.join(where or own_runtime_folder(), f"{_NAME}{record}"))
        _write(left)
        since = os.stat(left.path).st_mtime_ns
    except OSError as error:
        if error.errno in _READ_ONLY:
            return replace(left, path="")
        raise _unwritable(where or error.filename, error) from None
    return replace(left, since=since).begun()


def noted_again(left: Unfinished, plan: Plan) -> Unfinished:
    """Add to a note what the plan of its second attempt knows; another engine may have made it.

    Raises:
        CommandFailed: It cannot be written.
    """
    new, old = managers.get(plan.request.manager).note(plan), left.marks
    both = {key: (*old.get(key, ()), *new.get(key, ())) for key in ("names", "needed")}
    marks = {**new, **old, **{key: tuple(dict.fromkeys(both[key])) for key in both if both[key]}}
    left = replace(left, marks=marks)
    try:
        _write(left)
    except OSError as error:
        raise _unwritable(left.path, error) from None
    return left


def _write(left: Unfinished) -> None:
    write_file(left.path, _encoded(left), mode=0o644)


def _unwritable(what: str, error: OSError) -> CommandFailed:
    return CommandFailed(f"{what} cannot be written to: {error.strerror}.", kept=NOTHING_CHANGED)


def find(place: str) -> list[Unfinished]:
    """Return the notes of changes that were cut off, the oldest first.

    Args:
        place: A prefix; empty for the system.
    """
    return [left for left in _notes(place) if not left.works]


def at_work(place: str, *, unseen: bool = False, than: Unfinished | None = None) -> str:
    """Return another process that changes a place now, in words; empty if there is none.

    Args:
        place: A prefix; empty for the system.
        unseen: Only those on other machines and in other containers.
        than: Only those that began before this change.
    """
    for left in _notes(place):
        earlier = than is None or (left.since, left.record) < (than.since, than.record)
        hidden = not (unseen and is_seen_here(left.context.process))
        if left.works and earlier and hidden:
            return left.works
    return ""


def _notes(place: str) -> list[Unfinished]:
    """Return the notes of other processes, and of this one's earlier changes, the oldest first."""
    folder = place or str(runtime_folder())
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _NAME in entry.name]
    except OSError:
        return []
    if not place and not is_ours(Path(folder)):
        return []
    if any(name.startswith(f".{_NAME}") for name in names):
        sweep(folder, _NAME)
    paths = [os.path.join(folder, name) for name in names if name.startswith(_NAME)]
    found = [left for path in paths if path not in _at_work and (left := _read(path)) is not None]
    return sorted(found, key=lambda left: (left.since, left.record))


@dataclass(frozen=True, slots=True)
class HalfDone:
    """Something that was cut off, as a user is shown it."""

    change: str  #: the request, in words; empty if no note has it
    record: str  #: the id of its record; likewise
    #: a sentence for each thing half done; none if only its record is not ended
    left: tuple[str, ...]
    line: str  #: the line that finishes it

    @property
    def words(self) -> str:
        """The change, and each thing half done."""
        what = self.change or "a change that another program began"
        left = "; ".join(self.left) or "nothing is half there, and its record has no end"
        return f"{what}: {left}"

    def __str__(self) -> str:
        """Return it as a sentence, and the line."""
        return f"Cut off: {self.words}.\n  → Finish it: {self.line}"


def half_done(environment: Environment, *, system: bool = False) -> tuple[HalfDone, ...]:
    """Return what was cut off in an environment, or in the system; nothing is changed.

    A manager is asked without a note, too: conda's journal and dpkg's list others' changes.
    """
    line = repair_line(environment.prefix)
    notes = _notes("" if system else environment.prefix)
    found = [
        HalfDone(left.words, left.record, left.half_done(environment), line)
        for left in notes
        if not left.works
    ]
    for name in of_system() if system else of_environment():
        manager = managers.get(name)
        if manager.works_in(environment) and all(n.request.manager != name for n in notes):
            left = manager.half_done(environment, {}, sys.maxsize)
            found += [HalfDone("", "", left, line)] if left else []
    return tuple(found)


def _read(path: str) -> Unfinished | None:
    try:
        touched = os.lstat(path)
        line = _reader().decode(own_bytes(path, limit=MAX_LIST))
    except (OSError, ValueError, RecursionError):  # of another format, or taken away just now
        return None
    return Unfinished(
        line.record,
        request_of(line.request),
        line.context,
        PackageSet(line.before),
        line.marks,
        line.undoes,
        path,
        line.since or touched.st_mtime_ns,
        _worker(line.context, path, touched),
    )


def _worker(context: Context, path: str, touched: os.stat_result) -> str:
    """Return the process that makes a noted change, in words; empty if it has ended."""
    said = f"process {context.pid} of {context.host}"
    if is_seen_here(context.process):
        return said if lives(context) and context.pid != os.getpid() else ""
    silent = clock(os.path.dirname(path)) - touched.st_ctime
    return f"{said} (last seen {silent:.0f} s ago)" if abs(silent) < _SILENCE else ""


def _encoded(left: Unfinished) -> bytes:
    import msgspec

    return msgspec.json.encode(
        {
            "record": left.record,
            "request": plain(left.request),
            "context": plain(left.context),
            "before": plain(left.before.packages),
            "marks": left.marks,
            "undoes": left.undoes,
            "since": left.since,
        }
    )


@lru_cache(maxsize=1)
def _reader() -> Any:
    import msgspec

    note = msgspec.defstruct(
        "Note",
        [
            ("record", str),
            ("request", written(Request)),
            ("context", Context),
            ("before", tuple[Package, ...]),
            ("marks", dict[str, tuple[str, ...]]),
            ("undoes", str),
            ("since", int, 0),  # of one that was written again
        ],
    )
    return msgspec.json.Decoder(note)


def _texts(request: Request) -> tuple[str, ...]:
    sources = request.sources
    return (
        *(*request.texts, *request.options, *sources.variables),
        *(place for _, place in sources.given()),
    )
