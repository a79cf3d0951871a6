"""Show what was installed, when, where, by which manager and with which result.

Examples:
    %envhistory                        # the latest is at the bottom
    %envhistory 3f9a                   # one transaction, whole
    %envhistory 3f9a.1 --log           # one record of it, with all that the manager said
    %envhistory --manager pip --status failed
    %envhistory --since 7d --limit 10
    %envhistory --verify               # ask the managers whether it is so; with ID, of that one
    %envhistory --image                # what the image of this container was made from
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..display import Code, Fold, Part, Result, Table, Text
from ..model.errors import UsageError
from ..model.managers import is_system, names
from ._change import change_table, count_text
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..session import Session

from ..history.file import IMAGE_HISTORY, History
from ..model.record import Record

_AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("id", nargs="?", metavar="ID", help="one transaction or record, whole")
    parser.add_argument("--log", action="store_true", help="with ID: the manager's own log, too")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="hold the record against the managers and the disk; exit status 1 where they differ",
    )
    add_target(parser)
    parser.add_argument("--manager", choices=names(), help="of one manager")
    parser.add_argument(
        "--status",
        choices=("ok", "failed", "interrupted", "running", "planned", "found"),
        help="of one status",
    )
    parser.add_argument("--since", metavar="TIME", help="2026-11-01, 2026-11-01T12:00, 90m, 8h, 7d")
    parser.add_argument("--until", metavar="TIME", help="likewise")
    parser.add_argument(
        "--image", action="store_true", help="the history that this container's image was made from"
    )
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="the latest N (default 50; 0 is all)"
    )


def run(args: argparse.Namespace, session: Session) -> Result:
    """Read the history and show what was asked for."""
    history = History(IMAGE_HISTORY) if args.image else session.history
    if args.verify:
        from ._verify import verified

        found = history.get(args.id) if args.id else history.records()
        return verified(session, [record for record in found if _wanted(record, args)])
    if args.id:
        taken = history.ledger().taken_back()
        return WholeRecords(tuple(history.get(args.id)), with_log=args.log, taken_back=taken)
    records = [record for record in history.records() if _wanted(record, args)]
    shown = records[-args.limit :] if args.limit > 0 else records
    return HistoryTable(
        tuple(shown),
        left_out=len(records) - len(shown),
        path=str(history.source),
        taken_back=history.ledger().taken_back(),
    )


def _wanted(record: Record, args: argparse.Namespace) -> bool:
    if args.name or args.prefix or args.kernel or args.all_kernels:
        prefixes = {environment.prefix for environment in targets(args)}
        if record.environment.prefix not in prefixes:
            return False
    when = datetime.fromisoformat(record.time.replace("Z", "+00:00"))
    return (
        (not args.manager or record.request.manager == args.manager)
        and (not args.status or record.status == args.status)
        and (not args.since or when >= _moment(args.since))
        and (not args.until or when <= _moment(args.until))
    )


def _moment(text: str) -> datetime:
    """A point in time from ``2026-11-01`` (local time) or ``7d`` (ago)."""
    ago = re.fullmatch(r"(\d+)([mhdw])", text)
    if ago:
        return datetime.now(timezone.utc) - timedelta(**{_AGO[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise UsageError(
            f"{text!r} is no time.", advice="Write 2026-11-01, 2026-11-01T12:00, 90m, 8h, 7d or 2w"
        ) from None


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
                f"{record.request.action} {' '.join(record.request.texts)}",
                _where(record),
                record.request.manager,
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
        ("asked", f"{request.action} {' '.join(request.texts)}"),
        ("manager", f"{request.manager} ({record.engine})" if record.engine else request.manager),
        ("environment", f"{_where(record)}  {record.environment.prefix}"),
        ("python", record.environment.python or ""),
        *(("command", command) for command in record.commands),
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
    moment = datetime.fromisoformat(record.time.replace("Z", "+00:00"))
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _where(record: Record) -> str:
    if is_system(record.request.manager):
        return "system"
    return record.environment.name or record.environment.prefix


def _result(record: Record) -> str:
    if record.status != "ok" or record.outcome is None:
        return record.status
    return count_text(record.outcome.change) or "already there"


def _json(records: Sequence[Record]) -> Any:
    from ..model.written import plain

    return plain(tuple(records), whole=True)
