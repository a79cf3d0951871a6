"""How far long work has come: the noun, its words, and plain lines for a log.

``display/progress.py`` draws it in a notebook and in a terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .log import Output

Unit = Literal["bytes", "packages", ""]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one kind of work has come.

    Attributes:
        doing: The work, "Fetching".
        item: What is at hand, a package.
        done: How much of it is done.
        total: How much there is to do; None where nobody knows.
        unit: Of what; empty where it cannot be counted.
    """

    doing: str
    item: str = ""
    done: int = 0
    total: int | None = None
    unit: Unit = ""


Report = Callable[[Progress | None], None]
"""Where progress goes; None says that the work is over."""


def report_of(output: Output) -> Report:
    """Where the progress of work goes whose words go to an output: plain lines unless it draws."""
    report: Report | None = getattr(output, "progress", None)
    return report if report is not None else Lines(output)


class Meter:
    """Rate and time left of one kind of work, smoothed by tqdm.

    Args:
        first: Where it begins.
    """

    def __init__(self, first: Progress) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        self._format = tqdm.format_sizeof
        self._bar: Any = tqdm(total=first.total, file=_Nowhere(), mininterval=0, miniters=0)
        self.latest = first
        self.update(first)

    def update(self, progress: Progress) -> None:
        """Take the next news of the same work."""
        self.latest = progress
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)

    @property
    def share(self) -> float | None:
        """How much is done, 0 to 1; None where nobody knows."""
        total = self.latest.total
        return min(1.0, self.latest.done / total) if total else None

    def close(self) -> None:
        """Let tqdm forget it."""
        self._bar.close()

    def __str__(self) -> str:
        latest, state = self.latest, self._bar.format_dict
        what = f"{latest.doing} {latest.item}".rstrip()
        if not latest.unit:
            return f"{what} … {state['elapsed']:.0f} s"
        parts = [self.amount()]
        rate = state["rate"] or (state["elapsed"] and latest.done / state["elapsed"])
        if latest.unit == "bytes" and rate:
            parts.append(f"{self._bytes(rate)}/s")
            if latest.total and latest.done < latest.total:
                parts.append(f"{(latest.total - latest.done) / rate:.0f} s left")
        return f"{what}: {', '.join(parts)}"

    def amount(self) -> str:
        """How much is done of how much, in words."""
        latest = self.latest
        if latest.unit == "packages":
            return f"{latest.done} of {latest.total} packages"
        done = self._bytes(latest.done)
        return f"{done} of {self._bytes(latest.total)}" if latest.total else done

    def _bytes(self, number: float) -> str:
        return f"{self._format(number)}B"


class _Nowhere:
    """A file for tqdm, which draws nothing here."""

    def write(self, _text: str) -> None:
        pass

    def flush(self) -> None:
        pass


class Lines:
    """Progress as plain lines, a few: one where bytes begin to come, then one now and then.

    Args:
        output: Where the lines go.
    """

    PATIENCE, PAUSE = 3.0, 10.0  # seconds before the first line of other work, and between two

    def __init__(self, output: Output) -> None:
        self._output = output
        self._meter: Meter | None = None
        self._due = 0.0

    def __call__(self, progress: Progress | None) -> None:
        """Take the next news."""
        now = time.monotonic()
        if progress is None or self._meter is None or progress.doing != self._meter.latest.doing:
            if self._meter is not None:
                self._meter.close()
            self._meter = None if progress is None else Meter(progress)
            counted = progress is not None and progress.unit == "bytes"
            self._due = now if counted else now + self.PATIENCE
        elif self._meter is not None:
            self._meter.update(progress)
        if self._meter is not None and now >= self._due:
            self._due = now + self.PAUSE
            self._output(f"{self._meter}\n")
