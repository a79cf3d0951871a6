"""Remove packages from the running kernel's environment, and record it.

Examples:
    %envremove --dry-run pymongo       # the plan alone
    %envremove pymongo                 # whoever installed it removes it
    %envremove pip:twitter apt:tree
    %envremove --name other six        # from another environment
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import managers
from ..model.errors import UsageError
from ..model.packages import ManagerName, PackageSet, normalise
from ..model.parsing import read_specs
from ..model.request import Request
from ..model.spec import read_all
from ..where.packages import read_packages
from ._change import ChangeResult, add_keep_going, add_managers, add_mode, carry_out
from ._target import add_target, left_out, targets

if TYPE_CHECKING:
    import argparse

    from ..managers.steps import Step
    from ..model.environment import Environment
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("specs", nargs="+", metavar="NAME", help="what to remove")
    add_managers(parser)
    add_target(parser)
    add_mode(parser)
    add_keep_going(parser)


def run(args: argparse.Namespace, session: Session) -> ChangeResult:
    """Remove what was named from every target."""
    from ..managers.steps import Step

    asked = read_specs(args.specs, manager=args.manager)
    steps: list[Step] = []
    for environment in targets(args):
        by_manager: dict[ManagerName, list[str]] = {}
        here = read_packages(environment)
        for said, spec in asked.specs:
            by_manager.setdefault(said or _owner(spec, here, environment), []).append(spec)
        steps += [
            Step(
                request=Request(
                    action="remove",
                    manager=manager,
                    specs=read_all(manager, dict.fromkeys(by_manager[manager])),
                    options=args.options,
                ),
                environment=environment,
            )
            for manager in managers.names()
            if manager in by_manager
        ]
    return carry_out(steps, args, session, left_out(args))


def _owner(spec: str, here: PackageSet, environment: Environment) -> ManagerName:
    if ("conda", spec.lower()) in here:
        return "conda"
    if ("pip", normalise(spec)) in here:
        return "pip"
    advice = "See what is there: %envhistory, or !conda list, !pip list"
    if ("apt", spec) in here:
        advice = f"It is a Debian package of the whole system: %envremove apt:{spec}"
    raise UsageError(
        f"{spec} is not installed in {environment.description}.",
        kept="Nothing was removed.",
        advice=advice,
    )
