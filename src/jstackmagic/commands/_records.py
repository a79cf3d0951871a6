"""The history as a table, and records whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..display import Code, Fold, Part, Result, Table, Text
from ..history.file import IMAGE_HISTORY
from ..history.select import moment_of
from ..model.managers import is_system
from ..model.record import Record
from ._changed import change_table, count_text

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, repr=False)
class HistoryTable(Result):
    """The history as a table.

    Attributes:
        records: What is shown, oldest first.
        left_out: How many older ones are not.
        path: The file.
        taken_back: The ids of what was taken back, each with that of the record that did.
    """

    records: tuple[Record, ...]
    left_out: int = 0
    path: str = ""
    taken_back: Mapping[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        """Return how many records there are."""
        return f"{len(self.records)} records"

    def parts(self) -> Sequence[Part]:
        """The table, or that there is nothing yet."""
        if not self.records:
            return (Text(f"Nothing of that is recorded in {self.path}."),)
        rows = tuple(
            (
                record.id,
                _when(record),
                _what(record),
                _where(record),
                record.request.manager if record.request.specs else "",
                _result(record) + ", taken back" * (record.id in self.taken_back),
            )
            for record in self.records
        )
        columns = ("Id", "When", "What", "Where", "Manager", "Result")
        more = f"{self.left_out} earlier records are not shown: --limit 0 shows all."
        image = f"This is the history that the image was made from ({self.path})."
        return (
            Table(columns, rows),
            *((Text(more, "quiet"),) if self.left_out else ()),
            *((Text(image, "quiet"),) if self.path == str(IMAGE_HISTORY) else ()),
        )

    def to_json(self) -> Any:
        """The records."""
        return _json(self.records)


@dataclass(frozen=True, repr=False)
class WholeRecords(Result):
    """The records of one transaction, each whole.

    Attributes:
        records: The records.
        with_log: Whether the managers' logs are to be seen at once.
        taken_back: The ids of what was taken back, each with that of the record that did.
    """

    records: tuple[Record, ...]
    with_log: bool = False
    taken_back: Mapping[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        """Return which they are."""
        return ", ".join(record.id for record in self.records)

    def parts(self) -> Sequence[Part]:
        """Everything that each record says."""
        parts: list[Part] = []
        for record in self.records:
            by = (("taken back by", by),) if (by := self.taken_back.get(record.id)) else ()
            parts.append(Table(("Record", record.id), (*_facts(record), *by), facts=True))
            if record.outcome and record.outcome.change:
                parts.append(change_table(record.outcome.change, "What changed on disk"))
            if record.outcome and record.outcome.message:
                parts.append(Code(record.outcome.message))
            if record.outcome and record.outcome.log:
                parts.append(self._log(record.id, record.outcome.log))
        return parts

    def _log(self, id_: str, log: str) -> Part:
        if self.with_log:
            return Code(log)
        count = log.count("\n") + 1
        words = f"{count} line{'s'[: count != 1]} of the manager's own log"
        return Fold(f"{words}: %envhistory {id_} --log", log)

    def to_json(self) -> Any:
        """The records."""
        return _json(self.records)


def _facts(record: Record) -> Sequence[tuple[str, str]]:
    request, context, outcome = record.request, record.context, record.outcome
    facts = (
        ("when", _when(record)),
        ("status", record.status),
        ("asked", f"{request.action} {' '.join(request.texts)}" if request.specs else ""),
        ("manager", f"{request.manager} ({record.engine})" if record.engine else request.manager),
        ("environment", f"{_where(record)}  {record.environment.prefix}"),
        ("python", record.environment.python or ""),
        *(("command", command) for command in record.commands),
        *(("note", note) for note in record.notes),
        ("took", f"{outcome.seconds:.1f} s" if outcome else ""),
        ("exit status", str(outcome.exit_status) if outcome else ""),
        ("undoes", record.undoes),
        ("user", f"{context.user}@{context.host}" if context.user else ""),
        ("notebook", context.notebook),
        ("kernel", context.kernel),
        ("container", context.container),
        ("image", context.image),
    )
    return [(name, value) for name, value in facts if value]


def _when(record: Record) -> str:
    return moment_of(record).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _where(record: Record) -> str:
    if is_system(record.request.manager):
        return "system"
    return record.environment.name or record.environment.prefix


def _what(record: Record) -> str:
    if not record.request.specs:
        return " ".join(" ".join(record.commands).split())
    return f"{record.request.action} {' '.join(record.request.texts)}"


def _result(record: Record) -> str:
    if record.status != "ok" or record.outcome is None:
        return record.status
    return count_text(record.outcome.change) or "already there"


def _json(records: Sequence[Record]) -> Any:
    from ..model.written import plain

    return plain(tuple(records), whole=True)
