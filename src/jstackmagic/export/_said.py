"""Notes of records besides their requests: alternatives, doubts, uncaptured commands."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..model.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.record import Record

_SHOWN = 8
_WIDTH = 100  # characters of a command


def said(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the notes of records that count, and the commands that no export has.

    A note of a record whose packages were removed again since is left out.
    """
    ledger = Ledger.of(records)
    asked = {item.text for step in ledger.recipe().steps for item in step.install}
    taken = ledger.taken_back()
    notes = dict.fromkeys(
        sentence
        for record in ledger.records
        if record.id not in taken
        for sentence in _sentences(record, asked)
    )
    shown = tuple(notes)[:_SHOWN]
    more = len(notes) - len(shown)
    return (*shown, f"{more} more such notes: %envhistory --status seen") if more > 0 else shown


def _sentences(record: Record, asked: set[str]) -> Iterator[str]:
    asked_for = f"{record.request.manager}: {' '.join(record.request.texts)}"
    command = " ".join(" ".join(record.commands[:1] or (asked_for,)).split())
    command = command if len(command) <= _WIDTH else f"{command[: _WIDTH - 1]}…"
    file = os.path.basename(record.context.notebook)
    where = f"{command} ({file})" if file else command
    if record.status == "seen":
        yield from (f"Not in this: {where}: {note}" for note in record.notes)
    elif record.status in ("ok", "planned") and asked.intersection(record.request.texts):
        yield from (f"{where}: {note}" for note in record.notes)
