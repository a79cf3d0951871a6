"""Say which of the Docker Stacks has what was installed already. No engine is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._options import option

if TYPE_CHECKING:
    from ...session import Session
    from ._suggested import Suggestions


@dataclass(frozen=True)
class Options:
    """The image to build on."""

    base_image: str | None = option("--from", metavar="IMAGE", help="the base image")


HELP = "which of the Docker Stacks has it already"


def run(options: Options, session: Session) -> Suggestions:
    """Do it."""
    from ...image.suggest import likely_image, suggestions
    from ...model.ledger import fold
    from ...where.host import look
    from ._suggested import Suggestions

    records = session.history.records()
    image = options.base_image or look().image or likely_image(records)
    return Suggestions(suggestions(image, fold(records)))
