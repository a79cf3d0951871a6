"""The images that were made from this history, and the servers that it started."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._options import flag

if TYPE_CHECKING:
    from ...session import Session
    from ._images import Images


@dataclass(frozen=True)
class Options:
    """The images and servers to list."""

    all: bool = flag("--all", help="those of other histories as well")


HELP = "the images and the servers"


def run(options: Options, session: Session) -> Images:
    """Do it."""
    from ...history.built import history_id
    from ...image.engine.client import connect
    from ...image.engine.serve import bases, images, servers
    from ._images import Images

    own = history_id(session.history.records())
    with contextlib.closing(connect()) as engine:
        made, running = images(engine), servers(engine)
        if not options.all:
            made = tuple(each for each in made if each.history == own and each.tags)
            running = tuple(each for each in running if each.history == own)
        return Images(made, running, own, bases(engine, made))
