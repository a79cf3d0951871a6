"""How the time of a piece of work grows with its size."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 16


def growth(work: Callable[[int], object], size: int, *, least: float) -> float:
    """By how much `TIMES` the size takes longer: 16 by the size, 256 by its square.

    Args:
        least: Seconds of processor time that the smaller work counts for at the least.
    """

    def seconds(size: int) -> float:
        began = time.process_time()
        work(size)
        return time.process_time() - began

    return seconds(TIMES * size) / max(min(seconds(size) for _ in range(3)), least)
