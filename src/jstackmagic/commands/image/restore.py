"""Put files of this container back as its image has them; what the image lacks is removed.

A proof names the files that were changed here behind the recipe's back, each with this line.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Part, Result, Text
from ...model.errors import UsageError
from ...model.text import counted
from .._options import flag, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The files to restore."""

    paths: tuple[str, ...] = option(nargs="+", metavar="PATH", help="absolute")
    alone: bool = flag("--alone", help="of folders, the mode and the owner alone")


def run(options: Options, session: Session) -> Restored:  # noqa: ARG001
    from ...image.engine.container import this_container
    from ...image.engine.dockersdk import connect
    from ...image.engine.restore import restore
    from ...where.host import look

    with contextlib.closing(connect()) as engine:
        container = this_container(engine, look())
        if container is None:
            raise UsageError(
                "This is not a container of the engine's: no image says how the files were.",
                kept="Nothing was changed.",
            )
        restore(engine, container, options.paths, alone=options.alone)
        return Restored(options.paths, container.image)


@dataclass(frozen=True, repr=False)
class Restored(Result):
    """The restored paths, and the image they are from."""

    paths: tuple[str, ...]
    image: str

    def summary(self) -> str:
        return f"{counted(len(self.paths), 'path')} restored from {self.image}"

    def parts(self) -> Sequence[Part]:
        return (Text(f"As {self.image} has it: {', '.join(self.paths)}", "good"),)

    def to_json(self) -> Any:
        return {"restored": list(self.paths), "image": self.image}
