"""The progress of the replay in this container, and the records of replays here."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from ..io.runtime import is_ours, own_runtime_folder, process_identity, replay_file, runtime_folder
from .file import History


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of the last replay in this container."""

    #: ``interrupted`` if it began and its process is gone
    state: Literal["running", "done", "failed", "interrupted"]
    pid: int  #: the number of its process
    began: float  #: its start, in seconds since the epoch
    ended: float | None = None  #: its end; None while it runs
    doing: str = ""  #: the current or last work
    number: int = 0  #: the number of that step, from 1
    steps: int = 0  #: the number of steps
    message: str = ""  #: what failed or was left out; empty if nothing
    log: str = ""  #: the file with the managers' output
    process: str = ""  #: an identifier that a later process with the same number does not have

    def __str__(self) -> str:
        if self.state == "running":
            at = f" (step {self.number} of {self.steps}: {self.doing})" if self.steps else ""
            return f"What your history says is being installed here{at}; imports may still fail."
        if self.state == "interrupted":
            return "Replaying your history was cut off. To go on: %envreplay"
        if self.state == "failed":
            return f"Replaying your history failed: {self.message} To try again: %envreplay"
        took = f" in {self.ended - self.began:.0f} s" if self.ended is not None else ""
        return f"Your history was replayed here{took}. {self.message}".rstrip()


def status(history: Path) -> Status | None:
    """Return the progress of a history's replay in this container; None without one."""
    if not is_ours(runtime_folder()):
        return None
    try:
        found = Status(**json.loads(replay_file(history).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    if found.state == "running" and found.process != process_identity(found.pid):
        return replace(found, state="interrupted")
    return found


def replays() -> History:
    """Return the records of replays in this container, apart from the history they came from."""
    from .file import History

    return History(
        runtime_folder() / "replays.jsonl" if is_ours(runtime_folder()) else Path(os.devnull)
    )


class Progress:
    """Publish a replay's progress to other processes in this container.

    If the container cannot be written to, nothing is published, without an error.
    """

    def __init__(self, history: Path, log: str = "") -> None:
        self._file = replay_file(history)
        self._status = Status(
            "running", os.getpid(), time.time(), log=log, process=process_identity(os.getpid())
        )
        self._write()

    def at(self, doing: str, number: int, steps: int) -> None:
        """Note the start of a step."""
        self._status = replace(self._status, doing=doing, number=number, steps=steps)
        self._write()

    def end(self, state: Literal["done", "failed", "interrupted"], message: str = "") -> None:
        """Note the end."""
        self._status = replace(self._status, state=state, ended=time.time(), message=message)
        self._write()

    def _write(self) -> None:
        from ..io.files import write_file

        with suppress(OSError):
            own_runtime_folder()
            write_file(self._file, json.dumps(asdict(self._status)))
