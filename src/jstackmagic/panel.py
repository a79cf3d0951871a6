"""The kernel's side of the panel in JupyterLab: one comm that answers with the verbs' own JSON.

A comm of the target ``jstackmagic`` stands in the kernel's list of comms while the extension is
loaded. A panel finds it there (``comm_info_request``) and sends it requests on the control channel,
which the kernel serves while a cell runs; the answers are comm messages on the IOPub channel. None
of the messages is seen by a frontend that does not ask.

A request is ``{"schema": 1, "id": ID, "verb": VERB, "words": [WORD, …]}``, where ``cells``, the
source of the notebook's code cells, may be added; the answers to it carry its id. Each ``say`` is
a line for people and each ``progress`` a state of the work; the last answer has ``value``, the
verb's JSON, or ``error``. With ``token`` the answer is the completions of that word. Without a
request, the event "changed" says that the history has grown, "closed" that nobody answers any more.

In a kernel `%load_ext` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import commands
from .model.errors import JStackMagicError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from .display import Displayed
    from .display.progress import ProgressReport
    from .session import Session

SCHEMA = 1
"""The version of the messages; it changes when a reader of the old ones would go wrong."""

TARGET = "jstackmagic"


class Door:
    """The comm, from ``open()`` to ``close()``.

    It has the attributes and methods of a comm that ipykernel's comm manager and its
    ``comm_info_request`` use; one of its own classes would also fire the shell's events.
    """

    target_name = TARGET

    def __init__(self, shell: InteractiveShell, session: Callable[..., Session]) -> None:
        self.comm_id = f"{TARGET}-{os.urandom(16).hex()}"
        self._shell = shell
        self._kernel: Any = shell.kernel  # type: ignore[attr-defined]
        self._session = session
        self._cell: Any = None  # the message that the running cell came with
        self._stamp: tuple[int, int] | None = None
        self._history = ""  # its path, when a panel last asked; empty before

    def open(self) -> None:
        """Let panels find it."""
        self._kernel.comm_manager.comms[self.comm_id] = self
        self._kernel.control_handlers["comm_msg"] = self._take
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)

    def close(self) -> None:
        """Take it away."""
        self._shell.events.unregister("pre_run_cell", self._before_cell)
        self._shell.events.unregister("post_run_cell", self._after_cell)
        self._kernel.control_handlers.pop("comm_msg", None)
        self._kernel.comm_manager.comms.pop(self.comm_id, None)
        self._send({"event": "closed"}, {})

    # -- messages

    def _take(self, _stream: object, _ident: object, message: Mapping[str, Any]) -> None:
        """Accept a message of the control channel."""
        if message["content"].get("comm_id") == self.comm_id:
            self.handle_msg(message)

    def handle_msg(self, message: Mapping[str, Any]) -> None:
        """Answer a request in a thread of its own, so that the channel stays free."""
        threading.Thread(
            target=self._answer, args=(message,), name="jstackmagic-panel", daemon=True
        ).start()

    def handle_close(self, message: Mapping[str, Any]) -> None:
        """Stay open: other panels use the same comm."""

    def _answer(self, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data", {})
        answer = _Answer(lambda said: self._send({**said, "id": data.get("id")}, message))
        try:
            self._history = str(self._session().history.source)
            self._stamp = self._stamp or self._history_stamp()
            last = {"value": self._value(data, answer)}
        except JStackMagicError as error:
            last = {"error": _as_data(error)}
        except Exception as error:
            from .commands._unexpected import unexpected

            last = {"error": _as_data(unexpected(error))}
        answer.send(last)
        self._repeat_busy()

    def _value(self, data: Mapping[str, Any], answer: _Answer) -> Any:
        if data.get("schema") != SCHEMA:
            raise UsageError(
                f"This kernel's jstackmagic speaks version {SCHEMA} of the panel's messages.",
                advice="Install the same version of jstackmagic-lab beside JupyterLab.",
            )
        verb, words = str(data["verb"]), [str(word) for word in data["words"]]
        if "token" in data:
            from .commands._complete import complete

            return complete(verb, words, str(data["token"]), self._session())
        if verb not in commands.names():
            raise UsageError(f"{verb!r} is not a verb.")
        session = self._session(shown=answer)
        if "cells" in data:
            cells = [str(cell) for cell in data["cells"]]
            session = session.now(cells=lambda: cells)
        from .model.credentials import mask_values

        result, _ = commands.execute(verb, words, session)
        return mask_values(result.to_json())

    def _send(self, data: Mapping[str, Any], parent: Mapping[str, Any]) -> None:
        self._kernel.session.send(
            self._kernel.iopub_socket,
            "comm_msg",
            {"comm_id": self.comm_id, "data": {"schema": SCHEMA, **data}},
            parent=parent,
            ident=f"comm-{self.comm_id}".encode(),
        )

    # -- cells

    def _before_cell(self, _info: object) -> None:
        self._cell = self._kernel.get_parent()

    def _after_cell(self, _result: object) -> None:
        cell, self._cell = self._cell, None
        if self._history and cell is not None:
            before, self._stamp = self._stamp, self._history_stamp()
            if self._stamp != before:
                self._send({"event": "changed"}, cell)

    def _history_stamp(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._history)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _repeat_busy(self) -> None:
        """Say again that a cell runs: the control channel's "idle" has hidden that.

        A cell may end in between, whose own "idle" comes before our "busy": hence the second look.
        """
        while (cell := self._cell) is not None:
            self._status("busy", cell)
            if self._cell is cell:
                return
            self._status("idle", cell)

    def _status(self, state: str, parent: Mapping[str, Any]) -> None:
        kernel = self._kernel
        kernel.session.send(
            kernel.iopub_socket,
            "status",
            {"execution_state": state},
            parent=parent,
            ident=kernel._topic("status"),
        )


class _Answer:
    """The console of a request: words and progress become messages."""

    live = terminal = False
    PAUSE = 0.2  # seconds between two states of one kind of work

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.send = send
        self._doing = ""
        self._due = 0.0

    def say(self, text: str) -> None:
        """Send a line of our own."""
        from .model.credentials import mask

        self.send({"say": mask(text)})

    def write(self, text: str) -> None:
        """Leave a program's own words out: what came of them is in the value."""

    def progress(self, progress: ProgressReport | None) -> None:
        """Send how far the work is."""
        doing, now = progress.doing if progress else "", time.monotonic()
        if doing == self._doing and now < self._due:
            return
        self._doing, self._due = doing, now + self.PAUSE
        self.send({"progress": None if progress is None else asdict(progress)})

    def result(self, result: Displayed, *, as_json: bool = False) -> None:
        """Show nothing: the value is sent."""


def _as_data(error: BaseException) -> dict[str, Any]:
    from .model.credentials import mask

    kept = getattr(error, "kept", "")
    advice = [mask(line) for line in getattr(error, "advice", ())]
    return {"problem": mask(str(getattr(error, "problem", error))), "kept": kept, "advice": advice}


_door: Door | None = None


def start(shell: InteractiveShell, session: Callable[..., Session]) -> None:
    """Start to answer panels, in a kernel that has a control channel."""
    global _door
    kernel = getattr(shell, "kernel", None)
    if _door is None and hasattr(kernel, "control_handlers") and hasattr(kernel, "comm_manager"):
        _door = Door(shell, session)
        _door.open()


def stop() -> None:
    """End what `start` began."""
    global _door
    if _door is not None:
        _door.close()
        _door = None
