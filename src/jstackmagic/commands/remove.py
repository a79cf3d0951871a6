"""Remove packages from the running kernel's environment, and record it.

Examples:
    %envremove --dry-run pymongo       # the plan alone
    %envremove pymongo                 # whoever installed it removes it
    %envremove pip:twitter apt:tree
    %envremove --name other six        # from another environment
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..managers import get
from ..managers.steps import Step
from ..model import managers
from ..model.environment import Environment
from ..model.errors import UsageError
from ..model.ledger import fold
from ..model.packages import ManagerName, PackageSet
from ..model.parsing import read_specs
from ..model.request import Request
from ..model.spec import read, read_all
from ..session import Session
from ..where.metadata import read_packages
from ..where.ours import OWN, left_behind, needs_of
from ._change import carry_out
from ._changed import ChangeResult
from ._mode import Several
from ._options import option
from ._shared import ByManager, TargetOptions


@dataclass(frozen=True)
class Options(Several, TargetOptions, ByManager):
    """The packages to remove, and their environment."""

    specs: tuple[str, ...] = option(nargs="+", metavar="NAME", help="what to remove")
    options: tuple[str, ...] = ()


def run(options: Options, session: Session) -> ChangeResult:
    """Remove the named packages from every target."""
    asked = read_specs(options.specs, manager=options.manager)
    steps: list[Step] = []
    for environment in options.environments():
        by_manager: dict[ManagerName, list[str]] = {}
        here = PackageSet() if all(said for said, _ in asked.specs) else read_packages(environment)
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
    notes = [*options.not_reached(), *_dependencies(steps, session)]
    return carry_out(steps, options, session, notes)


def _dependencies(steps: Sequence[Step], session: Session) -> Iterator[str]:
    """Yield notes on what stays and needs a removed package, and on what nothing needs then."""
    recipe = fold(session.history.records())
    together = {(each.request.manager, spec.name) for each in steps for spec in each.request.specs}
    for step in steps:
        manager, environment = step.request.manager, step.environment
        if managers.is_system(manager):
            continue
        here = read_packages(environment, managers.of_environment())
        needs = needs_of(environment, here)
        gone = {(manager, spec.name) for spec in step.request.specs}
        follows = not get(manager).leaves_needed  # its own that need a package go with it
        for key in sorted(gone):
            who = {each for each, those in needs.items() if key in those} - together - {OWN}
            names = sorted(name for whose, name in who if not (follows and whose == manager))
            if names:
                yield f"{key[1]} is still needed by {', '.join(names)}."
        found = () if follows else left_behind(environment, here, needs, gone, recipe)
        if found:
            target = " ".join(map(shlex.quote, environment.conda_target()))
            more = " ".join(f"{manager}:{package.name}" for package in found)
            yield (
                f"Nothing else here needs {', '.join(each.name for each in found)}, which came"
                f" along with it. To remove {'it' if len(found) == 1 else 'them'} as well:"
                f" %envremove {target} {more}"
            )


def _owner(spec: str, here: PackageSet, environment: Environment) -> ManagerName:
    owners = [name for name in managers.names() if (name, read(name, spec).name) in here]
    for owner in owners:
        if not managers.is_system(owner):
            return owner
    target = " ".join(map(shlex.quote, environment.conda_target()))
    advice = f"See what is there: %envinfo --packages {target}"
    if owners:
        advice = f"It is a package of the whole system: %envremove {owners[0]}:{spec}"
    raise UsageError(
        f"{spec} is not installed in {environment.description}.",
        kept="Nothing was removed.",
        advice=advice,
    )
