"""Installs that cells of this session make without us, recorded as they happen.

Functions that start programs are tapped (`taps`), so that a command is known before it runs; the
disk is watched by the times of a few folders (`places`), before and after each cell. A command that
installs is recorded when it starts, and its record ends with the change seen on disk. A change
that no command of this session explains was `found`.

`%load_ext jstackmagic` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from ..io.runtime import any_replay
from ..model.text import readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell
    from traitlets import HasTraits

    from ..history.file import History
    from ..history.replays import Status
    from .taps import Handle, Start
    from .watcher import Run, Watcher

LEARN_AFTER = 0.2
"""Seconds after loading until the packages are first read, in the background; a command that
installs has them read at once."""

_ESCAPES = ("IPython.core.interactiveshell", "ipykernel.zmqshell")
"""The modules whose ``system()`` runs shell escapes, with their variables expanded."""

# compiled when first used
_LIKELY = r"pip|conda|mamba|apt|dpkg|\buv\b|install|debconf|\bnpm\b|Pkg\."
_SHELL = r"(\S*/)?(ba|z|da|k)?sh\b"


class LiveCapture:
    """Listen to one shell's cells and to the programs that this process starts.

    Everything here runs inside a user's cell: nothing raises, and a failure is reported once.
    """

    def __init__(
        self, shell: InteractiveShell, settings: HasTraits, history: Callable[[], History]
    ) -> None:
        from .taps import Taps

        self.shell = shell
        self._pid = os.getpid()  # a forked child inherits the taps
        self._lock = threading.RLock()
        self._paused = 0
        self._watcher: Watcher | None = None
        self._failed = False
        self._cell = ""
        self._replay: Status | None = None  # one that was going on when last looked at
        self._taps = Taps(self, escapes=_ESCAPES)
        self._timer = threading.Timer(LEARN_AFTER, self._guarded(self._learn))
        self._timer.daemon = True
        self._settings = settings
        self._history = history

    def open(self) -> None:
        """Begin to listen."""
        self.shell.events.register("pre_run_cell", self._before_cell)
        self.shell.events.register("post_run_cell", self._after_cell)
        self._settings.observe(self._switched, "capture")
        self._taps.open()
        if not self._settings.capture:  # type: ignore[attr-defined]
            self._paused += 1
        self._timer.start()
        atexit.register(self._at_exit)
        self._guarded(self._look_at_replay)()

    def close(self) -> None:
        """Stop listening."""
        self._timer.cancel()
        atexit.unregister(self._at_exit)
        self._taps.close()
        self._settings.unobserve(self._switched, "capture")
        self.shell.events.unregister("pre_run_cell", self._before_cell)
        self.shell.events.unregister("post_run_cell", self._after_cell)

    def _at_exit(self) -> None:
        """Record what no cell followed: a script's last command, a silent cell's."""
        if not self._paused and os.getpid() == self._pid:
            self._guarded(self._settle)()

    # -- pauses

    def pause(self) -> None:
        """Ignore what happens until `resume`: the caller records it."""
        if not self._paused:
            self._guarded(self._settle)()
        self._paused += 1

    def resume(self) -> None:
        """Accept the packages now as known."""
        self._paused -= 1
        if not self._paused:
            self._guarded(self._refresh)()

    def _refresh(self) -> None:
        # the lock is held: what the thread that learns read before now is out of date
        if self._watcher is not None:
            self._watcher.refresh()

    def _settle(self) -> None:
        if self._watcher is not None:
            self._watcher.settle()

    def _switched(self, change: Any) -> None:
        if change["new"]:
            self.resume()
        else:
            self.pause()

    # -- cells

    def _before_cell(self, info: ExecutionInfo) -> None:
        self._cell = info.raw_cell or ""
        if self._paused or os.getpid() != self._pid:
            return
        watcher = self._watcher
        if watcher is None:
            if re.search(_LIKELY, self._cell):
                self._guarded(self._learn)()
        elif watcher.has_moved():
            self._guarded(watcher.settle_between)()

    def _after_cell(self, _result: object) -> None:
        cell, self._cell = self._cell, ""
        if self._replay is not None:
            self._guarded(self._look_at_replay)()
        watcher = self._watcher
        if watcher is None or os.getpid() != self._pid:
            return
        if not self._paused and (watcher.is_busy() or watcher.has_moved()):
            self._guarded(watcher.end_cell)(cell)
        if watcher.lines:
            self._guarded(self._tell)(watcher)

    def _tell(self, watcher: Watcher) -> None:
        """Show what was recorded: after the cell, so that no ``%%capture`` takes it."""
        lines, watcher.lines = watcher.lines, []
        _say(*lines)

    def _look_at_replay(self) -> None:
        """Report that the start-up hook's replay goes on, is over, or failed."""
        if self._replay is None and not any_replay():
            return
        from ..history.replays import status

        was, now = self._replay, status(self._history().path)
        self._replay = now if now is not None and now.state == "running" else None
        if now is not None and (
            (now.state != "done" or now.message) if was is None else self._replay is None
        ):
            _say(str(now))

    # -- programs: the listener of `taps`

    def begins(self, start: Start) -> object | None:
        """Handle the start of a program."""
        if self._paused or os.getpid() != self._pid:
            return None
        if re.search(_LIKELY, start.text) or re.match(_SHELL, start.text):
            run: Run | None = self._guarded(self._begins)(start)
            return run
        if self._watcher is not None:
            self._watcher.saw(start.text)
        return None

    def _begins(self, start: Start) -> Run | None:
        return self._learn().begins(start, self._cell)

    def went(self, token: object, result: int | Handle) -> None:
        """Handle that it was started, or has ended."""
        if os.getpid() == self._pid:
            self._guarded(self._went)(token, result)

    def _went(self, token: Any, result: int | Handle) -> None:
        if self._watcher is not None:
            self._watcher.went(token, result)

    # -- the rest

    def _learn(self) -> Watcher:
        """Read the packages, unless they were read before."""
        if self._watcher is None:
            from .watcher import Watcher

            self._watcher = Watcher(self._notebook, self._history)
        return self._watcher

    def _notebook(self) -> str:
        """Return the notebook's path from VS Code, or else from the process environment."""
        return str(self.shell.user_ns.get("__vsc_ipynb_file__", ""))

    def _guarded(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def done(*args: Any) -> Any:
            try:
                with self._lock:  # programs are started in other threads as well
                    return work(*args)
            except Exception as error:
                self._warn(error)
                return None

        return done

    def _warn(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            reason = readable(" ".join(str(error).split())) or type(error).__name__
            sys.stderr.write(
                f"jstackmagic: what cells install cannot all be recorded ({reason}); they run as "
                "ever. %config JStackMagic.capture = False stops trying.\n"
            )


def _say(*lines: str) -> None:
    from ..display.live import take_every_letter

    take_every_letter(sys.stdout)
    for line in lines:
        sys.stdout.write(f"jstackmagic: {readable(line)}\n")
    sys.stdout.flush()


_live: LiveCapture | None = None


def start(shell: InteractiveShell, settings: HasTraits, history: Callable[[], History]) -> None:
    """Start to record the installs that a shell's cells make without us.

    Args:
        settings: Its trait ``capture``, which may change, switches this on and off.
        history: Returns the history to record in.
    """
    global _live
    if _live is None:
        _live = LiveCapture(shell, settings, history)
        _live.open()


def stop(shell: InteractiveShell) -> None:
    """End what `start` began."""
    global _live
    if _live is not None and _live.shell is shell:
        _live.close()
        _live = None


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """While our own commands run: they keep their own records."""
    live = _live
    if live is None:
        yield
        return
    live.pause()
    try:
        yield
    finally:
        live.resume()
