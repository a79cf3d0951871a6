"""The progress of long work: the noun, its words, and its looks while the work goes on.

A bar in a notebook, without a widget and without a script: one output, updated in place, so that a
notebook which is run by a program keeps its last state alone. tqdm's bar in a terminal. Plain lines
(`Lines`) where neither is.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TextIO

# Seconds before anything is drawn: what is done by then needs no bar. Notebooks keep the last one.
_PATIENCE, _PATIENCE_OF_NOTEBOOKS = 0.4, 1.0
_PAUSE = 0.2  # seconds between two updates of a notebook's output

Unit = Literal["bytes", "packages", ""]


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The progress of one kind of work."""

    doing: str  #: the work, "Fetching"
    item: str = ""  #: the current item, a package
    done: int = 0
    total: int | None = None  #: the total amount; None if unknown
    unit: Unit = ""  #: the unit; empty if it cannot be counted


class Meter:
    """Rate and time left of one kind of work, smoothed by tqdm."""

    def __init__(self, first: ProgressReport) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        self._format = tqdm.format_sizeof
        self._bar: Any = tqdm(total=first.total, file=_Nowhere(), mininterval=0.1)
        self.latest = first
        self.update(first)

    def update(self, progress: ProgressReport) -> None:
        """Take the next news of the same work."""
        self.latest = progress
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)

    @property
    def share(self) -> float | None:
        """Return the share that is done, 0 to 1; None if unknown."""
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
        """Return how much is done of how much, in words."""
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
    """Progress as plain lines, a few: one where bytes begin to come, then one now and then."""

    PATIENCE, PAUSE = 3.0, 10.0  # seconds before the first line of other work, and between two

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._meter: Meter | None = None
        self._due = 0.0

    def __call__(self, progress: ProgressReport | None) -> None:
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
            self._write(f"{self._meter}\n")


class NotebookBar:
    """One output, updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._meter: Meter | None = None
        self._begun = self._drawn = 0.0
        self._ended: dict[str, str] = {}

    def __call__(self, progress: ProgressReport | None) -> None:
        """Take the next news; None says that the work is over."""
        now = time.monotonic()
        self._begun = self._begun or now
        changed = self._meter is None or progress is None
        if progress is None or (self._meter and progress.doing != self._meter.latest.doing):
            self._end_phase()
            changed = True
        if progress is not None:
            if self._meter is None:
                self._meter = Meter(progress)
            self._meter.update(progress)
        if now - self._begun < _PATIENCE_OF_NOTEBOOKS and self._handle is None:
            return
        if self._handle is None and progress is None:
            return
        if changed or now - self._drawn >= _PAUSE:
            self._drawn = now
            self._draw(now - self._begun)

    def _end_phase(self) -> None:
        if self._meter is not None:
            latest = self._meter.latest
            self._ended[latest.doing] = self._meter.amount() if latest.unit else ""
            self._meter.close()
            self._meter = None

    def _draw(self, seconds: float) -> None:
        from IPython.display import display

        if self._meter is None:
            parts = (f"{doing.lower()} {amount}".strip() for doing, amount in self._ended.items())
            text, share = f"{seconds:.0f} s: {', '.join(parts)}.", None
        else:
            text, share = str(self._meter), self._meter.share
        data = {"text/plain": text, "text/html": bar_html(text, share)}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)


def bar_html(text: str, share: float | None) -> str:
    """Return a bar and its words; the words alone if the total is unknown.

    >>> "width:50%" in bar_html("Fetching six: 1 of 2", 0.5)
    True
    """
    bar = ""
    if share is not None:
        percent = f"{share * 100:.0f}"
        bar = (
            f'<div role="progressbar" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}" style="height:6px;max-width:32em;border-radius:3px;'
            f'background:var(--jp-layout-color3,#bdbdbd);overflow:hidden">'
            f'<div style="height:100%;width:{percent}%;'
            f'background:var(--jp-brand-color1,#2196f3)"></div></div>'
        )
    words = (
        f'<div style="color:var(--jp-ui-font-color2,#757575);'
        f'font-variant-numeric:tabular-nums">{html.escape(text)}</div>'
    )
    return f'<div class="jstackmagic" style="margin:.3em 0">{bar}{words}</div>'


class TerminalBar:
    """tqdm's bar on a stream that is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None
        self._doing = ""
        self._begun = 0.0

    def __call__(self, progress: ProgressReport | None) -> None:
        """Take the next news; None says that the work is over."""
        if self._bar is not None and (progress is None or progress.doing != self._doing):
            self._bar.close()
            self._bar = None
        if progress is None:
            self._begun = 0.0
            return
        now = time.monotonic()
        self._begun = self._begun or now
        if now - self._begun < _PATIENCE:
            return
        if self._bar is None:
            self._bar = self._new(progress)
            self._doing = progress.doing
        if progress.item:
            self._bar.set_postfix_str(progress.item, refresh=False)
        self._bar.total = progress.total
        self._bar.update(progress.done - self._bar.n)
        if not progress.unit:
            self._bar.refresh()

    def _new(self, progress: ProgressReport) -> Any:
        from tqdm import tqdm

        details: dict[str, Any] = {}
        if progress.unit == "bytes":
            details = {"unit": "B", "unit_scale": True}
        elif progress.unit == "packages":
            details = {"unit": " packages"}
        else:
            details = {"bar_format": "{desc} … {elapsed}"}
        return tqdm(
            desc=progress.doing,
            total=progress.total,
            file=self._stream,
            leave=False,
            dynamic_ncols=True,
            **details,
        )

    def step_aside(self) -> None:
        """Clear the bar; the next news draw it again."""
        if self._bar is not None:
            self._bar.clear()
