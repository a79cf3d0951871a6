"""The images and the servers, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from ...display import Part, Result, Table, Text, size_text
from ...image.engine.serve import Image, Server


@dataclass(frozen=True, repr=False)
class Images(Result):
    """The images and the servers.

    Attributes:
        images: The images that were made from this history, or from any.
        servers: The servers that it started, or all.
        history: The name of this history.
        bases: The base images that the engine has.
    """

    images: tuple[Image, ...]
    servers: tuple[Server, ...]
    history: str
    bases: tuple[Image, ...] = ()

    def summary(self) -> str:
        return f"{len(self.images)} images, {len(self.servers)} servers"

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
        return {
            "history": self.history,
            "images": msgspec.to_builtins(self.images),
            "bases": msgspec.to_builtins(self.bases),
            "servers": [asdict(server) for server in self.servers],
        }
