"""The drift of environments and of the system as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Part, Result, Table, Text
from ..model.text import counted
from ..restore.drift import Drift, DriftDifference
from ..where.metadata import read_packages
from ..where.ours import dependants, described


@dataclass(frozen=True, repr=False)
class Drifts(Result):
    """The drift of environments and of the system from their beginning."""

    drifts: tuple[Drift, ...]
    only_unexplained: bool = False
    adopted: bool = False

    def summary(self) -> str:
        differences = sum(len(drift.differences) for drift in self.drifts)
        unexplained = sum(len(drift.unexplained) for drift in self.drifts)
        return f"{counted(differences, 'difference')}, {unexplained} unexplained"

    def parts(self) -> Sequence[Part]:
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
        evidence = ", ".join(f"{name}: {words}" for name, words in drift.evidence.items())
        against = f"Measured from {evidence}." if evidence else "Its beginning is not known."
        if not shown:
            return [Text(f"Nothing differs in {drift.where}. {against}", "quiet")]
        rows = tuple(_row(difference) for difference in shown)
        columns = ("", "Package", "Version", "Manager", "Asked for", "Recorded")
        return [Table(columns, rows, f"What differs in {drift.where}"), Text(against, "quiet")]

    def to_json(self) -> Any:
        import msgspec

        return [
            {
                "environment": msgspec.to_builtins(drift.environment.ref),
                "managers": list(drift.managers),
                "evidence": dict(drift.evidence),
                "differences": _with_needs(drift),
                "ours": msgspec.to_builtins(drift.ours),
            }
            for drift in self.drifts
        ]


def _with_needs(drift: Drift) -> list[Any]:
    """Return the differences with the packages there that need each, as MANAGER:NAME."""
    import msgspec

    by = dependants(drift.environment, read_packages(drift.environment, drift.managers))
    return [
        {
            **msgspec.to_builtins(each),
            "needed_by": sorted(map(":".join, by.get(each.package.key, ()))),
        }
        for each in drift.differences
    ]


def _row(difference: DriftDifference) -> tuple[str, ...]:
    before, now, package = difference.before, difference.now, difference.package
    sign = "+" if before is None else "−" if now is None else "~"
    version = package.version
    if before is not None and now is not None and before.version != now.version:
        version = f"{before.version} → {now.version}"
    asked = "yes" if now is not None and now.requested else ""
    recorded = difference.record or "by nobody"
    return (sign, package.name, version, package.manager, asked, recorded)
