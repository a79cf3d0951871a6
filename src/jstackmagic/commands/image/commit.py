"""Make an image of this container as it stands, and say what that carries along.

It is quick, but later nobody can say what is in it. Build makes it permanent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from .._options import flag, option
from ._building import build_engine
from ._how import How

if TYPE_CHECKING:
    from ...session import Session
    from ._committed import CommittedImage


@dataclass(frozen=True)
class Options:
    """The image to make."""

    tag: str = option(metavar="TAG", help="what to call it")
    clean: bool = flag("--clean", help="empty the managers' caches first")


def run(options: Options, session: Session) -> CommittedImage:
    from ...image.engine.commit import commit
    from ...image.engine.container import base_of, this_container
    from ...image.engine.labels import labels
    from ...image.prove.sides import everything_here
    from ...model.reference import parse_tag
    from ...where.host import look
    from ._committed import CommittedImage

    tag = parse_tag(options.tag)
    with build_engine(session, How(), options.tag) as engine:
        container = this_container(engine, look())
        if container is None:
            raise UsageError(
                "This is not a container of the engine, so there is nothing to commit.",
                advice=f"Build an image instead: %envimage build {tag}",
            )
        base = base_of(engine, container)
        history = session.history
        session.console.say(f"Committing {container.name} …")
        committed = commit(
            engine,
            container,
            tag,
            prefixes=lambda: [each.prefix for each in everything_here().environments],
            labels=lambda: labels("", history.records(), base.reference, base.digest),
            history=history.content(),
            clean=options.clean,
        )
    return CommittedImage(committed)
