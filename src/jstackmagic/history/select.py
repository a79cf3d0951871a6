"""Choose records of a history by manager, status, time and place."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..model.errors import UsageError
from ..model.record import Record
from .lines import time_of

_AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Selection:
    """A selection of records."""

    manager: str = ""  #: only this manager's; empty for any
    status: str = ""  #: only those of this status; empty for any
    since: datetime | None = None  #: only from this time on; None for the beginning
    until: datetime | None = None  #: only up to this time; None for now
    prefixes: Collection[str] | None = None  #: only those of these environments; None for any

    def __contains__(self, record: Record) -> bool:
        when = moment_of(record)
        return (
            (self.prefixes is None or record.environment.prefix in self.prefixes)
            and (not self.manager or record.request.manager == self.manager)
            and (not self.status or record.status == self.status)
            and (self.since is None or when >= self.since)
            and (self.until is None or when <= self.until)
        )


def moment_of(record: Record) -> datetime:
    """Return when a record was begun."""
    return time_of(record.time)


def moment(text: str | None) -> datetime | None:
    """Read a point in time: ``2026-11-01`` (local time) or ``7d`` (ago); None without one.

    Raises:
        UsageError: It is not a time.
    """
    if not text:
        return None
    ago = re.fullmatch(r"(\d+)([mhdw])", text)
    try:
        if ago:
            return datetime.now(timezone.utc) - timedelta(**{_AGO[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a time.",
            advice="Write 2026-11-01, 2026-11-01T12:00, 90m, 8h, 7d or 2w",
        ) from None
