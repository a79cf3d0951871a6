"""Interrupts this process when what it is to interrupt has begun, however long that takes."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 60


def interrupt_when(begun: Callable[[], object]) -> None:
    """Has SIGINT sent to this process as soon as `begun` says so; gives up after a minute."""

    def wait() -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if begun():
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.02)

    threading.Thread(target=wait, daemon=True).start()
