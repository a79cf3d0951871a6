"""An image that was built, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...display import Part, Result, Table, Text, size_text
from ...image.engine.build import Built


@dataclass(frozen=True, repr=False)
class BuiltImage(Result):
    """An image that was built."""

    built: Built
    base: str = ""  #: its base image; empty for a given Dockerfile
    digest: str = ""  #: its digest in the registry, if it was pushed
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        return self.built.tag

    def parts(self) -> Sequence[Part]:
        built = self.built
        facts = [
            ("image", built.image_id.rpartition(":")[2][:12]),
            ("built on", self.base),
            ("size", size_text(built.size)),
            ("took", f"{built.seconds:.1f} s with {built.builder}"),
            ("steps", f"{built.steps}, {built.cached} of them from an earlier build"),
            ("pushed as", self.digest),
        ]
        rows = tuple((name, value) for name, value in facts if value)
        return (
            Table(("Built", built.tag), rows, facts=True),
            *(Text(note, "warning") for note in self.notes),
            Text(f"Does it hold what is here? %envimage prove {built.tag}", "quiet"),
        )

    def to_json(self) -> Any:
        return {
            **msgspec.to_builtins(self.built),
            "base": self.base,
            "digest": self.digest,
            "notes": list(self.notes),
        }
