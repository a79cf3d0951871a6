"""Put an image's own layers on a newer base, without building: a security fix, say.

It is checked first whether that is right. --all takes a file of images, one a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from .._options import flag, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import Session
    from ._rebased import Rebased


@dataclass(frozen=True)
class Options:
    """The images to rebase."""

    images: tuple[str, ...] = option(nargs="*", metavar="REGISTRY/NAME:TAG", help="which")
    onto: str = option("--onto", required=True, metavar="BASE", help="the new base image")
    all: str | None = option("--all", metavar="FILE", help="a list of images, one a line")
    dry_run: bool = flag("--dry-run", help="only say what would become of each")


HELP = "put an image's layers on a newer base"


def run(options: Options, session: Session) -> Rebased:
    """Do it."""
    from ...image.layers.rebasing import rebase
    from ...model.reference import parse, parse_tag
    from ._rebased import Rebased

    names = [*options.images, *(_listed(options.all) if options.all else ())]
    if not names:
        raise UsageError("Say which image, or --all FILE.", kept="Nothing was sent.")
    tags = [parse_tag(name) for name in names]
    found = rebase(tags, parse(options.onto), session.console, dry_run=options.dry_run)
    return Rebased(options.onto, tuple(found), dry_run=options.dry_run)


def _listed(path: str) -> Sequence[str]:
    from ...io.reading import path_of, text_of

    try:
        lines = text_of(path_of(path)).splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", kept="Nothing was sent.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
