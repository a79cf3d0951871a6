"""The help of a verb, as a result."""

from __future__ import annotations

from dataclasses import dataclass

from ..display import Code, Part, Result


@dataclass(frozen=True, repr=False)
class HelpText(Result):
    """The text that ``--help`` shows."""

    text: str

    def parts(self) -> tuple[Part, ...]:
        return (Code(self.text),)

    def to_json(self) -> dict[str, str]:
        return {"help": self.text}
