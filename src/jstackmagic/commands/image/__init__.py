"""Build, commit, run and prove an image of what was installed, with the container engine.

Nothing else here uses the engine's socket: whoever has it is root on its host. ``push`` needs none.

Examples:
    %envimage build analysis:2026-11        # from the history, on the image this container runs
    %envimage push registry.example.com/team/analysis:2026-11  # without an engine
    %envimage prove                         # whether the image holds exactly what is here
    %envimage prove analysis:2026-11 --deep
    %envimage prove --file Dockerfile       # whether this Dockerfile has drifted
    %envimage run analysis:2026-11          # a server from it, with the working folder in it
    %envimage list
    %envimage stop
    %envimage commit snapshot               # this container as it stands
    %envimage suggest                       # which of the Docker Stacks has it already
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from ...display import Result
from ...session import Session
from .._options import declare, typed

_ACTIONS = {
    **{name: name for name in ("build", "push", "rebase", "prove", "commit")},
    "run": "serve",  # a module of the name would hide this one's function
    **{name: name for name in ("list", "stop", "restore", "suggest")},
}
"""The module of each thing to do."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a thing to do."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name in _ACTIONS:
        module = _module(name)
        description = (module.__doc__ or "").strip()
        summary = description.partition("\n")[0].rstrip(".").replace("%", "%%")
        one = verbs.add_parser(name, help=summary, description=description)
        if hasattr(module, "arguments"):
            module.arguments(one)
        else:
            declare(one, module.Options)


@dataclass(frozen=True)
class Options:
    """The action, and its options."""

    action: str
    given: Mapping[str, Any]


def run(options: Options, session: Session) -> Result:
    """Run the requested action."""
    module = _module(options.action)
    args = Namespace(**options.given)
    read = getattr(module.Options, "of", partial(typed, module.Options))
    result: Result = module.run(read(args), session)
    return result


def _module(name: str) -> Any:
    return import_module(f".{_ACTIONS[name]}", __name__)
