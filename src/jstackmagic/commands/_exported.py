"""The result of ``%envexport``, and its display."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..display import Code, Part, Result, Table, Text
from ..export import Artifact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..export._every import Rendered


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """A rendered recipe.

    Attributes:
        artifact: The text, the files it needs, and what could not be kept.
        written: The files that were written; empty if it is only shown.
        own: A sentence that says whether it has jstackmagic itself; empty if none is due.
        name: The name that such a file usually has.
    """

    artifact: Artifact
    written: tuple[str, ...] = ()
    own: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """The artifact's own text."""
        return self.artifact.text

    def summary(self) -> str:
        return self.written[0] if self.written else f"{len(self.text.splitlines())} lines"

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
    """A folder of all formats.

    Attributes:
        rows: File, format and description of each written one.
        missing: File and reason of each one that could not be written.
        written: Every written file, with those next to them and the README.
        own: A sentence that none has jstackmagic itself; empty if none is due.
        notes: A sentence for each thing left out of all of them.
    """

    rows: tuple[tuple[str, str, str], ...]
    missing: tuple[tuple[str, str], ...]
    written: tuple[str, ...]
    own: str = ""
    notes: tuple[str, ...] = ()

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
        return f"{len(self.rows)} formats written"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = [Table(("File", "Format", "What it is"), self.rows)]
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
