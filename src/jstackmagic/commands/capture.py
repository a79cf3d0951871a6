"""Read installs out of notebooks and lists, and plan them: exports and replays honour them.

Reads .ipynb, .py, .sh, .md and .qmd files; in a folder, those that are notebooks. Of lists it reads
requirements.txt, environment.yml, pylock.toml, conda-lock.yml, @EXPLICIT, pyproject.toml, the
script block of PEP 723, Dockerfiles, and what else `%envinstall -f` takes. A find goes to the
environment that its own command names, if that is here; else to that of the notebook's kernel, if
that is here; else to the target. What is not understood is listed with the reason.

Examples:
    %envcapture analysis.ipynb
    %envcapture --dry-run ~/work              # show what is there, and record nothing
    %envcapture notebooks --name other
    %envcapture environment.yml --group dev   # lists of packages, too
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from ..capture.planned import read_into
from ..model.errors import UsageError
from ..session import Session
from ._captured import Capture
from ._options import flag, option
from ._shared import Groups, TargetOptions


@dataclass(frozen=True)
class Options(TargetOptions, Groups):
    """The files to read, and the environment of finds that name none."""

    paths: tuple[str, ...] = option(nargs="*", metavar="FILE_OR_FOLDER", help="what to read")
    dry_run: bool = flag("--dry-run", help="show, and record nothing")


def run(options: Options, session: Session) -> Capture:
    """Read the files, and record the finds as planned."""
    paths = tuple(os.path.expanduser(path) for path in options.paths)
    _check(paths, options.group)
    captures, problems, files = read_into(
        session.history,
        paths,
        options.environments(),
        session.context(),
        groups=options.group,
        dry_run=options.dry_run,
        policy=session.policy,
    )
    return Capture(tuple(captures), tuple(problems), files=files, dry_run=options.dry_run)


def _check(paths: Sequence[str], groups: Sequence[str]) -> None:
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(
                f"There is no file or folder {path}.",
                kept="Nothing was recorded.",
                advice="Name notebooks or folders: %envcapture analysis.ipynb ~/work",
            )
    if not paths and not groups:
        raise UsageError(
            "There is nothing to read.",
            kept="Nothing was recorded.",
            advice="Name notebooks, lists or folders: %envcapture analysis.ipynb environment.yml",
        )
