"""Bring everything back when a server starts: a start-up hook for the Docker Stacks and others.

Examples:
    %envhook install                   # as root, in the image: RUN jstackmagic hook install
    %envhook install --folder PATH     # another folder of start-up hooks
    %envhook install --snippet FILE    # lines for an image's or a hub's own start-up script
    %envhook install --keep            # also keep the archives in the home volume, for no network
    %envhook remove
    %envhook run                       # what the hook does
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Code, Part, Result, Text
from ..io.reading import path_of
from ..restore import hook
from ..restore.hook import FOLDER, NAME
from ..session import Session
from ._options import declare, flag, option


@dataclass(frozen=True)
class _Keep:
    keep: bool = flag("--keep", help="have the replay keep all packages' archives")


@dataclass(frozen=True)
class _Folder:
    folder: str | None = option("--folder", metavar="PATH", help=f"of hooks; {FOLDER} if not said")


@dataclass(frozen=True)
class _HookInstall(_Folder, _Keep):
    snippet: str | None = option(
        "--snippet", metavar="FILE", help="write the lines to a file of their own instead"
    )


@dataclass(frozen=True)
class Options(_HookInstall):
    """The action, and the environment."""

    what: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command each."""
    verbs = parser.add_subparsers(dest="what", metavar="install|remove|run", required=True)
    for name, kind in (("install", _HookInstall), ("remove", _Folder), ("run", _Keep)):
        declare(verbs.add_parser(name), kind)


_ELSEWHERE = (
    f"There is no {FOLDER} here: this is not an image of the Docker Stacks. Put these lines where "
    "the server is started from, before that; for JupyterHub, into the script that starts the "
    "single-user server, or its lifecycle's postStart."
)


def run(options: Options, session: Session) -> HookResult:
    """Install, remove or run the hook."""
    if options.what == "run":
        return HookResult(tuple(hook.run(lambda: session.history, keep=options.keep)))
    folder = path_of(options.folder) if options.folder else FOLDER
    path = folder / NAME
    if options.what == "remove":
        return HookResult((f"Removed {path}." if hook.remove(path) else f"There is no {path}.",))
    script = hook.script(keep=options.keep)
    if options.snippet:
        path = path_of(options.snippet)
        hook.write(path, script, mode=0o644)
        return HookResult((f"Wrote {path}. Have the start-up script read it: . {path}",))
    if not options.folder and not folder.is_dir():
        return HookResult((_ELSEWHERE,), snippet=script)
    hook.write(path, f"#!/bin/sh\n{script}", mode=0o755)
    return HookResult((f"Wrote {path}: every server that starts from now on runs it.",))


@dataclass(frozen=True, repr=False)
class HookResult(Result):
    """The outcome of the hook."""

    sentences: tuple[str, ...]  #: a sentence for each thing that was done
    snippet: str = ""  #: lines for a start-up script; empty if they were written to a file

    def summary(self) -> str:
        return self.sentences[0]

    def parts(self) -> Sequence[Part]:
        return [
            *(Text(sentence) for sentence in self.sentences),
            *([Code(self.snippet)] if self.snippet else []),
        ]

    def to_json(self) -> Any:
        return {"sentences": list(self.sentences), "snippet": self.snippet}
