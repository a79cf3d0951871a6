"""The lines of a history file.

The format of a line, and what a reader may rely on, is documented in ``docs/history.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from ..model.environment import EnvironmentRef
from ..model.managers import names
from ..model.packages import ManagerName
from ..model.plan import Outcome
from ..model.record import Context, Record, Status
from ..model.request import Request
from ..model.written import plain, request_of, written
from .who import lives

SCHEMA = 1
"""The version that every line names. Adding an optional field does not raise it."""

Event = Literal["begin", "end", "planned", "found", "seen"]

EVENTS: Mapping[Status, Event] = {
    "running": "begin",
    "planned": "planned",
    "found": "found",
    "seen": "seen",
}
"""The event that a record of each status begins with."""


@lru_cache(maxsize=1)
def _reader() -> Any:
    """Return a decoder of lines; the parts that repeat from line to line are kept raw."""
    import msgspec

    line = msgspec.defstruct(
        "Line",
        [
            ("v", int),
            ("event", Event),
            ("id", str),
            ("time", str),
            ("request", written(Request) | None, None),
            ("environment", msgspec.Raw, msgspec.Raw()),
            ("engine", str, ""),
            ("commands", tuple[str, ...], ()),
            ("context", msgspec.Raw, msgspec.Raw()),
            ("outcome", Outcome | None, None),
            ("undoes", str, ""),
            ("notes", tuple[str, ...], ()),
        ],
    )
    return msgspec.json.Decoder(line)


@lru_cache(maxsize=1024)
def _environment(raw: bytes) -> EnvironmentRef:
    import msgspec

    return msgspec.json.decode(raw, type=EnvironmentRef)


@lru_cache(maxsize=1024)
def _context(raw: bytes) -> Context:
    import msgspec

    return msgspec.json.decode(raw, type=Context) if raw else Context()


def decode(text: bytes) -> Any:
    """Decode one whole line.

    Raises:
        ValueError: It does not fit this schema (msgspec's errors are ValueErrors).
    """
    try:
        line = _reader().decode(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    time_of(line.time)
    if line.v > SCHEMA:
        raise ValueError(f"its schema is {line.v}")
    if line.event == "end":
        if line.outcome is None:
            raise ValueError("an end without an outcome")
        change = line.outcome.change
        _check_managers(
            package.manager
            for group in (change.added, change.removed, *change.changed, line.outcome.resolved)
            for package in group
        )
    elif line.request is None:
        raise ValueError("a beginning without a request")
    else:
        _check_managers((line.request.manager,))
        line.environment = _environment(bytes(line.environment))
        line.context = _context(bytes(line.context))
    return line


def time_of(text: str) -> datetime:
    """Return a record's time; ``fromisoformat`` takes no ``Z`` before Python 3.11.

    Raises:
        ValueError: It is no time.
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _check_managers(found: Iterable[ManagerName]) -> None:
    unknown = set(found).difference(names())
    if unknown:
        raise ValueError(f"this version knows no manager {min(unknown)!r}")


def record_of(start: Any, outcome: Outcome | None, status: Status | None = None) -> Record:
    """Return one record from its two lines.

    Args:
        status: If the caller knows it, so that no process need be looked for.
    """
    outcome = outcome or start.outcome
    if status is None:
        if start.event != "begin":
            status = start.event
        elif outcome is not None:
            status = outcome.status
        else:
            status = "running" if lives(start.context) else "interrupted"
    return Record(
        id=start.id,
        time=start.time,
        status=status,
        request=request_of(start.request),
        environment=start.environment,
        engine=start.engine,
        commands=start.commands,
        context=start.context,
        outcome=outcome,
        undoes=start.undoes,
        notes=start.notes,
    )


def encode(event: Event, id_: str, time: str, **fields: object) -> bytes:
    """Return a line, without empty fields and without credentials."""
    import msgspec

    lean = {key: plain(value) for key, value in fields.items() if value not in ("", (), None)}
    return (
        msgspec.json.encode({"v": SCHEMA, "event": event, "id": id_, "time": time, **lean}) + b"\n"
    )


def line_of(record: Record) -> bytes:
    """Return the line that begins a record."""
    event = EVENTS[record.status]
    parts = (each.name for each in fields(record) if each.name not in ("id", "time", "status"))
    return encode(event, record.id, record.time, **{name: getattr(record, name) for name in parts})


def is_line(text: bytes) -> bool:
    """Return whether a text is a line of this schema or of a later one."""
    try:
        decode(text)
    except ValueError:
        return version_of(text) > SCHEMA
    return True


def version_of(text: bytes) -> int:
    """Return a line's schema version; 0 if it is not a line."""
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    version = value.get("v") if isinstance(value, dict) else None
    return version if isinstance(version, int) else 0
