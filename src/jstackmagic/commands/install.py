"""Install into the running kernel's environment, and record it.

Examples:
    %envinstall pymongo                         # conda first, then pip, in a conda environment
    %envinstall pymongo pip:twitter apt:tree
    %envinstall --pip "numpy>=1.20" -r requirements.txt
    %envinstall -f environment.yml              # or pylock.toml, @EXPLICIT, a script, a lock
    %envinstall --group dev                     # a dependency group of pyproject.toml
    %envinstall --conda -c conda-forge python-graphviz
    %envinstall --name other six                # another environment
    %envinstall --missing                       # all that this notebook imports and is not here
    %envinstall --missing old.ipynb --dry-run   # or that another one does, the plan alone
    %envinstall --dry-run pandas                # the plan alone
    %envinstall --pip twitter -- --no-deps      # what only the manager knows, after two dashes

    %%envinstall                                # a cell: specs, sections, or an environment.yml
    numpy>=1.20
    pip:
    twitter
    apt:
    graphviz
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..install.route import once, route, steps_of
from ..managers import repairs
from ..model.cell import read_cell
from ..model.errors import UsageError
from ..model.parsing import Asked, logical_lines, read_specs
from ..model.slips import check_verb
from . import _lists, _missing
from ._change import carry_out
from ._changed import ChangeResult
from ._options import ByManager, FromSources, Groups, Several, Target, flag, option

if TYPE_CHECKING:
    from ..managers.steps import Step
    from ..session import Session


@dataclass(frozen=True)
class Options(Several, FromSources, Groups, Target, ByManager):
    """What to install, where, and from which sources."""

    specs: tuple[str, ...] = option(nargs="*", metavar="SPEC", help="what to install")
    upgrade: bool = flag("-U", "--upgrade", help="also move what is there to the newest version")
    requirement: tuple[str, ...] = option(
        *("-r", "--requirement", "-f", "--file"),
        action="append",
        metavar="FILE",
        help="a list of packages: requirements.txt, environment.yml, a lock file, …",
    )
    constraint: tuple[str, ...] = option(
        "--constraint", action="append", metavar="FILE", help="for pip"
    )
    editable: tuple[str, ...] = option(
        "-e", "--editable", action="append", metavar="PATH", help="for pip"
    )
    repair: bool = flag("--repair", help="finish a conda install that was cut off, first")
    missing: str | None = option(
        "--missing",
        nargs="?",
        const=_missing.HERE,
        metavar="NOTEBOOK",
        help="what a notebook, or this one, imports and is not here",
    )
    verify: bool = flag(
        "--verify",
        help="ask the managers afterwards whether it is so; exit status 1 where it is not",
    )
    options: tuple[str, ...] = ()


def run(options: Options, session: Session) -> ChangeResult:
    """Install what was asked for into every target."""
    asked = _read(options, session)
    readings = _lists.read(options.requirement, options.group)
    if options.repair:
        repaired = tuple(repairs(options.environments(), session.console))
        if not asked.specs and not readings:
            return ChangeResult(done=(), notes=repaired)
    listed = any(reading.requests for reading in readings)
    if not asked.specs and not listed and options.missing is None:
        raise UsageError(
            "There is nothing to install.",
            kept="Nothing was started.",
            advice="Name a package: %envinstall pymongo",
        )
    notes = [*asked.notes, *options.not_reached()]
    for reading in readings:
        notes += _lists.notes(reading)
    steps: list[Step] = []
    sources = partial(options.sources, session.policy.sources)
    for environment in options.environments():
        here = asked
        if options.missing is not None:
            found, left = _missing.specs(options.missing, environment, session)
            here += read_specs(found, manager=options.manager)
            notes += left
        said, why = route(here, environment, session.policy.managers, session.console)
        notes += why
        steps += steps_of(said, environment)
        for reading in readings:
            steps += _lists.steps_of(reading, environment, sources)
    result = carry_out(
        once(steps, upgrade=options.upgrade, options=options.options), options, session, notes
    )
    if not options.verify:
        return result
    from ._verify import verified

    records = [item.record for item in result.done if item.record is not None]
    return replace(result, verified=verified(session, records))


def _read(options: Options, session: Session) -> Asked:
    if not options.force:
        for words in (
            options.specs,
            *(line.split() for _, line in logical_lines(session.cell or "")),
        ):
            check_verb(words)
    folder = os.getcwd()
    words = [
        *options.specs,
        *(f"-r {path}" for path in options.requirement if _lists.is_pips(path)),
        *(f"-c {path}" for path in options.constraint),
        *(f"-e {path}" for path in options.editable),
    ]
    asked = read_specs(words, manager=options.manager, folder=folder)
    if session.cell is not None:
        asked += read_cell(session.cell, manager=options.manager, folder=folder)
    return replace(asked, sources=options.sources(session.policy.sources, asked.sources))
