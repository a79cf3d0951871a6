"""Give every spec a manager, and make steps of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..display.console import Console
from ..managers import Manager, get
from ..managers.steps import Step
from ..model.environment import Environment
from ..model.managers import FALLBACK, is_system, of_environment
from ..model.packages import ManagerName, PackageSet
from ..model.parsing import Asked
from ..model.spec import read
from ..where.metadata import read_packages


def route(
    asked: Asked, environment: Environment, allowed: Iterable[ManagerName], console: Console
) -> tuple[Asked, list[str]]:
    """Give every spec a manager: conda first in a conda environment, then pip.

    Installed packages stay with the manager that installed them.

    Returns:
        The same with a manager for every spec, and sentences for the user.
    """
    unsaid = asked.unsaid
    if not unsaid:
        return asked, []
    last = get(FALLBACK)
    asking = [
        manager
        for manager in map(get, of_environment())
        if manager is not last and manager.name in allowed and manager.works_in(environment)
    ]
    if not asking:
        return replace(
            asked, specs=tuple((said or last.name, spec) for said, spec in asked.specs)
        ), []
    here = read_packages(environment, of_environment())
    chosen = {spec: _owner(spec, (*asking, last), here) for spec in unsaid}
    notes: list[str] = []
    renamed: dict[str, str] = {}
    for manager in asking:
        unknown = [spec for spec in unsaid if not chosen[spec]]
        offered = _offered(manager, unknown, asked, environment, console)
        chosen |= {spec: manager.name for spec in offered if offered[spec]}
        renamed |= {spec: last.own_name(spec) for spec in offered if not offered[spec]}
    for spec in (spec for spec in unsaid if not chosen[spec]):
        name = renamed.get(spec, spec)
        called = "" if name == spec else f", as {name}"
        if spec in renamed:
            notes.append(f"No channel here has {spec}; {last.name} is asked for it{called}.")
        chosen[spec] = last.name
    specs = tuple(
        (said, spec)
        if said
        else (chosen[spec], renamed.get(spec, spec) if chosen[spec] == last.name else spec)
        for said, spec in asked.specs
    )
    return replace(asked, specs=specs), notes


def _offered(
    manager: Manager,
    specs: Sequence[str],
    asked: Asked,
    environment: Environment,
    console: Console,
) -> Mapping[str, Sequence[str]]:
    """Return the versions that a manager offers of each spec; empty if it cannot say."""
    if not specs:
        return {}
    return manager.available(specs, environment, asked.sources.channels, console) or {}


def _owner(spec: str, managers: Iterable[Manager], here: PackageSet) -> ManagerName:
    """Return the manager that installed what a spec names; empty if it is not here."""
    names = (manager.name for manager in managers)
    return next((name for name in names if (name, read(name, spec).name) in here), "")


def steps_of(asked: Asked, environment: Environment) -> list[Step]:
    """Return a step for each manager, in the order in which they work."""
    return [Step(request, environment) for request in asked.requests()]


def once(steps: Iterable[Step], *, upgrade: bool, options: Iterable[str]) -> list[Step]:
    """Return the steps to carry out, with those for the whole system only once."""
    kept: list[Step] = []
    for step in steps:
        more = (*step.request.options, *options)
        request = replace(step.request, upgrade=upgrade, options=more)
        known = is_system(request.manager) and any(request == other.request for other in kept)
        if not known:
            kept.append(replace(step, request=request))
    return kept
