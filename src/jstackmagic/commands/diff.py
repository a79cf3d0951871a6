"""Show what is here that the base image did not bring, and which of it the history explains.

Examples:
    %envdiff                  # the running kernel's environment, and the system's packages
    %envdiff --name other
    %envdiff --unexplained    # only what no record explains
    %envdiff --adopt          # record what nobody recorded
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..display import Part, Result, Table, Text
from ..model.managers import of_environment, of_system
from ..restore.drift import Difference, Drift, adopt, drift_of
from ..where.ours import described
from ._options import Target, flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..session import Session


@dataclass(frozen=True)
class Options(Target):
    """Where to look, beside the system, and what to do about it."""

    unexplained: bool = flag("--unexplained", help="only what no record explains")
    adopt: bool = flag(
        "--adopt", help="record what no record explains, so that the exports have it"
    )


def run(options: Options, session: Session) -> Drifts:
    """Compare every target with its beginning, and the system once."""
    from ..image.prove.brought import brought_here

    history = session.history
    image = cache(brought_here)  # asked once, and again the next time: its container changes
    environments = options.environments()
    places = [(each, of_environment()) for each in environments]
    places.append((environments[0], of_system()))

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
        against = f"Measured from {told}." if told else "How it began is not known."
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
