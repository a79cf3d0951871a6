"""Change an environment one after the other, so that each record holds its own change alone.

Two kernels of one environment are two processes. The change of a step is what is on disk after it
and was not before, and pip itself does not lock the environment.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..io.locks import Held, take
from ..io.runtime import own_runtime_folder
from ..model.errors import NOTHING_CHANGED, Interrupted
from ..model.managers import is_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..display.console import Console
    from ..model.plan import Plan

_PATIENCE = 1.0  # seconds before the user hears of it
_AT_ONCE = 0.2  # seconds of one wait


@contextmanager
def turn(plan: Plan, console: Console) -> Iterator[None]:
    """Wait until no other process of this user and container changes the plan's environment.

    The lock is in the container's own folder and ends with its process, so that a holder
    lives. If there can be no such lock, there is no waiting.

    Raises:
        Interrupted: The user interrupted the wait.
    """
    prefix = "/" if is_system(plan.request.manager) else os.path.realpath(plan.environment.prefix)
    name = hashlib.sha256(os.fsencode(prefix)).hexdigest()[:16]
    begun, said = time.monotonic(), False
    try:
        path = own_runtime_folder() / f"turn-{name}.lock"
        while isinstance(found := take(path, seconds=_AT_ONCE), Held):
            if not said and time.monotonic() - begun > _PATIENCE:
                console.say(f"{prefix} is being changed by {found.by}: waiting for that to end.")
                said = True
    except OSError:
        yield
        return
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted while another process changes {prefix}.", kept=NOTHING_CHANGED
        ) from None
    try:
        yield
    finally:
        found.release()
