"""The progress of the replay in this container, and the records of replays here."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..io.runtime import is_ours, own_runtime_folder, process_identity, replay_file, runtime_folder

if TYPE_CHECKING:
    from .file import History


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of the last replay in this container.

    Attributes:
        state: ``interrupted`` if it began and its process is gone.
        pid: The number of its process.
        began: Its start, in seconds since the epoch.
        ended: Its end; None while it runs.
        doing: The current or last work.
        number: The number of that step, from 1.
        steps: The number of steps.
        message: What failed or was left out; empty if nothing.
        log: The file with the managers' output.
        process: An identifier that a later process with the same number does not have.
    """

    state: Literal["running", "done", "failed", "interrupted"]
    pid: int
    began: float
    ended: float | None = None
    doing: str = ""
    number: int = 0
    steps: int = 0
    message: str = ""
    log: str = ""
    process: str = ""

    def __str__(self) -> str:
        """Return it as a sentence."""
        if self.state == "running":
            at = f" (step {self.number} of {self.steps}: {self.doing})" if self.steps else ""
            return f"What your history says is being installed here{at}; imports may still fail."
        if self.state == "interrupted":
            return "Replaying your history was cut off. To go on: %envreplay"
        if self.state == "failed":
            return f"Replaying your history failed: {self.message} To try again: %envreplay"
        took = f" in {self.ended - self.began:.0f} s" if self.ended is not None else ""
        return f"Your history was replayed here{took}. {self.message}".rstrip()


def status() -> Status | None:
    """Return the progress of the replay in this container; None without one."""
    if not is_ours(runtime_folder()):
        return None
    try:
        found = Status(**json.loads(replay_file().read_bytes()))
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

    Args:
        log: The file with the managers' output; empty if the output is shown.
    """

    def __init__(self, log: str = "") -> None:
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
            write_file(replay_file(), json.dumps(asdict(self._status)))
