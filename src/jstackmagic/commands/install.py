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
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from ..io.reading import path_of
from ..model import managers
from ..model.cell import read_cell
from ..model.credentials import mask
from ..model.errors import UsageError
from ..model.managers import is_system, of_environment
from ..model.packages import normalise
from ..model.parsing import Asked, logical_lines, read_specs
from ..model.request import Request
from ..model.slips import magic_for, repeated_verb
from ..model.sources import Sources
from ..where.packages import read_packages
from ._change import ChangeResult, add_keep_going, add_managers, add_mode, carry_out
from ._group import add_group
from ._missing import add_missing
from ._target import add_target, left_out, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..capture.files import Reading
    from ..managers.steps import Step
    from ..model.environment import Environment
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("specs", nargs="*", metavar="SPEC", help="what to install")
    add_managers(parser)
    add_target(parser)
    parser.add_argument(
        "-U", "--upgrade", action="store_true", help="also move what is there to the newest version"
    )
    parser.add_argument(
        "-c", "--channel", action="append", default=[], help="a conda channel, first is strongest"
    )
    parser.add_argument("-i", "--index-url", default="", metavar="URL", help="in place of pip's")
    parser.add_argument(
        "--extra-index-url", action="append", default=[], metavar="URL", help="beside pip's index"
    )
    parser.add_argument(
        *("-r", "--requirement", "-f", "--file"),
        action="append",
        default=[],
        metavar="FILE",
        help="a list of packages: requirements.txt, environment.yml, a lock file, …",
    )
    add_group(parser)
    parser.add_argument("--constraint", action="append", default=[], metavar="FILE", help="for pip")
    parser.add_argument(
        "-e", "--editable", action="append", default=[], metavar="PATH", help="for pip"
    )
    parser.add_argument(
        "--repair", action="store_true", help="finish a conda install that was cut off, first"
    )
    add_missing(parser)
    parser.add_argument(
        "--verify",
        action="store_true",
        help="ask the managers afterwards whether it is so; exit status 1 where it is not",
    )
    add_mode(parser)
    add_keep_going(parser)


def run(args: argparse.Namespace, session: Session) -> ChangeResult:
    """Install what was asked for into every target."""
    asked = _read(args, session)
    readings = _files(args)
    if args.repair:
        repaired = _repair(args, session)
        if not asked.specs and not readings:
            return ChangeResult(done=(), notes=repaired)
    listed = any(reading.requests for reading in readings)
    if not asked.specs and not listed and args.missing is None:
        raise UsageError(
            "There is nothing to install.",
            kept="Nothing was started.",
            advice="Name a package: %envinstall pymongo",
        )
    notes = [*asked.notes, *left_out(args)]
    for reading in readings:
        notes += _notes(reading)
    steps: list[Step] = []
    for environment in targets(args):
        here = asked
        if args.missing is not None:
            here, left = _with_missing(asked, environment, args, session)
            notes += left
        said, why = _route(here, environment, session)
        notes += why
        steps += _steps(said, environment, args)
        for reading in readings:
            steps += _steps_of(reading, environment, args, session)
    result = carry_out(_apt_once(steps), args, session, notes)
    if not args.verify:
        return result
    from ._verify import verified

    records = [item.record for item in result.done if item.record is not None]
    return replace(result, verified=verified(session, records))


def _with_missing(
    asked: Asked, environment: Environment, args: argparse.Namespace, session: Session
) -> tuple[Asked, list[str]]:
    """Return what was asked for, and what the notebook's imports need; the plan is shown first."""
    from . import _missing

    found = _missing.wanted(args.missing, environment, session)
    left = _missing.notes(found)
    if not found.specs:
        left.append(f"Nothing that it imports is missing in the {environment.description}.")
        return asked, left
    session.console.say(_missing.plan_text(found, environment.description).rstrip("\n"))
    words = [shlex.split(spec)[0] for spec in found.specs.values()]
    return asked + read_specs(dict.fromkeys(words), manager=args.manager), left


def _repair(args: argparse.Namespace, session: Session) -> tuple[str, ...]:
    from ..managers.conda.rattler import repair

    return tuple(
        f"Finished what was cut off in the {environment.description}."
        if repair(environment, session.console)
        else f"Nothing was cut off in the {environment.description}."
        for environment in targets(args)
        if environment.is_conda
    )


def _check_verb(args: argparse.Namespace, session: Session) -> None:
    """Ask about a command that was typed where a package belongs.

    Raises:
        UsageError: The line, or a line of the cell, begins with one, and nothing forces it.
    """
    cell = [line.split() for _, line in logical_lines(session.cell or "")]
    for words in () if args.force else (args.specs, *cell):
        found = repeated_verb(words)
        if found is None:
            continue
        verb, rest = found
        raise UsageError(
            f"{verb} is what the command does; it would be looked for as a package.",
            kept="Nothing was started.",
            advice=(
                f"Did you mean: {magic_for(verb)} {shlex.join(rest)}?",
                f"If you do mean a package called {verb}: pip:{verb}, or add --force",
            ),
        )


def _read(args: argparse.Namespace, session: Session) -> Asked:
    _check_verb(args, session)
    folder = os.getcwd()
    words = [
        *args.specs,
        *(f"-r {path}" for path in args.requirement if _is_pips(path)),
        *(f"-c {path}" for path in args.constraint),
        *(f"-e {path}" for path in args.editable),
    ]
    asked = read_specs(words, manager=args.manager, folder=folder)
    if session.cell is not None:
        asked += read_cell(session.cell, manager=args.manager, folder=folder)
    return replace(asked, sources=_sources(args, asked.sources, session))


def _sources(args: argparse.Namespace, listed: Sources, session: Session) -> Sources:
    """Return what the line says before what a list says, and where neither does, the usual."""
    said = Sources(tuple(args.channel), args.index_url, tuple(args.extra_index_url))
    return (said | listed).or_else(session.policy.sources)


def _is_pips(path: str) -> bool:
    """Whether pip is to read a list itself: one of its own, one far away, one that is not there.

    One with a line that pip refuses or reads otherwise than it looks is read here, line by line.
    """
    from ..capture.files import reader, requirements

    place = path_of(path)
    module = reader(place)
    if module is None:
        return True
    return module is requirements and requirements.is_clean(requirements.read(place))


def _files(args: argparse.Namespace) -> list[Reading]:
    """The lists that pip cannot read, and the groups.

    Raises:
        UsageError: One cannot be read.
    """
    from ..capture import files
    from ..capture.files import pyproject

    readings = [files.read(path_of(path)) for path in args.requirement if not _is_pips(path)]
    return [*readings, *map(pyproject.read_group, args.group)]


def _notes(reading: Reading) -> Iterator[str]:
    """Yield what of a file is not done, or done otherwise."""
    yield from reading.notes
    for name in dict.fromkeys(found.target.name for found in reading.found if found.target.name):
        yield f"{reading.path} is of an environment {name}; the target stays as it is."
    for found in reading.problems:
        yield f"{reading.path}:{found.line}: {mask(found.command)} is left out. {found.reason}"
    yield from (f"{reading.path}: {found.note}" for found in reading.found if found.note)


def _steps_of(
    reading: Reading, environment: Environment, args: argparse.Namespace, session: Session
) -> Iterator[Step]:
    from ..managers.steps import Step

    for asked in reading.requests:
        request = replace(
            asked,
            upgrade=args.upgrade,
            sources=_sources(args, asked.sources, session).of(asked.manager),
            options=(*asked.options, *args.options),
        )
        yield Step(request=request, environment=environment)


def _route(asked: Asked, environment: Environment, session: Session) -> tuple[Asked, list[str]]:
    """Give every spec a manager: conda first in a conda environment, then pip.

    What is installed already stays with the manager that installed it.
    """
    unsaid = asked.unsaid
    if not unsaid:
        return asked, []
    chosen = dict.fromkeys(unsaid, "pip")
    notes: list[str] = []
    renamed: dict[str, str] = {}
    if environment.is_conda and "conda" in session.policy.managers:
        here = read_packages(environment, of_environment())
        unknown = []
        for spec in unsaid:
            name = _name(spec)
            if ("conda", name) in here:
                chosen[spec] = "conda"
            elif ("pip", normalise(name)) not in here:
                unknown.append(spec)
        if unknown:
            from ..managers.conda import MANAGER

            offered = MANAGER.available(
                unknown, environment, asked.sources.channels, session.console
            )
            for spec in unknown:
                if offered[spec]:
                    chosen[spec] = "conda"
                    continue
                renamed[spec] = _for_pip(spec)
                called = "" if renamed[spec] == spec else f", as {renamed[spec]}"
                notes.append(f"No channel here has {spec}; pip is asked for it{called}.")
    specs = tuple(
        (said, spec) if said else (chosen[spec], renamed.get(spec, spec))
        for said, spec in asked.specs
    )
    return replace(asked, specs=specs), notes


def _for_pip(spec: str) -> str:
    """A spec under PyPI's name where conda-forge's is another: ``opencv`` → ``opencv-python``.

    Only of much used packages, where it is plain what is meant.
    """
    from .. import names

    name = _name(spec)
    other = names.pypi_name(name)
    meant = names.is_popular(other) and not (
        names.is_popular(name) and names.conda_name(name) == name
    )
    if not meant:
        return spec
    return other + spec[len(name) :]


def _name(spec: str) -> str:
    import re

    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec)
    return found[0].lower() if found else spec


def _steps(asked: Asked, environment: Environment, args: argparse.Namespace) -> Iterator[Step]:
    from ..managers.steps import Step

    for manager in managers.names():
        specs = asked.of(manager)
        if not specs:
            continue
        request = Request(
            action="install",
            manager=manager,
            specs=specs,
            upgrade=args.upgrade,
            sources=asked.sources.of(manager),
            options=(*(asked.pip_options if manager == "pip" else ()), *args.options),
        )
        yield Step(request=request, environment=environment)


def _apt_once(steps: list[Step]) -> list[Step]:
    """Debian packages serve the whole system: once is enough for several environments."""
    kept: list[Step] = []
    for step in steps:
        if is_system(step.request.manager) and any(step.request == other.request for other in kept):
            continue
        kept.append(step)
    return kept
