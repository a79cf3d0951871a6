"""Show what is here that the base image did not bring, and which of it the history explains.

Examples:
    %envdiff                  # the running kernel's environment, and the system's packages
    %envdiff --name other
    %envdiff --unexplained    # only what nobody recorded
    %envdiff --adopt          # record what nobody recorded
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..display import Part, Result, Table, Text
from ..model.environment import Environment
from ..model.errors import JStackMagicError
from ..model.managers import of_environment, of_system
from ..restore.drift import Difference, Drift, adopt, drift_of
from ..where.ours import described
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..image.prove.brought import Brought
    from ..session import Session


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them.

    Attributes:
        environments: Where to look, beside the system.
        unexplained: Whether to show only what nobody recorded.
        adopt: Whether to record that.
    """

    environments: tuple[Environment, ...]
    unexplained: bool
    adopt: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(targets(args), args.unexplained, args.adopt)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_target(parser)
    parser.add_argument("--unexplained", action="store_true", help="only what nobody recorded")
    parser.add_argument(
        "--adopt", action="store_true", help="record what nobody recorded: it reaches the exports"
    )


def run(args: argparse.Namespace, session: Session) -> Drifts:
    """Compare every target with its beginning, and the system once."""
    options, history = Options.of(args), session.history
    image = cache(_image)  # asked once, and anew the next time: its container changes
    places = [(each, of_environment()) for each in options.environments]
    places.append((options.environments[0], of_system()))

    def drifts() -> tuple[Drift, ...]:
        ledger = history.ledger()
        return tuple(drift_of(*place, ledger, image) for place in places)

    found = drifts()
    if options.adopt:
        from ..capture.observe import requests_behind

        for drift in found:
            adopt(drift, history, session.context(), requests_behind)
        found = drifts()
    return Drifts(found, only_unexplained=options.unexplained, adopted=options.adopt)


def _image() -> Brought | None:
    """What the image of this container brought, where an engine is in reach that can tell."""
    from ..where.host import look

    host = look()
    if host.runtime is None or host.engine is None:
        return None
    from ..image.engine.client import connect
    from ..image.engine.container import this_container
    from ..image.prove.brought import Brought

    try:
        engine = connect()
        container = this_container(engine, host)
    except JStackMagicError:
        return None
    return Brought(engine, container) if container else None


@dataclass(frozen=True, repr=False)
class Drifts(Result):
    """The drift of environments and of the system from their beginning."""

    drifts: tuple[Drift, ...]
    only_unexplained: bool = False
    adopted: bool = False

    def summary(self) -> str:
        """Return how many packages are not as they were, and how many nobody recorded."""
        differences = sum(len(drift.differences) for drift in self.drifts)
        unexplained = sum(len(drift.unexplained) for drift in self.drifts)
        return f"{differences} differences, {unexplained} unexplained"

    def parts(self) -> Sequence[Part]:
        """A table for each place, what it is measured from, and what to do about the rest."""
        parts: list[Part] = []
        for drift in self.drifts:
            parts += self._parts_of(drift)
            if drift.ours:
                beside = f"{described(drift.ours)}: here beside these, and no difference."
                parts.append(Text(beside, "quiet"))
        unexplained = sum(len(drift.unexplained) for drift in self.drifts)
        if unexplained:
            words = f"Nobody recorded {unexplained} of these. Record them: %envdiff --adopt"
            parts.append(Text(words, "warning"))
        elif self.adopted:
            parts.append(Text("All of it is in the history now.", "good"))
        return parts

    def _parts_of(self, drift: Drift) -> Sequence[Part]:
        shown = drift.unexplained if self.only_unexplained else drift.differences
        told = ", ".join(f"{name}: {words}" for name, words in drift.told_by.items())
        against = f"Measured from {told}." if told else "Nothing tells how it began."
        if not shown:
            return [Text(f"Nothing differs in {drift.where}. {against}", "quiet")]
        rows = tuple(_row(difference) for difference in shown)
        columns = ("", "Package", "Version", "Manager", "Asked for", "Recorded")
        return [Table(columns, rows, f"What differs in {drift.where}"), Text(against, "quiet")]

    def to_json(self) -> Any:
        """The places and their differences."""
        import msgspec

        return [
            {
                "environment": msgspec.to_builtins(drift.environment.ref),
                "managers": list(drift.managers),
                "told_by": dict(drift.told_by),
                "differences": msgspec.to_builtins(drift.differences),
                "ours": msgspec.to_builtins(drift.ours),
            }
            for drift in self.drifts
        ]


def _row(difference: Difference) -> tuple[str, ...]:
    before, now, package = difference.before, difference.now, difference.package
    sign = "+" if before is None else "−" if now is None else "~"
    version = package.version
    if before is not None and now is not None and before.version != now.version:
        version = f"{before.version} → {now.version}"
    asked = "yes" if now is not None and now.requested else ""
    recorded = difference.record or "by nobody"
    return (sign, package.name, version, package.manager, asked, recorded)
