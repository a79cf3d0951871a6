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
    %envinstall --pip twitter -- --no-deps      # the manager's own options, after two dashes

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
from itertools import chain

from ..install.route import once, route, steps_of
from ..managers.steps import Step
from ..model.cell import read_cell
from ..model.errors import UsageError
from ..model.parsing import Asked, logical_lines, read_specs
from ..model.slips import check_verb, check_words
from ..session import Session
from . import _missing
from ._change import carry_out, repair
from ._changed import ChangeResult
from ._lists import Lists, notes_of, steps_of_list
from ._mode import Several
from ._options import flag, option
from ._shared import ByManager, TargetOptions
from ._sources import FromSources
from ._verify import verified


@dataclass(frozen=True)
class Options(Several, Lists, FromSources, TargetOptions, ByManager):
    """The packages to install, their environment and their sources."""

    specs: tuple[str, ...] = option(nargs="*", metavar="SPEC", help="what to install")
    upgrade: bool = flag("-U", "--upgrade", help="also move what is there to the newest version")
    repair: bool = flag("--repair", help="finish an install that was cut off, first")
    missing: str | None = option(
        "--missing",
        nargs="?",
        const=_missing.HERE,
        metavar="NOTEBOOK",
        help="what a notebook, or this one, imports and is not here",
    )
    verify: bool = flag(
        "--verify",
        help="check the result with the managers afterwards; exit status 1 where it differs",
    )
    options: tuple[str, ...] = ()


def run(options: Options, session: Session) -> ChangeResult:
    """Install the requested packages into every target."""
    asked, readings = _read(options, session), options.readings()
    if options.verify and (options.dry_run or options.record_only):
        unused = "--dry-run" if options.dry_run else "--record-only"
        raise UsageError(f"--verify checks what was installed, and {unused} installs nothing.")
    if options.repair:
        alone = not (asked.specs or readings or options.missing is not None)
        repaired = repair(options.environments(), options, session, alone=alone)
        if repaired is not None:
            return repaired
    notes = [*asked.notes, *options.not_reached(), *chain.from_iterable(map(notes_of, readings))]
    listed = asked.specs or any(reading.requests for reading in readings)
    if not listed and options.missing is None:
        raise UsageError(
            "There is nothing to install.",
            advice=(*notes, "Name a package: %envinstall pymongo"),
        )
    steps: list[Step] = []
    missing: dict[str, str] = {}
    sources = partial(options.sources, session.policy.sources)
    for environment in options.environments():
        here = asked
        if options.missing is not None:
            found, left = _missing.specs(options.missing, environment, session)
            missing |= found
            here += read_specs(dict.fromkeys(found.values()), manager=options.manager)
            notes += left
        said, why = route(here, environment, session.policy.managers, session.console)
        notes += why
        steps += steps_of(said, environment)
        for reading in readings:
            steps += steps_of_list(reading, environment, sources)
    steps = once(steps, upgrade=options.upgrade, options=options.options)
    options.check_channels(step.request.manager for step in steps)
    result = replace(carry_out(steps, options, session, notes), missing=missing)
    records = [item.record for item in result.done if item.record is not None]
    return replace(result, verified=verified(session, records)) if options.verify else result


def _read(options: Options, session: Session) -> Asked:
    if not options.force:
        check_words(options.specs, options.manager)
        for _, line in logical_lines(session.cell or ""):
            check_verb(line.split())
    asked = read_specs(
        (*options.specs, *options.words()), manager=options.manager, folder=os.getcwd()
    )
    if session.cell is not None:
        asked += read_cell(session.cell, manager=options.manager, folder=os.getcwd())
    return replace(asked, sources=options.sources(session.policy.sources, asked.sources))
