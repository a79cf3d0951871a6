"""Change an environment one after the other, so that each record holds its own change alone.

Two kernels of one environment are two processes. The change of a step is what is on disk after it
and was not before, and pip itself does not lock the environment.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..display.console import Console
from ..io.locks import Held, Lock, NoLocks, take
from ..io.runtime import own_runtime_folder
from ..model.errors import NOTHING_CHANGED, Interrupted
from .unfinished import at_work

_PATIENCE = 1.0  # seconds before the user hears of it
_AT_ONCE = 0.2  # seconds of one wait


@contextmanager
def turn(where: str, console: Console) -> Iterator[None]:
    """Wait until no other process changes a place.

    Between the processes of this user and container a lock decides, which is in the container's
    own folder and ends with its process. If there can be no such lock, there is no waiting. Those
    of other machines and containers are known by their notes in the place itself.

    Raises:
        Interrupted: The user interrupted the wait.
    """
    prefix = os.path.realpath(where or "/")
    wait = _Waiting(prefix, console)
    found: Lock | NoLocks | None = None
    try:
        with suppress(OSError):
            name = hashlib.sha256(os.fsencode(prefix)).hexdigest()[:16]
            path = own_runtime_folder() / f"turn-{name}.lock"
            while isinstance(held := take(path, seconds=_AT_ONCE, passing=True), Held):
                wait.say(held.by)
            found = held
        while other := at_work(where, unseen=True):
            wait.say(other)
            time.sleep(_AT_ONCE)
    except BaseException as error:
        if found:
            found.release()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                f"Interrupted while another process changes {prefix}.", kept=NOTHING_CHANGED
            ) from None
        raise
    try:
        yield
    finally:
        if found:
            found.release()


class _Waiting:
    """A wait that the user hears of, once, when it takes long."""

    def __init__(self, prefix: str, console: Console) -> None:
        self._prefix, self._console = prefix, console
        self._since: float | None = time.monotonic()

    def say(self, by: str) -> None:
        if self._since is not None and time.monotonic() - self._since > _PATIENCE:
            self._console.say(f"{self._prefix} is being changed by {by}: waiting for that to end.")
            self._since = None
