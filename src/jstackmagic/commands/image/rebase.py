"""Put an image's own layers on a newer base, without building: a security fix, say.

It is checked first whether that is right. --all takes a file of images, one a line.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import JStackMagicError, Stopped, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...model.reference import Reference
    from ...session import Session
    from ._rebased import Rebased


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    images: tuple[str, ...]
    onto: str
    listed: str | None = None
    dry_run: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(tuple(args.images), args.onto, args.all, args.dry_run)


HELP = "put an image's layers on a newer base"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="*", metavar="REGISTRY/NAME:TAG", help="which")
    parser.add_argument("--onto", required=True, metavar="BASE", help="the new base image")
    parser.add_argument("--all", metavar="FILE", help="a list of images, one a line")
    parser.add_argument("--dry-run", action="store_true", help="only say what would become of each")


def run(options: Options, session: Session) -> Rebased:
    """Do it."""
    from ...image.registry.client import opened
    from ...model.reference import parse, parse_tag
    from ._rebased import Outcome, Rebased, Rebasing

    names = [*options.images, *(_listed(options.listed) if options.listed else ())]
    if not names:
        raise UsageError("Say which image, or --all FILE.", kept="Nothing was sent.")
    tags = [parse_tag(name) for name in names]
    with ExitStack() as stack:
        new = stack.enter_context(opened(parse(options.onto)))
        rebasing = Rebasing(new, session, dry_run=options.dry_run)

        def one(tag: Reference) -> Outcome:
            try:
                return rebasing.rebase(tag)
            except JStackMagicError as error:
                if len(tags) == 1 and not isinstance(error, Stopped):
                    raise
                return Outcome(str(tag), "no", (error.problem,))

        found = tuple(map(one, tags))
        rebasing.close()
    return Rebased(options.onto, found, dry_run=options.dry_run)


def _listed(path: str) -> Sequence[str]:
    from ...io.reading import path_of, text_of

    try:
        lines = text_of(path_of(path)).splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.", kept="Nothing was sent.") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
