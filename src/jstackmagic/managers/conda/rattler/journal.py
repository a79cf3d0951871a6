"""One change of a prefix at a time, and a note of it that outlives a killed process.

The note (``conda-meta/jstackmagic.journal``) is written when everything is fetched and before the
first file of the prefix changes, and removed when the last record is written. Found without a
process that holds the lock, it describes the change, and has all that is needed to finish it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....io.files import write_file
from ....io.locks import Held, Lock, NoLocks, take
from ....io.reading import own_bytes
from ....model.credentials import mask
from ....model.environment import repair_line
from ....model.errors import NOTHING_CHANGED, CommandFailed, Stopped
from .loop import Wire

if TYPE_CHECKING:
    from rattler import PrefixRecord

_PATIENCE = 1.0  # seconds of waiting before the user sees a message
_UNSEEN = 60.0  # seconds of waiting for a process that is not seen to live
_POLL = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Linked:
    """One package to link."""

    record: dict[str, Any]  #: its repodata record, as JSON
    folder: str  #: the folder it was unpacked to
    archive: str  #: its archive; empty if it is not kept
    requested: tuple[str, ...] = ()  #: the user's specs for it, spelled as conda does

    @property
    def stem(self) -> str:
        """Return NAME-VERSION-BUILD, its name in ``conda-meta``."""
        return f"{self.record['name']}-{self.record['version']}-{self.record['build']}"


@dataclass(frozen=True, slots=True)
class Journal:
    """A change of a prefix."""

    argv: tuple[str, ...] = ()  #: the command line that conda would have been given
    #: the packages to unlink, by file name in ``conda-meta`` without its extension
    unlink: tuple[str, ...] = ()
    link: tuple[Linked, ...] = ()
    #: the user's specs for packages that stay, by name
    requested: dict[str, tuple[str, ...]] = field(default_factory=dict)
    updated: tuple[str, ...] = ()  #: the specs for conda's history
    removed: tuple[str, ...] = ()  #: the removals for conda's history
    #: those of the packages that go, relative to the prefix: what is empty goes, too
    folders: tuple[str, ...] = ()
    #: the size of conda's history before, in bytes: if larger, the entry is there
    history_size: int = 0
    started: float = field(default_factory=time.time)  #: its start, in seconds since the epoch

    @property
    def command(self) -> str:
        """The command line, credentials masked."""
        return mask(" ".join(self.argv))


def as_record(data: dict[str, Any]) -> PrefixRecord:
    """Return a record from its JSON, which rattler reads only from files like ``conda-meta``'s."""
    from rattler import PrefixRecord

    whole = {**data, "files": [], "paths_data": {"paths_version": 1, "paths": []}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "record.json")
        path.write_text(json.dumps(whole))
        return PrefixRecord.from_path(path)


def path_of(prefix: str) -> str:
    """Return the path of a prefix's journal while it changes."""
    return os.path.join(prefix, "conda-meta", "jstackmagic.journal")


def write(prefix: str, journal: Journal) -> None:
    """Put the journal on disk, whole, before this returns."""
    # URLs hold secrets
    write_file(path_of(prefix), json.dumps(asdict(journal)), mode=0o600)


def clear(prefix: str) -> None:
    """Take the journal away: the change is whole."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path_of(prefix))


def read(prefix: str) -> Journal | None:
    """Return the journal that a process left; None if the prefix is whole."""
    try:
        data = json.loads(own_bytes(path_of(prefix)))
        return Journal(**{**data, "link": tuple(Linked(**item) for item in data["link"])})
    except (OSError, ValueError, TypeError, KeyError, RecursionError):  # none of ours
        return None


def history_size(prefix: str) -> int:
    """Return the size of conda's history, in bytes."""
    try:
        return os.path.getsize(os.path.join(prefix, "conda-meta", "history"))
    except FileNotFoundError:
        return 0


def check(prefix: str, *, locked: bool = False) -> None:
    """Stop if an earlier change was interrupted, unless its process still runs.

    Raises:
        Stopped: There is one; the error says what is half linked, and how to finish.
    """
    journal = read(prefix)
    if journal is None or not (locked or is_free(prefix)):
        return
    begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(journal.started))
    raise Stopped(
        f"An earlier change of {prefix} was cut off ({begun}: {journal.command}).\n"
        + "\n".join(left_as(prefix, journal)),
        advice=f"Finish it: {repair_line(prefix)}",
    )


def left_as(prefix: str, journal: Journal) -> list[str]:
    """Return the state of each package after the interruption."""
    there = {path.stem for path in Path(prefix, "conda-meta").glob("*.json")}
    comes = {item.stem for item in journal.link}
    gone = [stem for stem in journal.unlink if stem not in there and stem not in comes]
    stays = [stem for stem in journal.unlink if stem in there and stem not in comes]
    linked = sorted(comes & there)
    missing = sorted(comes - there)
    return [
        f"{words}: {', '.join(stems)}"
        for words, stems in (
            ("Removed", gone),
            ("Not or half removed", stays),
            ("Linked", linked),
            ("Not or half linked", missing),
        )
        if stems
    ]


# The lock


async def lock(prefix: str, wire: Wire) -> Lock | NoLocks:
    """Lock the prefix against other changes; the caller releases the lock, from any thread.

    A holder that is seen to live is waited for until the user interrupts; one on another machine
    or in another container, which may be gone, for a minute.

    Raises:
        CommandFailed: The lock is not given, or cannot be.
    """
    begun = time.monotonic()
    said = False
    while isinstance(found := _taken(prefix), Held):
        waited = time.monotonic() - begun
        if not found.lives and waited > _UNSEEN:
            raise CommandFailed(
                f"{prefix} is locked by {found.by}, for {waited:.0f} s now.",
                kept=NOTHING_CHANGED,
                advice=(
                    "Try again when that is done. If it is gone for good, remove its lock:",
                    f"!rm '{_lock_file(prefix)}'",
                ),
            )
        if not said and waited > _PATIENCE:
            wire.say(f"{prefix} is being changed by {found.by}: waiting for that to end.\n")
            said = True
        await asyncio.sleep(_POLL)
    if isinstance(found, NoLocks):
        wire.say(f"{found.why}: see that nothing else changes {prefix} meanwhile.\n")
    return found


def is_free(prefix: str) -> bool:
    """Return whether the prefix is not being changed."""
    found = _taken(prefix)
    if isinstance(found, Held):
        return False
    found.release()
    return True


def _taken(prefix: str) -> Lock | NoLocks | Held:
    try:
        return take(_lock_file(prefix), seconds=0)
    except OSError as error:
        raise CommandFailed(
            f"The environment cannot be locked: {error.filename}: {error.strerror}.",
            kept=NOTHING_CHANGED,
            advice=(
                "Does it belong to you? Look: %envinfo",
                f"If it is no plain file, remove it: !rm -r {shlex.quote(_lock_file(prefix))}",
            ),
        ) from None


def _lock_file(prefix: str) -> str:
    return os.path.join(prefix, "conda-meta", "jstackmagic.lock")
