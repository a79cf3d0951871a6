"""A note of a change that is being made, which outlives a killed process and a failed manager.

It is in the prefix, or for the system in this container's own folder, as ``.jstackmagic.RECORD``,
from before the manager starts until its result is known to be whole. It has the request, the
packages before, and the manager's marks to find later what is left over; so the same request can
be finished, and its record ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import managers
from ..history.who import lives
from ..io.files import sweep, write_file
from ..io.reading import MAX_LIST, own_bytes
from ..io.runtime import is_ours, own_runtime_folder, runtime_folder
from ..model.credentials import MASK
from ..model.environment import repair_line
from ..model.errors import NOTHING_CHANGED, CommandFailed
from ..model.managers import of_environment, of_system, place
from ..model.packages import Package, PackageSet
from ..model.record import Context
from ..model.request import Request
from ..model.written import plain, request_of, written

if TYPE_CHECKING:
    from ..model.environment import Environment
    from ..model.plan import Plan

_NAME = ".jstackmagic."
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

_at_work: set[str] = set()
"""The notes of changes that this process is making."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One note.

    Attributes:
        record: The id of its record.
        request: The request to the manager, with credentials masked.
        context: The origin of the request.
        before: The packages before, of the managers that the change could touch.
        marks: The manager's own; see `Manager.note`.
        undoes: The id of the record that the step undoes.
        path: The note itself; empty if it could not be written.
        since: The time of writing, in nanoseconds of the file system's clock.
    """

    record: str
    request: Request
    context: Context
    before: PackageSet
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    undoes: str = ""
    path: str = ""
    since: int = 0

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
        _at_work.discard(self.path)
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def leave(self) -> None:
        """Keep the note for what must still be finished."""
        _at_work.discard(self.path)


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
        path = os.path.join(where or own_runtime_folder(), f"{_NAME}{record}")
        write_file(path, _encoded(left), mode=0o644)
        since = os.stat(path).st_mtime_ns
    except OSError as error:
        if error.errno in _READ_ONLY:
            return left
        raise CommandFailed(
            f"{where or error.filename} cannot be written to: {error.strerror}.",
            kept=NOTHING_CHANGED,
        ) from None
    _at_work.add(path)
    return replace(left, path=path, since=since)


def noted_again(left: Unfinished, plan: Plan) -> Unfinished:
    """Add to a note what the plan of its second attempt knows; another engine may have made it.

    Raises:
        OSError: It cannot be written.
    """
    new, old = managers.get(plan.request.manager).note(plan), left.marks
    both = {key: (*old.get(key, ()), *new.get(key, ())) for key in ("names", "needed")}
    marks = {**new, **old, **{key: tuple(dict.fromkeys(both[key])) for key in both if both[key]}}
    left = replace(left, marks=marks)
    if left.path:
        write_file(left.path, _encoded(left), mode=0o644)
    return left


def find(place: str) -> list[Unfinished]:
    """Return the notes without a running process, the oldest first.

    Args:
        place: A prefix; empty for the system.
    """
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
    return sorted(found, key=lambda left: left.since)


@dataclass(frozen=True, slots=True)
class HalfDone:
    """Something that was cut off, as a user is shown it.

    Attributes:
        change: The request, in words; empty if no note has it.
        record: The id of its record; likewise.
        left: A sentence for each thing half done; none if only its record is not ended.
        line: The line that finishes it.
    """

    change: str
    record: str
    left: tuple[str, ...]
    line: str

    def __str__(self) -> str:
        """Return it as a sentence, and the line."""
        what = self.change or "a change that another program began"
        left = "; ".join(self.left) or "nothing is half there, and its record has no end"
        return f"Cut off: {what}: {left}.\n  → Finish it: {self.line}"


def half_done(environment: Environment, *, system: bool = False) -> tuple[HalfDone, ...]:
    """Return what was cut off in an environment, or in the system; nothing is changed.

    A manager is asked without a note, too: conda's journal and dpkg's list others' changes.
    """
    line = repair_line(environment.prefix)
    notes = find("" if system else environment.prefix)
    found = [HalfDone(left.words, left.record, left.half_done(environment), line) for left in notes]
    for name in of_system() if system else of_environment():
        manager = managers.get(name)
        if manager.works_in(environment) and all(n.request.manager != name for n in notes):
            left = manager.half_done(environment, {}, sys.maxsize)
            found += [HalfDone("", "", left, line)] if left else []
    return tuple(found)


def _read(path: str) -> Unfinished | None:
    try:
        since = os.lstat(path).st_mtime_ns
        line = _reader().decode(own_bytes(path, limit=MAX_LIST))
    except (OSError, ValueError, RecursionError):  # of another format, or taken away just now
        return None
    ours = line.context.pid == os.getpid()
    if lives(line.context) and not ours:
        return None
    return Unfinished(
        line.record,
        request_of(line.request),
        line.context,
        PackageSet(line.before),
        line.marks,
        line.undoes,
        path,
        line.since or since,
    )


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
