"""How far the replay in this container is, and what replays did here.

`%load_ext jstackmagic` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .file import History


def folder() -> Path:
    """Where this container keeps what is nobody else's business, unlike the home volume."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "jstackmagic")
    import tempfile

    return Path(tempfile.gettempdir(), f"jstackmagic-{os.geteuid()}")


def own_folder() -> Path:
    """The same, made if need be, to write to.

    Raises:
        OSError: It cannot be made, or is not ours: in a folder for all, anybody may have made it.
    """
    path = folder()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(path):
        raise PermissionError(errno.EPERM, "It is somebody else's", str(path))
    return path


def _is_ours(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.geteuid()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Status:
    """How far the last replay in this container is.

    Attributes:
        state: ``interrupted`` where it began and its process is gone.
        pid: Its process.
        began: When, in seconds since the epoch.
        ended: When; None while it runs.
        doing: What it is at, or was at last.
        number: Which of its steps that is, from 1.
        steps: How many there are.
        message: What went wrong; empty where nothing did.
        log: The file that has the managers' own words.
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

    def __str__(self) -> str:
        """In a sentence."""
        if self.state == "running":
            at = f" (step {self.number} of {self.steps}: {self.doing})" if self.steps else ""
            return f"What your history says is being installed here{at}; imports may still fail."
        if self.state == "interrupted":
            return "Replaying your history was cut off. To go on: %envreplay"
        if self.state == "failed":
            return f"Replaying your history failed: {self.message} To try again: %envreplay"
        took = f" in {self.ended - self.began:.0f} s" if self.ended is not None else ""
        return f"Your history was replayed here{took}."


def status() -> Status | None:
    """How far the replay in this container is; None where there was none."""
    if not _is_ours(folder()):
        return None
    try:
        found = Status(**json.loads(_status_file().read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    if found.state == "running" and not _lives(found.pid):
        return replace(found, state="interrupted")
    return found


def replays() -> History:
    """What replays did in this container, told apart from the history, which said it before."""
    from .file import History

    return History(folder() / "replays.jsonl" if _is_ours(folder()) else Path(os.devnull))


class Progress:
    """Tells others in this container how far a replay is.

    A container that cannot be written to is no reason to fail: then nobody is told.

    Args:
        log: The file that has the managers' own words; empty where they are shown.
    """

    def __init__(self, log: str = "") -> None:
        self._status = Status("running", os.getpid(), time.time(), log=log)
        self._write()

    def at(self, doing: str, number: int, steps: int) -> None:
        """A step begins."""
        self._status = replace(self._status, doing=doing, number=number, steps=steps)
        self._write()

    def end(self, state: Literal["done", "failed", "interrupted"], message: str = "") -> None:
        """All is over."""
        self._status = replace(self._status, state=state, ended=time.time(), message=message)
        self._write()

    def _write(self) -> None:
        path = _status_file()
        partial = path.with_suffix(".partial")
        with suppress(OSError):
            own_folder()
            partial.write_text(json.dumps(asdict(self._status)), encoding="utf-8")
            partial.replace(path)


def _status_file() -> Path:
    return folder() / "replay.json"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
