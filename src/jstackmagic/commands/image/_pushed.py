"""The result of ``%envimage push``, and its display."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...display import Fold, Part, Result, Table, Text, size_text
from ...image.layers.making import Prepared

_MOST = 12  # packages that are named


@dataclass(frozen=True, repr=False)
class Pushed(Result):
    """An image that was made from the record."""

    tag: str
    prepared: Prepared
    unrecorded: tuple[str, ...] = ()  #: what is here and in no layer, a word each
    digest: str = ""  #: its digest; empty if nothing was sent
    size: int = 0  #: bytes that were sent or written
    how: str = ""  #: the number of layers sent, in words
    output: str = ""  #: the layout that was written; empty if it went to a registry

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        """1 if no image can be made."""
        return 1 if self.prepared.gathered.faults else 0

    def summary(self) -> str:
        return self.output or (self.tag if self.digest else f"{self.tag} would be made")

    def parts(self) -> Sequence[Part]:
        gathered, base = self.prepared.gathered, self.prepared.base
        rows = [
            (each.title, str(len(each.items)), size_text(each.size), str(len(each.gone)))
            for each in gathered.layers
        ]
        title = f"{self.output or self.tag} on {base.reference}"
        parts: list[Part] = [Table(("Layer", "Files", "Size", "Taken away"), tuple(rows), title)]
        if self.digest:
            words = f"{self.digest}: {size_text(self.size)}, {self.how or 'written'}."
            parts.append(Text(words, "good"))
        else:
            files = [f"{each.path}" for layer in gathered.layers for each in layer.items]
            files += [f"- {path}" for layer in gathered.layers for path in layer.gone]
            parts += [Text("Nothing was sent.", "quiet")]
            parts += [Fold("The files (in a terminal: --json)", "\n".join(files))]
        parts += [Text(sentence, "warning") for sentence in (*gathered.faults, *gathered.notes)]
        if self.unrecorded:
            shown = ", ".join(self.unrecorded[:_MOST])
            left = len(self.unrecorded) - _MOST
            more = f" and {left} more" if left > 0 else ""
            words = f"Here and in no layer, since no record has it: {shown}{more}."
            parts.append(Text(f"{words} Record it: %envdiff --adopt", "warning"))
        return parts

    def to_json(self) -> Any:
        gathered = self.prepared.gathered
        return {
            "image": self.tag,
            "digest": self.digest,
            "base": self.prepared.base.reference,
            "sent": self.size,
            "output": self.output,
            "layers": [
                {
                    "manager": layer.manager,
                    "environment": layer.prefix,
                    "size": layer.size,
                    "files": [item.path for item in layer.items],
                    "taken_away": list(layer.gone),
                }
                for layer in gathered.layers
            ],
            "faults": gathered.faults,
            "notes": gathered.notes,
            "unrecorded": list(self.unrecorded),
        }
