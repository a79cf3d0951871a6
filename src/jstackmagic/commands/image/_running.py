"""A server that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...display import Code, Part, Result, Text
from ...image.engine.serve import Server


@dataclass(frozen=True, repr=False)
class Running(Result):
    """A server that answers."""

    server: Server
    work: str = ""  #: the folder of the engine's host that is mounted in it; empty for none
    notes: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return self.server.url

    def summary(self) -> str:
        return self.server.url

    def parts(self) -> Sequence[Part]:
        return (
            *(Text(note, "warning") for note in self.notes),
            Text(f"{self.server.image} answers:", "good"),
            Code(self.server.url),
            *((Text(f"Its work is {self.work}.", "quiet"),) if self.work else ()),
            Text(f"Stop it: %envimage stop {self.server.name}", "quiet"),
        )

    def to_json(self) -> Any:
        return {**asdict(self.server), "work": self.work, "notes": list(self.notes)}
