"""Put an image's own layers on a newer base, without building: a security fix, say.

It is checked first whether that is right. --all takes a file of images, one a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Part, Result, Table, Text, size_text
from ...model.errors import UsageError
from .._options import flag, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...image.layers.rebase import RebaseOutcome  # noqa: TC004 - it loads requests
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The images to rebase."""

    images: tuple[str, ...] = option(nargs="*", metavar="REGISTRY/NAME:TAG", help="which")
    onto: str = option("--onto", required=True, metavar="BASE", help="the new base image")
    all: str | None = option("--all", metavar="FILE", help="a list of images, one a line")
    dry_run: bool = flag("--dry-run", help="only say what would happen to each")


def run(options: Options, session: Session) -> Rebased:
    from ...image.layers.rebase import rebase
    from ...model.reference import parse, parse_tag

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


@dataclass(frozen=True, repr=False)
class Rebased(Result):
    """The outcome of some rebases."""

    onto: str
    outcomes: tuple[RebaseOutcome, ...]  #: one an image
    dry_run: bool = False

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 if an image could not be rebased."""
        return int(any(each.state == "no" for each in self.outcomes))

    def summary(self) -> str:
        there = sum(each.state != "no" for each in self.outcomes)
        return (
            f"{there} of {len(self.outcomes)} {'can be' if self.dry_run else 'are'} on {self.onto}"
        )

    def parts(self) -> Sequence[Part]:
        rows = tuple(
            (
                each.image,
                each.state,
                size_text(each.size) if each.size else "",
                "; ".join(each.reasons),
            )
            for each in self.outcomes
        )
        parts: list[Part] = [Table(("Image", f"On {self.onto}", "Sent", "Why not"), rows)]
        if self.exit_status:
            words = "What says no has to be built again: %envexport dockerfile --from BASE"
            parts.append(Text(words, "warning"))
        return parts

    def to_json(self) -> Any:
        import msgspec

        return {"onto": self.onto, "images": msgspec.to_builtins(self.outcomes)}
