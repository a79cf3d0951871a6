"""A proof and its comparisons, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...display import Part, Result, Table, Text, channel_text
from ...image.prove.coverage import COVERAGE
from ...image.prove.proof import HERE, Proof
from ...model.packages import Package
from ...model.text import counted

_MOST_FILES = 50


@dataclass(frozen=True, repr=False)
class Explained(Result):
    """The comparisons at each depth."""

    def summary(self) -> str:
        return "what a proof compares"

    def parts(self) -> Sequence[Part]:
        return (Table(("What", "Compared", "With --deep as well"), COVERAGE),)

    def to_json(self) -> Any:
        return [dict(zip(("what", "shallow", "deep"), row, strict=True)) for row in COVERAGE]


@dataclass(frozen=True, repr=False)
class Proved(Result):
    """The outcome of a proof; it is true if the two sides are equal."""

    proof: Proof

    def __bool__(self) -> bool:
        return self.proof.equal

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return int(not self.proof.equal)

    def summary(self) -> str:
        if self.proof.equal:
            return f"{self.proof.image} holds exactly {self.proof.reference}"
        return f"{self.proof.image} does not hold exactly {self.proof.reference}"

    def parts(self) -> Sequence[Part]:
        proof = self.proof
        compared = ", ".join(
            f"{name} ({counted(count, 'package')})" for name, count in proof.compared
        )
        parts: list[Part] = [
            Text(f"{self.summary()}.", "good" if proof.equal else "warning"),
            Text(f"Compared: {compared}.", "quiet"),
        ]
        parts += [Text(sentence, "quiet") for sentence in proof.beside]
        parts += [Text(sentence, "warning") for sentence in (*proof.absent, *proof.unread)]
        if proof.differences:
            parts.append(self._difference_table())
        if proof.facts:
            rows = tuple((f.where, f.kind, f.name, f.here, f.image, f.fix) for f in proof.facts)
            columns = ("Where", "What", "Name", self._side, "In the image", "How to fix it")
            parts.append(Table(columns, rows))
        if proof.files:
            parts.append(
                Table(
                    ("Where", "Package", "File", "", "How to fix it"),
                    tuple(
                        (file.where, file.package or "none", file.path, file.state, file.fix)
                        for file in proof.files[:_MOST_FILES]
                    ),
                    "Files that are not the same",
                )
            )
        if len(proof.files) > _MOST_FILES:
            parts.append(Text(f"and {len(proof.files) - _MOST_FILES} files more.", "warning"))
        parts += [Text(f"Cannot be imported there: {line}", "warning") for line in proof.imports]
        return parts

    @property
    def _side(self) -> str:
        return "Here" if self.proof.reference == HERE else "Recorded"

    def _difference_table(self) -> Table:
        rows = tuple(
            (
                difference.where,
                f"{difference.package.manager}:{difference.package.name}",
                _version(difference.here, difference.image),
                _version(difference.image, difference.here),
                difference.fix,
            )
            for difference in self.proof.differences
        )
        return Table(("Where", "Package", self._side, "In the image", "How to fix it"), rows)

    def to_json(self) -> Any:
        return {"equal": self.proof.equal, **msgspec.to_builtins(self.proof)}


def _version(package: Package | None, other: Package | None) -> str:
    """Return a version, with whatever else distinguishes the package from the other one."""
    if package is None:
        return "not installed"
    if other is None or package.version != other.version:
        return package.version
    words = [package.version]
    if package.build != other.build:
        words.append(package.build)
    if package.source != other.source:
        words.append(f"from {channel_text(package.source) or 'an index'}")
    if package.editable != other.editable:
        words.append("editable" if package.editable else "not editable")
    return " ".join(words)
