"""Ask for a package that only the image can bring, and see what became of the requests.

A request goes into the history as with --record-only, with its reason; from there into exports,
into the report, and to the hub's service where there is one.

Examples:
    %envrequest apt:libgl1 --why "OpenCV needs it"
    %envrequest                                 # what was asked for, and what was decided
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..display import Part, Result, Table, Text
from ..install.route import route, steps_of
from ..model.errors import UsageError
from ..model.parsing import read_specs
from ..model.record import WHY, Record
from ..model.text import counted
from ..session import Session
from ..where.detect import detect
from ._change import transaction
from ._changed import ChangeResult
from ._options import option
from ._record import when_of
from ._shared import ByManager, TargetOptions

_SECONDS = 3.0  # that a list waits for the service


@dataclass(frozen=True)
class Options(TargetOptions, ByManager):
    """The packages to ask for, and the reason."""

    specs: tuple[str, ...] = option(nargs="*", metavar="SPEC", help="what to ask for")
    why: str = option("--why", default="", metavar="TEXT", help="the reason, for who decides")


def run(options: Options, session: Session) -> Result:
    """Record a request, or list those there are."""
    if not options.specs:
        if options.why:
            raise UsageError(
                "A reason needs a package.",
                kept="Nothing was recorded.",
                advice='%envrequest apt:libgl1 --why "OpenCV needs it"',
            )
        return _listed(session)
    why = " ".join(options.why.split())
    (environment, *others) = options.environments()
    if others:
        raise UsageError("A request is for one environment.", kept="Nothing was recorded.")
    asked = read_specs(options.specs, manager=options.manager)
    said, notes = route(asked, environment, session.policy.managers, session.console)
    made = transaction(session, record_only=True, notes=(WHY + why,))
    return ChangeResult(tuple(made.carry_out(steps_of(said, environment))), tuple(notes))


@dataclass(frozen=True, repr=False)
class Requests(Result):
    """A user's requests."""

    rows: tuple[tuple[str, str, str, str], ...]  #: time, package, reason and state of each

    def summary(self) -> str:
        return counted(len(self.rows), "request")

    def parts(self) -> Sequence[Part]:
        if not self.rows:
            return [Text('Nothing was asked for yet: %envrequest apt:libgl1 --why "…"')]
        return [Table(("When", "Package", "Why", "State"), self.rows)]

    def to_json(self) -> Any:
        return [
            dict(zip(("when", "package", "why", "state"), row, strict=True)) for row in self.rows
        ]


def _listed(session: Session) -> Requests:
    from ..sending.outbox import Outbox, Unreachable
    from ..where.metadata import read_packages

    outbox = Outbox(session.history.path, session.policy.hub_url)
    if outbox.url:
        with suppress(Unreachable):  # then as it was said last
            outbox.fetch(_SECONDS)
    decisions = outbox.state().decisions
    here = read_packages(detect())
    rows = []
    for record, why in _asked(session.history.records()):
        for spec in record.request.specs:
            name = f"{record.request.manager}:{spec.name or spec.text}"
            said = decisions.get(name, {})
            state = said.get("state", "waits")
            state += f": {said['why']}" if said.get("why") else ""
            if (record.request.manager, spec.name) in here:
                state = "is here"
            rows.append((when_of(record), name, why, state))
    return Requests(tuple(rows))


def _asked(records: Iterable[Record]) -> list[tuple[Record, str]]:
    return [
        (record, note.removeprefix(WHY))
        for record in records
        for note in record.notes
        if note.startswith(WHY)
    ]
