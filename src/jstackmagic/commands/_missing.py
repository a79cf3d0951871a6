"""``%envinstall --missing``: what a notebook imports and an environment does not have."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import names
from ..hint.missing import explain_module, imported, optional
from ..model.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from ..model.environment import Environment
    from ..session import Session


@dataclass(frozen=True, slots=True)
class Wanted:
    """The imports of some code that an environment lacks.

    Attributes:
        specs: Import name → what to install, as ``%envinstall`` takes it.
        unknown: Import name → why nothing is to be installed for it.
    """

    specs: dict[str, str]
    unknown: dict[str, str]


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
    """Return what a notebook's imports need in an environment.

    Args:
        notebook: Its path; empty for the one this session runs.
        environment: Where.
        session: Whose cells count, where no notebook is named.

    Raises:
        UsageError: The notebook cannot be read, or there is none to read.
    """
    path = os.path.expanduser(notebook) if notebook else _this_notebook(session)
    sources = list(_sources(path, session, named=bool(notebook)))
    if not sources:
        raise UsageError(
            "Which notebook is meant is not known here.",
            kept="Nothing was started.",
            advice="Name it: %envinstall --missing notebook.ipynb",
        )
    conda = environment.is_conda and "conda" in session.policy.managers
    folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    return _wanted_by(sources, environment, conda=conda, folder=folder)


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
    """Return what is missing and what brings it, to be shown before it is done."""
    from ..display import Table, as_text

    rows = tuple(found.specs.items())
    return as_text((Table(("Import", "Package"), rows, f"Not here, in the {where}"),)) + "\n"


def notes(found: Wanted) -> list[str]:
    """Return what is left out, and why."""
    return [f"{module} is left out. {why}" for module, why in found.unknown.items()]


def _wanted_by(
    sources: Iterable[str], environment: Environment, *, conda: bool, folder: str
) -> Wanted:
    """Return what the imports of some code need that an environment does not have.

    Args:
        sources: Python code, a cell each; a magic is no Python, and its cell's other lines count.
        environment: Which.
        conda: Whether conda's names are meant.
        folder: Where the user's own modules lie.
    """
    asked: dict[str, None] = {}
    without: set[str] = set()
    for python in map(_python_of, sources):
        without |= optional(python)
        asked.update((name, None) for _, _, name in imported(python))
    here = _Here(environment, folder)
    specs: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for module in _longest(asked):
        shown = module if module.partition(".")[0] in names.names().namespaces else ""
        shown = shown or module.partition(".")[0]
        if here.has(module) or shown in specs or shown in unknown:
            continue
        if module in without:
            unknown[shown] = "The code does without it."
            continue
        hint = explain_module(module, conda=conda, folder=folder)
        if hint is not None and hint.spec:
            specs[shown] = hint.spec
        elif hint is not None:
            unknown[shown] = hint.text
    return Wanted(specs, unknown)


def _python_of(source: str) -> str:
    """A cell without what is IPython's in it; empty where all of it is another language's."""
    from ..capture.source import logical_lines

    if source.lstrip().startswith("%%"):
        first, _, rest = source.lstrip().partition("\n")
        if first[2:].split(maxsplit=1)[:1] not in (["time"], ["timeit"], ["capture"], ["prun"]):
            return ""
        source = rest
    return "".join(line.python for line in logical_lines(source))


def _longest(asked: Iterable[str]) -> list[str]:
    """The dotted names, in their order; of one namespace package's parts the whole ones alone."""
    every = list(asked)
    spaces = names.names().namespaces
    return [
        name
        for name in every
        if name.partition(".")[0] not in spaces
        or not any(other.startswith(f"{name}.") for other in every)
    ]


class _Here:
    """What can be imported in an environment, found without starting its Python."""

    def __init__(self, environment: Environment, folder: str) -> None:
        from ..where.packages import conda_distributions, read_distributions

        self._paths = [folder, *environment.site_packages]
        if os.path.realpath(environment.prefix) == os.path.realpath(sys.prefix):
            self._paths = [folder, *sys.path]
        self._packages = {package.name for package in read_distributions(environment)}
        self._packages |= conda_distributions(environment).keys()

    def has(self, module: str) -> bool:
        """Return whether a module is there; in a namespace, whether its package is."""
        from importlib.machinery import PathFinder

        root = module.partition(".")[0]
        if root in sys.builtin_module_names:
            return True
        spec = PathFinder.find_spec(root, self._paths)
        if spec is None and root in sys.stdlib_module_names:
            spec = PathFinder.find_spec(root)
        if spec is None:
            return False
        if root in names.names().namespaces and spec.origin is None:
            package = names.package_of(module)
            return package is None or package in self._packages
        return True
