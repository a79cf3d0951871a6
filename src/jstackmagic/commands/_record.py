"""The records of one transaction, each whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..display import Code, Fold, Part, Result, Table
from ..display.changes import change_table
from ..history.select import moment_of
from ..model.managers import is_system
from ..model.plan import OnWorker
from ..model.record import Record
from ..model.text import counted
from ..model.written import plain


@dataclass(frozen=True, repr=False)
class WholeRecords(Result):
    """The records of one transaction, each whole."""

    records: tuple[Record, ...]
    with_log: bool = False  #: whether to show the managers' logs at once
    #: the ids of what was undone, each with that of the record that did
    taken_back: Mapping[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        return ", ".join(record.id for record in self.records)

    def parts(self) -> Sequence[Part]:
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
        words = f"{counted(count, 'line')} of the manager's own log"
        return Fold(f"{words}: %envhistory {id_} --log", log)

    def to_json(self) -> Any:
        return plain(self.records, whole=True)


def _facts(record: Record) -> Sequence[tuple[str, str]]:
    request, context, outcome = record.request, record.context, record.outcome
    facts = (
        ("when", when_of(record)),
        ("status", record.status),
        ("asked", f"{request.action} {' '.join(request.texts)}" if request.specs else ""),
        ("manager", f"{request.manager} ({record.engine})" if record.engine else request.manager),
        ("environment", "  ".join(dict.fromkeys((where_of(record), record.environment.prefix)))),
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
        *(("on", _on(each)) for each in (outcome.workers if outcome else ())),
        ("virtual packages", ", ".join(context.virtual)),
    )
    return [(name, value) for name, value in facts if value]


def when_of(record: Record) -> str:
    """Return when a record was begun, in local time."""
    return moment_of(record).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def where_of(record: Record) -> str:
    """Return the place of a record, in words."""
    if record.context.cluster:
        return record.context.cluster
    if is_system(record.request.manager):
        return "system"
    return record.environment.name or record.environment.prefix


def _on(change: OnWorker) -> str:
    """Return what changed on a worker, in words."""
    moves = ((each.name, (each.old, each.new or "removed")) for each in change.swaps)
    swaps = (f"{name} {' → '.join(filter(None, versions))}" for name, versions in moves)
    return f"{change.worker}, {change.host} {change.prefix}: {', '.join(swaps)}"
