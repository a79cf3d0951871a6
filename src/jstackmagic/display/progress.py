"""How long work looks while it goes on.

A bar in a notebook, without a widget and without a script: one output, updated in place, so that a
notebook which is run by a program keeps its last state alone. tqdm's bar in a terminal. Plain lines
(`Lines`) where neither is.
"""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING, Any

from ..io.meter import Meter, Progress

if TYPE_CHECKING:
    from typing import TextIO

# Seconds before anything is drawn: what is done by then needs no bar. Notebooks keep the last one.
_PATIENCE, _PATIENCE_OF_NOTEBOOKS = 0.4, 1.0
_PAUSE = 0.2  # seconds between two updates of a notebook's output


class NotebookBar:
    """One output, updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._meter: Meter | None = None
        self._begun = self._drawn = 0.0
        self._ended: dict[str, str] = {}

    def __call__(self, progress: Progress | None) -> None:
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
    """A bar and its words; the words alone where nobody knows how much there is to do.

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

    def __call__(self, progress: Progress | None) -> None:
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

    def _new(self, progress: Progress) -> Any:
        from tqdm import tqdm  # type: ignore[import-untyped]

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
