"""Install into the running kernel's environment, and record it.

Examples:
    %envinstall pymongo                         conda first, then pip, in a conda environment
    %envinstall pymongo pip:twitter apt:graphviz
    %envinstall --pip "numpy>=1.20" -r requirements.txt
    %envinstall --conda -c conda-forge python-graphviz
    %envinstall --name other six                another environment
    %envinstall --dry-run pandas                the plan alone
    %envinstall --pip somepackage -- --no-deps  what only the manager knows, after two dashes

    %%envinstall                                a cell: specs, sections, or an environment.yml
    numpy>=1.20
    pip:
    twitter
    apt:
    graphviz
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..guards import describe
from ..packages import normalise, read_packages
from ..parsing import MANAGERS, Asked, read_cell, read_specs
from ..request import Request
from ._change import ChangeResult, add_managers, add_mode, carry_out
from ._target import add_target, left_out, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..environment import Environment
    from ..transaction import Step
    from . import Session


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
        "-r", "--requirement", action="append", default=[], metavar="FILE", help="for pip"
    )
    parser.add_argument("--constraint", action="append", default=[], metavar="FILE", help="for pip")
    parser.add_argument(
        "-e", "--editable", action="append", default=[], metavar="PATH", help="for pip"
    )
    parser.add_argument(
        "--repair", action="store_true", help="finish a conda install that was cut off, first"
    )
    add_mode(parser)


def run(args: argparse.Namespace, session: Session) -> ChangeResult:
    """Install what was asked for into every target."""
    asked = _read(args, session)
    if args.repair:
        repaired = _repair(args, session)
        if not asked.specs:
            return ChangeResult(done=(), notes=repaired)
    if not asked.specs:
        raise UsageError(
            "There is nothing to install.",
            kept="Nothing was started.",
            advice="Name a package: %envinstall pymongo",
        )
    notes = [*asked.notes, *left_out(args)]
    steps: list[Step] = []
    for environment in targets(args):
        said, why = _route(asked, environment)
        notes += why
        steps += _steps(said, environment, args)
    return carry_out(_apt_once(steps), args, session, notes)


def _repair(args: argparse.Namespace, session: Session) -> tuple[str, ...]:
    from ..managers.rattler import repair

    return tuple(
        f"Finished what was cut off in the {describe(environment)}."
        if repair(environment, session.output)
        else f"Nothing was cut off in the {describe(environment)}."
        for environment in targets(args)
        if environment.is_conda
    )


def _read(args: argparse.Namespace, session: Session) -> Asked:
    folder = os.getcwd()
    words = [
        *args.specs,
        *(f"-r {path}" for path in args.requirement),
        *(f"-c {path}" for path in args.constraint),
        *(f"-e {path}" for path in args.editable),
    ]
    asked = read_specs(words, manager=args.manager, folder=folder)
    if session.cell is not None:
        asked += read_cell(session.cell, manager=args.manager, folder=folder)
    return replace(
        asked,
        channels=(*args.channel, *asked.channels),
        index_url=args.index_url or asked.index_url,
        extra_index_urls=(*args.extra_index_url, *asked.extra_index_urls),
    )


def _route(asked: Asked, environment: Environment) -> tuple[Asked, list[str]]:
    """Give every spec a manager: conda first in a conda environment, then pip.

    What is installed already stays with the manager that installed it.
    """
    unsaid = asked.of(None)
    if not unsaid:
        return asked, []
    chosen = dict.fromkeys(unsaid, "pip")
    notes: list[str] = []
    if environment.is_conda:
        here = read_packages(environment, ("conda", "pip"))
        unknown = []
        for spec in unsaid:
            name = _name(spec)
            if ("conda", name) in here:
                chosen[spec] = "conda"
            elif ("pip", normalise(name)) not in here:
                unknown.append(spec)
        if unknown:
            from ..managers.rattler import available

            offered = available(unknown, environment, asked.channels)
            for spec in unknown:
                if offered[spec]:
                    chosen[spec] = "conda"
                else:
                    notes.append(f"No channel here has {spec}; pip is asked for it.")
    specs = tuple((said or chosen[spec], spec) for said, spec in asked.specs)
    return replace(asked, specs=specs), notes  # type: ignore[arg-type]


def _name(spec: str) -> str:
    import re

    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec)
    return found[0].lower() if found else spec


def _steps(asked: Asked, environment: Environment, args: argparse.Namespace) -> Iterator[Step]:
    from ..transaction import Step

    for manager in MANAGERS:
        specs = asked.of(manager)
        if not specs:
            continue
        request = Request(
            action="install",
            manager=manager,
            specs=specs,
            upgrade=args.upgrade,
            options=args.options,
        )
        if manager == "conda":
            request = replace(request, channels=tuple(dict.fromkeys(asked.channels)))
        if manager == "pip":
            request = replace(
                request,
                index_url=asked.index_url,
                extra_index_urls=tuple(dict.fromkeys(asked.extra_index_urls)),
            )
        yield Step(request=request, environment=environment)


def _apt_once(steps: list[Step]) -> list[Step]:
    """Debian packages serve the whole system: once is enough for several environments."""
    kept: list[Step] = []
    for step in steps:
        if step.request.manager == "apt" and any(step.request == other.request for other in kept):
            continue
        kept.append(step)
    return kept
