"""Stop the servers that were started here, and take their containers away."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Part, Result, Text
from ...model.text import counted
from .._options import flag, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The servers to stop."""

    names: tuple[str, ...] = option(
        nargs="*", metavar="NAME", help="which (default: this history's)"
    )
    all: bool = flag("--all", help="also those of other histories")


def run(options: Options, session: Session) -> StoppedServers:
    from ...history.built import history_id
    from ...image.engine.dockersdk import connect
    from ...image.engine.serve import stop

    with contextlib.closing(connect()) as engine:
        own = None if options.all else history_id(session.history.records())
        return StoppedServers(stop(engine, options.names, history=own, console=session.console))


@dataclass(frozen=True, repr=False)
class StoppedServers(Result):
    """The servers that were stopped, by name."""

    names: tuple[str, ...]

    def summary(self) -> str:
        return f"{counted(len(self.names), 'server')} stopped"

    def parts(self) -> Sequence[Part]:
        nothing = "This history started no server that runs. All there are: %envimage list --all"
        return (Text(f"Stopped: {', '.join(self.names)}" if self.names else nothing),)

    def to_json(self) -> Any:
        return {"stopped": list(self.names)}
