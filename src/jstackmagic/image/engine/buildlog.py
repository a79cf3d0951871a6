"""The steps of a build, from the words of the classic builder, podman's, and BuildKit.

Pure: events in, a ``BuildLog`` that knows the steps out.
"""

from __future__ import annotations

import base64
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT_LINES = 40
"""The last lines of a step that are kept, to show if it fails."""

_STEP = re.compile(r"^(?:Step|STEP) (\d+)/(\d+) ?: (.*)", re.DOTALL)
_VERTEX = re.compile(r"^\[(?:[\w.-]+ )?\s*(\d+)/(\d+)\] (.*)", re.DOTALL)
_CACHED = ("---> Using cache", "--> Using cache")
_CHATTER = ("--->", "Removing intermediate container")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class BuildStep:
    """One instruction."""

    number: int  #: its place, from 1
    total: int  #: the number of instructions
    instruction: str  #: its text
    cached: bool = False  #: whether it was taken from an earlier build
    seconds: float | None = None  #: its duration; None while it runs
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _rest: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines it printed, the unfinished one too."""
        return (*self._lines, *_shown(self._rest))

    def write(self, text: str) -> None:
        """Take some of its output: whatever was written at once, a line or not."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._lines.extend(_shown(line))


class BuildLog:
    """Collect the steps from a build's events.

    Attributes:
        steps: In the order in which they began.
        error: The reason of its failure; empty without one.
    """

    def __init__(self) -> None:
        self.steps: list[BuildStep] = []
        self.error = ""
        self._vertices: dict[str, BuildStep] = {}
        self._failed: BuildStep | None = None
        self._began = 0.0

    @property
    def failed(self) -> BuildStep | None:
        """The step that failed; if that is unknown, the last that ran."""
        if not self.error:
            return None
        return self._failed or next(iter(reversed(self.steps)), None)

    def take(self, event: Mapping[str, Any], now: float) -> list[BuildStep]:
        """Take one event; return the steps that it began or ended.

        Args:
            now: Seconds, on a clock that only goes forward.
        """
        aux = event.get("aux")
        if event.get("id") == "moby.buildkit.trace" and isinstance(aux, str):
            return self._take_trace(base64.b64decode(aux))
        if "error" in event:
            detail = event.get("errorDetail") or {}
            self.error = str(detail.get("message") or event["error"]).strip()
            return []
        return self._take_stream(str(event.get("stream") or event.get("status") or ""), now)

    # -- the classic builder and podman's, in lines

    def _take_stream(self, text: str, now: float) -> list[BuildStep]:
        match = _STEP.match(text)
        if match:
            ended = self._end(now)
            self._began = now
            step = BuildStep(int(match[1]), int(match[2]), match[3].strip())
            self.steps.append(step)
            return [*ended, step]
        if not text.strip():
            return []
        if text.strip().startswith(_CACHED):
            if self.steps:
                self.steps[-1].cached = True
            return []
        if self.steps and not text.lstrip().startswith(_CHATTER):
            self.steps[-1].write(text)
        return []

    def _end(self, now: float) -> list[BuildStep]:
        if self.steps and self.steps[-1].seconds is None:
            self.steps[-1].seconds = now - self._began
            return [self.steps[-1]]
        return []

    def close(self, now: float) -> list[BuildStep]:
        """Note that no more events come; return the step that this ended."""
        return [] if self._vertices else self._end(now)

    # -- BuildKit, in protocol buffers

    def _take_trace(self, data: bytes) -> list[BuildStep]:
        # moby.buildkit.v1.StatusResponse: 1 vertexes, 3 logs
        touched = []
        for number, value in fields(data):
            if number == 1 and isinstance(value, bytes):
                touched += self._take_vertex(value)
            elif number == 3 and isinstance(value, bytes):
                self._take_vertex_log(value)
        return touched

    def _take_vertex(self, data: bytes) -> list[BuildStep]:
        # Vertex: 1 digest, 3 name, 4 cached, 5 started, 6 completed, 7 error
        found = dict(fields(data))
        match = _VERTEX.match(_text(found.get(3)))
        if not match:
            return []
        digest = _text(found.get(1))
        step = self._vertices.get(digest)
        if step is None:
            if not (found.get(4) or found.get(5)):
                return []  # only announced
            step = BuildStep(int(match[1]), int(match[2]), match[3].strip())
            self._vertices[digest] = step
            self.steps.append(step)
        elif step.seconds is not None:
            return []
        if found.get(7):
            self._failed = step
        step.cached = step.cached or bool(found.get(4))
        if 6 in found:
            started, completed = _seconds(found.get(5)), _seconds(found[6])
            step.seconds = max(0.0, completed - started) if started else 0.0
        return [step]

    def _take_vertex_log(self, data: bytes) -> None:
        # VertexLog: 1 vertex, 4 msg
        found = dict(fields(data))
        step = self._vertices.get(_text(found.get(1)))
        if step is not None:
            step.write(_text(found.get(4)))


def _shown(line: str) -> Iterator[str]:
    """Yield a line as a screen shows it: the last state of a redrawn bar."""
    shown = _ESCAPE.sub("", line).rstrip("\r").rpartition("\r")[2].rstrip()
    if shown:
        yield shown


def _text(value: int | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _seconds(value: int | bytes | None) -> float:
    """Return a google.protobuf.Timestamp: 1 seconds, 2 nanoseconds."""
    if not isinstance(value, bytes):
        return 0.0
    found = dict(fields(value))
    whole, nanoseconds = found.get(1, 0), found.get(2, 0)
    assert isinstance(whole, int)
    assert isinstance(nanoseconds, int)
    return whole + nanoseconds / 1e9


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protocol buffers message, by number; unknown kinds end it.

    See https://protobuf.dev/programming-guides/encoding/ .
    """
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind, number = key & 7, key >> 3
        if kind == 0:
            value, position = _varint(data, position)
            yield number, value
        elif kind == 2:
            length, position = _varint(data, position)
            yield number, data[position : position + length]
            position += length
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            return


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value, shift = 0, 0
    while position < len(data):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
        shift += 7
    return value, position
