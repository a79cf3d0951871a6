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

from dataclasses import dataclass

from ..display import Result
from ..history.file import IMAGE_HISTORY, History
from ..history.select import Selection, moment
from ..model.managers import names
from ..session import Session
from ._options import count, flag, option
from ._record import WholeRecords
from ._records import HistoryTable
from ._shared import TargetOptions


@dataclass(frozen=True)
class Options(TargetOptions):
    """The records to show, and their detail."""

    id: str | None = option(nargs="?", metavar="ID", help="one transaction or record, whole")
    log: bool = flag("--log", help="with ID: the manager's own log, too")
    verify: bool = flag(
        "--verify",
        help="hold the record against the managers and the disk; exit status 1 where they differ",
    )
    manager: str | None = option("--manager", choices=names, help="of one manager")
    status: str | None = option(
        "--status",
        choices=("ok", "failed", "interrupted", "running", "planned", "found", "seen"),
        help="of one status",
    )
    since: str | None = option(
        "--since", metavar="TIME", help="2026-11-01, 2026-11-01T12:00, 90m, 8h, 7d"
    )
    until: str | None = option("--until", metavar="TIME", help="likewise")
    image: bool = flag("--image", help="the history that this container's image was made from")
    limit: int = option(
        "--limit", type=count, default=50, metavar="N", help="the latest N (default 50; 0 is all)"
    )

    @property
    def selection(self) -> Selection:
        """The records that are meant."""
        prefixes = {each.prefix for each in self.environments()} if self.is_said else None
        since, until = moment(self.since), moment(self.until)
        return Selection(self.manager or "", self.status or "", since, until, prefixes)


def run(options: Options, session: Session) -> Result:
    """Read the history and show the chosen records."""
    history = History(IMAGE_HISTORY) if options.image else session.history
    if options.id and not options.verify:
        taken = history.ledger().taken_back()
        return WholeRecords(tuple(history.get(options.id)), options.log, taken)
    found = history.get(options.id) if options.id else history.records()
    selection = options.selection
    records = [record for record in found if record in selection]
    if options.verify:
        from ..restore.homes import at_home
        from ._verify import verified

        home = at_home(history, "%envhistory --verify ID", every=bool(options.id))
        here = [record for record in records if record.id in home.ids]
        return verified(session, here, home.records, home.notes)
    shown = records[-options.limit :] if options.limit else records
    none = f"No record in {history.source} matches."
    return HistoryTable(
        tuple(shown),
        none=none if found else f"Nothing is recorded yet in {history.source}.",
        left_out=len(records) - len(shown),
        path=str(history.source),
        taken_back=history.ledger().taken_back(),
    )
