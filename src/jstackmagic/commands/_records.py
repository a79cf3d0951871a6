"""The history as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..display import Part, Result, Table, Text
from ..display.changes import count_text
from ..history.file import IMAGE_HISTORY
from ..model.record import Record
from ..model.text import counted
from ..model.written import plain
from ._record import when_of, where_of


@dataclass(frozen=True, repr=False)
class HistoryTable(Result):
    """The history as a table."""

    records: tuple[Record, ...]  #: the records to show, the oldest first
    none: str = ""  #: the sentence that says there are none
    left_out: int = 0  #: the number of older ones that are not shown
    path: str = ""
    #: the ids of what was undone, each with that of the record that did
    taken_back: Mapping[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        return counted(len(self.records), "record")

    def parts(self) -> Sequence[Part]:
        if not self.records:
            return (Text(self.none),)
        images = {record.context.image for record in self.records} - {""}
        several = len(images) > 1  # one home, used in several
        rows = tuple(
            (
                record.id,
                when_of(record),
                what_of(record),
                where_of(record),
                record.request.manager if record.request.specs else "",
                _result(record) + ", taken back" * (record.id in self.taken_back),
                *((record.context.image,) if several else ()),
            )
            for record in self.records
        )
        columns = ("Id", "When", "What", "Where", "Manager", "Result", *("Image",) * several)
        more = f"{self.left_out} earlier records are not shown: --limit 0 shows all."
        image = f"This is the history that the image was made from ({self.path})."
        return (
            Table(columns, rows),
            *((Text(more, "quiet"),) if self.left_out else ()),
            *((Text(image, "quiet"),) if self.path == str(IMAGE_HISTORY) else ()),
        )

    def to_json(self) -> Any:
        records = plain(self.records, whole=True)
        return [{**each, "taken_back_by": self.taken_back.get(each["id"], "")} for each in records]


def what_of(record: Record) -> str:
    """Return what was asked, in words; of an undo of a sync, the record that it takes back."""
    if not record.request.specs:
        return " ".join(" ".join(record.commands).split()) or f"undo {record.undoes}"
    return f"{record.request.action} {' '.join(record.request.texts)}"


def _result(record: Record) -> str:
    if record.status != "ok" or record.outcome is None:
        return record.status
    if record.context.cluster:
        return counted(len(record.outcome.workers), "worker")
    # a cell that installs and removes the same leaves nothing that serves the request
    nothing = "already there" if record.outcome.resolved else "no change"
    return count_text(record.outcome.change) or nothing
