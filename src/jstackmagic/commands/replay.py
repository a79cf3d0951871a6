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

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..display import Part, Text
from ..display.console import Plain
from ..history.progress import replays
from ..model.ledger import Ledger
from ._change import ChangeResult, transaction

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..display.console import Console
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--loose", action="store_true", help="the specs as they were asked, not the versions"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE_OR_IMAGE",
        help="another history; a Dockerfile or another file of packages; an image",
    )
    target = parser.add_argument_group("target (the environments of the history, if not said)")
    one = target.add_mutually_exclusive_group()
    one.add_argument("-n", "--name", metavar="ENV", help="a conda environment, by name")
    one.add_argument("-p", "--prefix", metavar="PATH", help="any environment, by its prefix")
    parser.add_argument(
        "--keep", action="store_true", help="keep all packages' archives for the next time"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and do nothing")
    parser.add_argument("--force", action="store_true", help="go on where a guard would stop")
    parser.add_argument("--log", metavar="FILE", help="where the managers' own words go")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="accepted out of habit: nothing here ever asks"
    )


def run(args: argparse.Namespace, session: Session) -> ReplayResult:
    """Replay this user's history, or the one that was named."""
    from ..restore.homes import of_other_images
    from ..restore.keep import Store
    from ..restore.replay import ReplayOptions, alone, replay
    from ..where import environment
    from ..where.host import look
    from ._source import records_of

    homes: tuple[str, ...] = ()
    if args.source is None:
        ledger = session.history.ledger()
        homes = of_other_images(ledger.records, look().image or "")
    else:
        here = environment.find(name=args.name, prefix=args.prefix)
        records = records_of(args.source, [here], session.context(), session.console)
        ledger = Ledger.of(records)
    wanted = ReplayOptions(
        name=args.name or "",
        prefix=args.prefix or "",
        loose=args.loose,
        foreign=args.source is not None,
        keep=args.keep,
        dry_run=args.dry_run,
        log=args.log or "",
    )
    with (
        alone(session.history.path, dry_run=args.dry_run),
        _words(args.log, session.console) as console,
    ):
        carrier = replace(
            transaction(session, dry_run=args.dry_run, force=args.force),
            # what this history says already is not recorded again
            history=session.history if args.source else replays(),
            console=console,
        )
        rebuilt = replay(ledger, wanted, carrier, Store.beside(session.history))
    return ReplayResult(done=rebuilt.done, notes=(*rebuilt.notes, *homes), kept=rebuilt.kept)


@contextmanager
def _words(log: str | None, console: Console) -> Iterator[Console]:
    """Yield where the managers' words go: to the user, or to a file as they come."""
    if log is None:
        yield console
        return
    with Path(log).expanduser().open("a", encoding="utf-8") as file:

        def write(text: str) -> None:
            file.write(text)
            file.flush()

        yield Plain(write)


@dataclass(frozen=True, repr=False)
class ReplayResult(ChangeResult):
    """The outcome of a replay.

    Attributes:
        kept: What was kept for the next one, a sentence; empty where that was not asked.
    """

    kept: str = ""

    def parts(self) -> Sequence[Part]:
        """The steps, or that there was nothing to do, and what was kept."""
        moved = tuple(item for item in self.done if item.plan.commands or item.record)
        parts = [*ChangeResult.parts(replace(self, done=moved))]
        if not moved and not self.notes:
            parts.append(Text("Everything that the history says is there already.", "good"))
        return [*parts, *([Text(self.kept, "good")] if self.kept else [])]
