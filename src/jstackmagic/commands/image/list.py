"""List the images that were made from this history, and the servers that it started."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...display import Part, Result, Table, Text, size_text
from ...model.text import counted
from .._options import flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...image.engine.serve import ServedImage, Server  # noqa: TC004 - help loads none of it
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The images and servers to list."""

    all: bool = flag("--all", help="also those of other histories")


def run(options: Options, session: Session) -> Images:
    from ...history.built import history_id
    from ...image.engine.dockersdk import connect
    from ...image.engine.serve import bases, images, servers

    own = history_id(session.history.records())
    with contextlib.closing(connect()) as engine:
        made, running = images(engine), servers(engine)
        if not options.all:
            made = tuple(each for each in made if each.history == own and each.tags)
            running = tuple(each for each in running if each.history == own)
        return Images(made, running, own, bases(engine, made))


@dataclass(frozen=True, repr=False)
class Images(Result):
    """The images and the servers."""

    images: tuple[ServedImage, ...]  #: the images that were made from this history, or from any
    servers: tuple[Server, ...]  #: the servers that it started, or all
    history: str  #: the name of this history
    bases: tuple[ServedImage, ...] = ()  #: the base images that the engine has

    def summary(self) -> str:
        return f"{counted(len(self.images), 'image')}, {counted(len(self.servers), 'server')}"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = []
        if not self.images:
            parts.append(Text("No image was made from this history yet: %envimage build"))
        else:
            rows = tuple(
                (
                    ", ".join(image.tags) or image.id.rpartition(":")[2][:12],
                    "this one" if image.history == self.history else image.history or "none",
                    image.created,
                    size_text(image.size),
                    image.base,
                )
                for image in self.images
            )
            rows += tuple(
                (image.tags[0], "a base", image.created, size_text(image.size), "")
                for image in self.bases
            )
            parts.append(Table(("Image", "History", "Made", "Size", "Built on"), rows))
        if self.servers:
            running = tuple(
                (server.name, server.image, server.status, server.url) for server in self.servers
            )
            parts.append(Table(("Server", "Image", "Status", "Address"), running))
        return parts

    def to_json(self) -> Any:
        import msgspec

        return {
            "history": self.history,
            "images": msgspec.to_builtins(self.images),
            "bases": msgspec.to_builtins(self.bases),
            "servers": [asdict(server) for server in self.servers],
        }
