"""Report what many people install, what it costs at every start, and what would spare it.

A folder may hold the users' homes, be one, or hold history files. Nothing in it is written, and no
link in it is followed. Without a folder it is this user's own history.

Examples:
    %envreport                                  # this history
    %envreport homes --by seconds --since 30d
    %envreport homes --image '*base-notebook*' --at-least 5
    %envreport homes -o report.html             # or report.csv, report.json
    %envreport homes --suggest --covers 80% -o next/Dockerfile  # the next image
    %envreport homes --against analysis:2026-11  # for whom the replay has nothing to do there
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone

from ..display import Result
from ..export.dockerfile import STYLES
from ..history.select import moment
from ..io.reading import path_of
from ..report.folders import USUAL, histories, report_on
from ..report.nextimage import suggest
from ..report.person import Filter
from ..report.shown import ORDERS, Report, coarse
from ..session import Session
from ._against import against
from ._next import dockerfile, share
from ._options import count, flag, option

_NEXT = "the next image"


@dataclass(frozen=True)
class Options:
    """The histories to count, those of their records, and the form of the report."""

    folders: tuple[str, ...] = option(nargs="*", metavar="FOLDER", help="homes, or histories")
    history: str = option(
        "--history",
        default=USUAL,
        metavar="PATH",
        help=f"the history's path in a home (default: {USUAL})",
    )
    since: str | None = option("--since", metavar="TIME", help="2026-11-01, 90m, 8h, 7d")
    until: str | None = option("--until", metavar="TIME", help="likewise")
    image: str = option("--image", default="", metavar="PATTERN", help="of people in an image")
    environment: str = option(
        "-n", "--name", default="", metavar="PATTERN", help="of environments, by name or prefix"
    )
    by: str = option("--by", choices=tuple(ORDERS), default="people", help="what ranks packages")
    at_least: int = option(
        "--at-least",
        type=count,
        default=1,
        metavar="K",
        help="leave out counts of fewer people, and give the others in steps of K",
    )
    limit: int = option(
        "--limit",
        type=count,
        default=20,
        metavar="N",
        help="rows of a table (default 20; 0 is all)",
    )
    output: str | None = option(
        "-o", "--output", metavar="FILE", help="write FILE.html, .csv or .json; or a Dockerfile"
    )
    suggest: bool = flag(
        "--suggest", under=_NEXT, help="the Dockerfile of an image that spares people installs"
    )
    covers: str = option(
        "--covers",
        under=_NEXT,
        default="80%",
        metavar="SHARE",
        help="a share of all installs (default: 80%%)",
    )
    base_image: str = option(
        "--from", under=_NEXT, default="", metavar="IMAGE", help="the base (default: most people's)"
    )
    style: str = option(
        "--style", under=_NEXT, default="", choices=STYLES, help="the Dockerfile's pattern"
    )
    against: str | None = option(
        "--against", under=_NEXT, metavar="IMAGE", help="hold it against the recipes"
    )


def run(options: Options, session: Session) -> Result:
    """Count, and show or write the report."""
    own = session.history.source
    folders = [path_of(each) for each in options.folders] or ([own] if own.is_file() else [])
    found = histories(folders, options.history)
    if options.against:
        return against(options.against, found)
    since, until = map(_recorded, (options.since, options.until))
    wanted = Filter(since, until, options.image, options.environment)
    tally = report_on(found, wanted)
    if options.suggest:
        suggestion = suggest(tally, share(options.covers), options.at_least)
        return dockerfile(
            suggestion, options.base_image, style=options.style, output=options.output
        )
    report = Report(coarse(tally, options.at_least), options.by, options.limit, options.at_least)
    return report.write(path_of(options.output)) if options.output else report


def _recorded(time: str | None) -> str:
    """Return a time as records write it; empty without one."""
    when = moment(time)
    return when.astimezone(timezone.utc).isoformat(timespec="milliseconds")[:23] if when else ""
