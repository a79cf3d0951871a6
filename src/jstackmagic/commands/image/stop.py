"""Stop the servers that were started here, and take their containers away."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...display import Result, Text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...display import Part
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    names: tuple[str, ...]
    all: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(tuple(args.names), args.all)


HELP = "stop servers"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: this history's)")
    parser.add_argument("--all", action="store_true", help="those of other histories as well")


def run(options: Options, session: Session) -> Stopped:
    """Do it."""
    from ...history.built import history_id
    from ...image.engine.client import connect
    from ...image.engine.serve import stop

    with contextlib.closing(connect()) as engine:
        own = None if options.all else history_id(session.history.records())
        return Stopped(stop(engine, options.names, history=own, console=session.console))


@dataclass(frozen=True, repr=False)
class Stopped(Result):
    """The servers that were stopped, by name."""

    names: tuple[str, ...]

    def summary(self) -> str:
        """Return how many."""
        return f"{len(self.names)} servers stopped"

    def parts(self) -> Sequence[Part]:
        """Their names."""
        return (Text(f"Stopped: {', '.join(self.names)}" if self.names else "No server runs."),)

    def to_json(self) -> Any:
        """Their names."""
        return {"stopped": list(self.names)}
