"""``%envinstall --missing``: the imports of a notebook that an environment lacks."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from ..display import Table, as_text
from ..hint.lacking import Lacking, wanted_by
from ..model.environment import Environment
from ..model.errors import UsageError
from ..session import Session

HERE = ""
"""The value of ``--missing`` without a notebook."""


def specs(
    notebook: str, environment: Environment, session: Session
) -> tuple[dict[str, str], list[str]]:
    """Return the spec for each of a notebook's imports, shown at once, and those left out.

    Raises:
        UsageError: The notebook cannot be read, or none is known.
    """
    found = wanted(notebook, environment, session)
    left = [f"{module} is left out. {why}" for module, why in found.unknown.items()]
    if not found.specs:
        left.append(f"Nothing that it imports is missing in the {environment.description}.")
        return {}, left
    rows, where = tuple(found.specs.items()), environment.description
    plan = Table(("Import", "Package"), rows, f"Not here, in the {where}")
    session.console.say(as_text((plan,)))
    return {module: shlex.split(spec)[0] for module, spec in rows}, left


def wanted(notebook: str, environment: Environment, session: Session) -> Lacking:
    """Return the packages that a notebook's imports need in an environment.

    Args:
        notebook: Its path; empty for the one this session runs.

    Raises:
        UsageError: The notebook cannot be read, or there is none to read.
    """
    path = os.path.expanduser(notebook) if notebook else _this_notebook(session)
    sources = list(_sources(path, session, named=bool(notebook)))
    if not sources:
        raise UsageError(
            "It is not known which notebook you mean.",
            advice="Name it: %envinstall --missing notebook.ipynb",
        )
    conda = environment.is_conda and "conda" in session.policy.managers
    folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    return wanted_by(map(_python_of, sources), environment, conda=conda, folder=folder)


def _this_notebook(session: Session) -> str:
    """Return the file of this session's cells, if VS Code or Jupyter Server names it."""
    path = session.notebook or os.environ.get("JPY_SESSION_NAME", "")
    return path if os.path.isfile(path) else ""


def _sources(path: str, session: Session, *, named: bool) -> Iterator[str]:
    if path:
        from ..capture.notebooks import python_cells

        yield from python_cells(path)
    if not named:
        yield from session.cells()


def _python_of(source: str) -> str:
    """Return a cell without IPython's syntax; empty if it is in another language."""
    from ..capture.cellsource import logical_lines

    if source.lstrip().startswith("%%"):
        first, _, rest = source.lstrip().partition("\n")
        if first[2:].split(maxsplit=1)[:1] not in (["time"], ["timeit"], ["capture"], ["prun"]):
            return ""
        source = rest
    return "".join(line.python for line in logical_lines(source))
