"""``%envinstall --missing``: what a notebook imports and an environment does not have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..environment import Environment
    from ..missing import Wanted
    from . import Session

HERE = ""
"""What ``--missing`` holds where no notebook is named."""


def add_missing(parser: argparse.ArgumentParser) -> None:
    """Declare ``--missing``."""
    parser.add_argument(
        "--missing",
        nargs="?",
        const=HERE,
        metavar="NOTEBOOK",
        help="what a notebook, or this one, imports and is not here",
    )


def wanted(notebook: str, environment: Environment, session: Session) -> Wanted:
    """What a notebook's imports need in an environment.

    Args:
        notebook: Its path; empty for the one this session runs.
        environment: Where.
        session: Whose cells count, where no notebook is named.

    Raises:
        UsageError: The notebook cannot be read, or there is none to read.
    """
    from ..missing import wanted_by
    from ..policy import current

    path = os.path.expanduser(notebook) if notebook else _this_notebook(session)
    sources = list(_sources(path, session, named=bool(notebook)))
    if not sources:
        raise UsageError(
            "Which notebook is meant is not known here.",
            kept="Nothing was started.",
            advice="Name it: %envinstall --missing notebook.ipynb",
        )
    conda = environment.is_conda and "conda" in current().managers
    folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    return wanted_by(sources, environment, conda=conda, folder=folder)


def _this_notebook(session: Session) -> str:
    """The file that this session's cells stand in, where VS Code or Jupyter Server tells it."""
    path = session.notebook or os.environ.get("JPY_SESSION_NAME", "")
    return path if os.path.isfile(path) else ""


def _sources(path: str, session: Session, *, named: bool) -> Iterator[str]:
    if path:
        from ..capture.notebooks import python_cells

        yield from python_cells(path)
    if not named:
        yield from session.cells()


def plan_text(found: Wanted, where: str) -> str:
    """What is missing and what brings it, to be shown before it is done."""
    from ..display import Table, as_text

    rows = tuple(found.specs.items())
    return as_text((Table(("Import", "Package"), rows, f"Not here, in the {where}"),)) + "\n"


def notes(found: Wanted) -> list[str]:
    """What is left out, and why."""
    return [f"{module} is left out. {why}" for module, why in found.unknown.items()]
