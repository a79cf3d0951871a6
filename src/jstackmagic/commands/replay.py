"""Make the environments here what the history says: in a new container everything comes back.

Examples:
    %envreplay                     # every environment, the very versions and builds there were
    %envreplay --dry-run           # the plan alone
    %envreplay --loose             # what was asked for, in the versions that are newest now
    %envreplay --from FILE         # what another history says, a Dockerfile, an environment.yml;
                                   # this history remembers it
    %envreplay --from IMAGE        # the history that an image was made from
    %envreplay --name other        # the environment of the history, into that one
    %envreplay --keep              # also keep the archives in the home volume: the next replay
                                   # needs no network then
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..display import Part, Text
from ..display.console import into
from ..history.replays import replays
from ..model.ledger import Ledger
from ..session import Session
from ..where.detect import find
from ._change import transaction
from ._changed import ChangeResult
from ._mode import Rehearsal
from ._options import by_name, by_prefix, flag, option

_TARGET = "target (the environments of the history, if not said)"


@dataclass(frozen=True)
class Options(Rehearsal):
    """The records to replay, and the environment."""

    loose: bool = flag("--loose", help="the specs as requested, not the versions")
    source: str | None = option(
        "--from",
        metavar="FILE_OR_IMAGE",
        help="another history; a Dockerfile or another file of packages; an image",
    )
    name: str | None = by_name(_TARGET)
    prefix: str | None = by_prefix(_TARGET)
    all_images: bool = flag("--all-images", help="also what other images than this had")
    keep: bool = flag("--keep", help="keep all packages' archives for the next time")
    log: str | None = option("--log", metavar="FILE", help="a file for the managers' output")


def run(options: Options, session: Session) -> ReplayResult:
    """Replay this user's history, or the one that was named."""
    from ..restore.homes import at_home
    from ..restore.kept import Store
    from ..restore.replay import ReplayOptions, alone, replay
    from ._replaysource import home_of

    if options.source is None:
        home = at_home(session.history, "%envreplay --all-images", every=options.all_images)
    else:
        here = find(name=options.name, prefix=options.prefix)
        home = home_of(options.source, [here], session.context())
    wanted = ReplayOptions(
        session.history.path,
        name=options.name or "",
        prefix=options.prefix or "",
        loose=options.loose,
        foreign=options.source is not None,
        keep=options.keep,
        dry_run=options.dry_run,
        log=options.log or "",
        notes=home.notes,
    )
    with (
        alone(session.history.path, dry_run=options.dry_run),
        into(options.log, session.console) as console,
    ):
        carrier = replace(
            transaction(session, dry_run=options.dry_run, force=options.force),
            # what this history says already is not recorded again
            history=session.history if options.source else replays(),
            console=console,
        )
        rebuilt = replay(Ledger.of(home.records), wanted, carrier, Store.beside(session.history))
    return ReplayResult(done=rebuilt.done, notes=rebuilt.notes, kept=rebuilt.kept)


@dataclass(frozen=True, repr=False)
class ReplayResult(ChangeResult):
    """The outcome of a replay."""

    kept: str = ""  #: a sentence on what was kept for the next one; empty if not requested

    def parts(self) -> Sequence[Part]:
        moved = tuple(item for item in self.done if item.plan.commands or item.record)
        parts = [*ChangeResult.parts(replace(self, done=moved))]
        if not moved and not self.notes:
            parts.append(Text("Everything that the history says is there already.", "good"))
        return [*parts, *([Text(self.kept, "good")] if self.kept else [])]
