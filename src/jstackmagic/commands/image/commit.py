"""Make an image of this container as it stands, and say what that carries along.

It is the quick way, and nobody can tell later what is in it; build is the lasting one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...display import Result, Table, Text, size_text
from ...image.engine.commit import Carried, Committed
from ...model.errors import UsageError
from .._options import flag, option
from ._building import build_engine
from ._how import How

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...display import Part
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The image to make."""

    tag: str = option(metavar="TAG", help="what to call it")
    clean: bool = flag("--clean", help="empty the managers' caches first")


HELP = "make an image of this container"
_LONGEST_PATH = 50  # characters
_CARRIED = {
    "secrets": "what looks like a token, a key or a password",
    "caches": "caches",
    "home": "files of the home folder",
    "temporary": "temporary files and logs",
    "other": "other files",
    "packages": "packages and the system, which the recipe carries as well",
}


def run(options: Options, session: Session) -> CommittedImage:
    """Do it."""
    from datetime import datetime, timezone

    from ...image.engine.commit import commit
    from ...image.engine.container import base_of, this_container
    from ...image.engine.labels import labels
    from ...image.prove.compare import everything_here
    from ...model.reference import parse_tag
    from ...where.host import look

    tag = parse_tag(options.tag)
    with build_engine(session, How(), options.tag) as engine:
        container = this_container(engine, look())
        if container is None:
            raise UsageError(
                "This is no container of the engine's, so that there is nothing to commit.",
                kept="Nothing was started.",
                advice=f"Build an image instead: %envimage build {tag}",
            )
        base = base_of(engine, container)
        history = session.history
        session.console.say(f"Committing {container.name} …")
        committed = commit(
            engine,
            container,
            tag,
            prefixes=[each.prefix for each in everything_here().environments],
            labels=labels(
                recipe="",
                records=history.records(),
                base=base.reference,
                base_digest=base.digest,
                now=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            ),
            history=history.content(),
            clean=options.clean,
        )
    return CommittedImage(committed)


@dataclass(frozen=True, repr=False)
class CommittedImage(Result):
    """An image made of this container."""

    committed: Committed

    def summary(self) -> str:
        return self.committed.tag

    def parts(self) -> Sequence[Part]:
        image = self.committed
        parts: list[Part] = [
            Text(
                f"{image.tag} holds this container as it stands:"
                f" {size_text(image.size)}, {size_text(image.grown) or 'nothing'} more than its"
                " base.",
                "good",
            )
        ]
        if image.cleaned:
            parts.append(Text(f"{size_text(image.cleaned)} of caches were emptied first."))
        if image.carried:
            columns = ("It carries along", "Files", "Size", "The largest")
            parts.append(Table(columns, tuple(_carried_rows(image.carried))))
        if image.variables:
            names = ", ".join(image.variables)
            parts.append(Text(f"It carries the values of these variables: {names}.", "warning"))
        if image.volumes:
            places = ", ".join(image.volumes)
            parts.append(Text(f"It asks for volumes that its base did not: {places}.", "warning"))
        if any(each.kind == "secrets" for each in image.carried):
            parts.append(Text("Look at the first row before you give it to anybody.", "warning"))
        parts.append(
            Text(
                "Nobody can tell later how it came about, nor build it anew."
                f" The lasting way: %envimage build {image.tag}",
                "warning",
            )
        )
        return parts

    def to_json(self) -> Any:
        return msgspec.to_builtins(self.committed)


def _carried_rows(carried: Sequence[Carried]) -> Iterator[tuple[str, str, str, str]]:
    """A row a kind; what may be secret is named whole, and each of it."""
    for each in carried:
        head = (_CARRIED[each.kind], str(each.files), size_text(each.size))
        first, *others = each.examples
        if each.kind != "secrets":
            yield (
                *head,
                first if len(first) <= _LONGEST_PATH else f"…{first[1 - _LONGEST_PATH :]}",
            )
            continue
        yield (*head, first)
        yield from (("", "", "", other) for other in others)
        if each.files > len(each.examples):
            yield "", "", "", f"and {each.files - len(each.examples)} more"
