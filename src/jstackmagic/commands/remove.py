"""Remove packages from the running kernel's environment, and record it.

Examples:
    %envremove --dry-run pymongo       # the plan alone
    %envremove pymongo                 # whoever installed it removes it
    %envremove pip:twitter apt:tree
    %envremove --name other six        # from another environment
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model import managers
from ..model.errors import UsageError
from ..model.packages import ManagerName, PackageSet, normalise
from ..model.parsing import read_specs
from ..model.request import Request
from ..model.spec import read_all
from ..where.packages import read_packages
from ._change import carry_out
from ._mode import Several
from ._options import option
from ._shared import ByManager, Target

if TYPE_CHECKING:
    from ..managers.steps import Step
    from ..model.environment import Environment
    from ..session import Session
    from ._changed import ChangeResult


@dataclass(frozen=True)
class Options(Several, Target, ByManager):
    """The packages to remove, and their environment."""

    specs: tuple[str, ...] = option(nargs="+", metavar="NAME", help="what to remove")
    options: tuple[str, ...] = ()


def run(options: Options, session: Session) -> ChangeResult:
    """Remove what was named from every target."""
    from ..managers.steps import Step

    asked = read_specs(options.specs, manager=options.manager)
    steps: list[Step] = []
    for environment in options.environments():
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
                    options=options.options,
                ),
                environment=environment,
            )
            for manager in managers.names()
            if manager in by_manager
        ]
    return carry_out(steps, options, session, options.not_reached())


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
