"""The result of ``%envexport``, and its display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..display import Code, Part, Result, Table, Text
from ..export import Artifact
from ..export._every import Rendered
from ..model.text import counted


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """A rendered recipe."""

    artifact: Artifact  #: the text, the files it needs, and what could not be kept
    written: tuple[str, ...] = ()  #: the files that were written; empty if it is only shown
    own: str = ""  #: a sentence that says whether it has jstackmagic itself; empty if none is due
    name: str = ""  #: the name that such a file usually has

    @property
    def text(self) -> str:
        """The artifact's own text."""
        return self.artifact.text

    def summary(self) -> str:
        return self.written[0] if self.written else counted(len(self.text.splitlines()), "line")

    @property
    def document(self) -> str | None:
        return None if self.written else self.text

    def parts(self) -> Sequence[Part]:
        if not self.written:
            return [Code(self.text.rstrip("\n")), *self.remarks()]
        wrote = (Text(f"Wrote {path}") for path in self.written)
        return [*wrote, *self._notes()]

    def remarks(self) -> Sequence[Part]:
        beside = (
            Text(f"It needs {file.name} beside it; --output FILE writes both.", "quiet")
            for file in self.artifact.files
        )
        return [*beside, *self._notes()]

    def _notes(self) -> Sequence[Part]:
        own = [Text(self.own, "quiet")] if self.own else []
        return [*(Text(note, "warning") for note in self.artifact.notes), *own]

    def to_json(self) -> Any:
        return {
            "name": self.name,
            "text": self.text,
            "files": [file.name for file in self.artifact.files],
            "written": list(self.written),
            "notes": list(self.artifact.notes),
            "jstackmagic": self.own,
        }


@dataclass(frozen=True, repr=False)
class ExportedAll(Result):
    """A folder of all formats."""

    rows: tuple[tuple[str, str, str], ...]  #: file, format and description of each written one
    missing: tuple[tuple[str, str], ...]  #: file and reason of each one that could not be written
    written: tuple[str, ...]  #: every written file, with those next to them and the README
    own: str = ""  #: a sentence that none has jstackmagic itself; empty if none is due
    notes: tuple[str, ...] = ()  #: a sentence for each thing left out of all of them

    @classmethod
    def of(
        cls, rendered: Sequence[Rendered], written: Sequence[Path], own: str, notes: Sequence[str]
    ) -> ExportedAll:
        """Return a summary of the rendered and written files."""
        return cls(
            rows=tuple((each.file, each.name, each.summary) for each in rendered if each.artifact),
            missing=tuple((each.file, each.reason) for each in rendered if not each.artifact),
            written=tuple(map(str, written)),
            own=own,
            notes=tuple(notes),
        )

    def summary(self) -> str:
        return f"{counted(len(self.rows), 'format')} written"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = [
            Table(("File", "Format", "What it is"), self.rows, sentences=("What it is",))
        ]
        parts += [Text(f"{file} was not written: {why}", "warning") for file, why in self.missing]
        parts += [Text(note, "warning") for note in self.notes]
        parts.append(Text(f"{self.written[-1]} says what each of them does not hold."))
        return [*parts, Text(self.own, "quiet")] if self.own else parts

    def to_json(self) -> Any:
        return {
            "formats": [{"file": f, "format": n, "summary": s} for f, n, s in self.rows],
            "missing": [{"file": file, "reason": reason} for file, reason in self.missing],
            "written": list(self.written),
        }
