"""Say which of the Docker Stacks has what was installed already. No engine is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Part, Result, Table, Text
from ...image.stacks import ImageSuggestion, likely_image, suggestions
from .._options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The image to build on."""

    base_image: str | None = option("--from", metavar="IMAGE", help="the base image")


def run(options: Options, session: Session) -> Suggestions:
    from ...model.ledger import fold
    from ...where.host import look

    records = session.history.records()
    image = options.base_image or look().image or likely_image(records)
    return Suggestions(suggestions(image, fold(records)))


@dataclass(frozen=True, repr=False)
class Suggestions(Result):
    """The Docker Stacks that have some of what was installed."""

    found: ImageSuggestion

    def summary(self) -> str:
        return self.found.best.stack.name if self.found.best else "no other stack has more"

    def parts(self) -> Sequence[Part]:
        source = Text(f"From {self.found.family.source}, as of {self.found.family.date}.", "quiet")
        if not self.found.asked:
            return (
                Text("Nothing was installed, so there is nothing to look for in other images."),
                source,
            )
        if self.found.best is None:
            return (Text("No other of the Docker Stacks has more of what was installed."), source)
        rows = tuple(
            (
                self.found.family.reference(each.stack),
                ", ".join(each.has),
                ", ".join(each.left) or "nothing",
                str(each.stack.size),
            )
            for each in self.found.candidates
        )
        base = f" In place of {self.found.base.name}:" if self.found.base else ""
        return (
            Text(
                f"{self.found.best.stack.name} has {', '.join(self.found.best.has)} already.{base}"
                f" --from {self.found.family.reference(self.found.best.stack)}",
                "good",
            ),
            Table(("Image", "Has", "Left to install", "Packages in all"), rows),
            source,
        )

    def to_json(self) -> Any:
        return {
            "base": self.found.base.name if self.found.base else None,
            "source": self.found.family.source,
            "date": self.found.family.date,
            "candidates": [
                {
                    "image": self.found.family.reference(each.stack),
                    "has": list(each.has),
                    "left": list(each.left),
                }
                for each in self.found.candidates
            ],
        }
