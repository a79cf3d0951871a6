"""Give every spec a manager, and make steps of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import names
from ..managers.steps import Step
from ..model.managers import is_system, of_environment
from ..model.packages import normalise
from ..where.packages import read_packages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..display.console import Console
    from ..model.environment import Environment
    from ..model.packages import ManagerName
    from ..model.parsing import Asked


def route(
    asked: Asked, environment: Environment, allowed: Iterable[ManagerName], console: Console
) -> tuple[Asked, list[str]]:
    """Give every spec a manager: conda first in a conda environment, then pip.

    Installed packages stay with the manager that installed them.

    Args:
        asked: The request of a line or a cell.
        environment: The environment.
        allowed: The managers that the policy allows.
        console: Shows the progress of reading the channels.

    Returns:
        The same with a manager for every spec, and sentences for the user.
    """
    unsaid = asked.unsaid
    if not unsaid:
        return asked, []
    chosen = dict.fromkeys(unsaid, "pip")
    notes: list[str] = []
    renamed: dict[str, str] = {}
    if environment.is_conda and "conda" in allowed:
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

            offered = MANAGER.available(unknown, environment, asked.sources.channels, console)
            for spec in unknown:
                if offered[spec]:
                    chosen[spec] = "conda"
                    continue
                renamed[spec] = for_pip(spec)
                called = "" if renamed[spec] == spec else f", as {renamed[spec]}"
                notes.append(f"No channel here has {spec}; pip is asked for it{called}.")
    specs = tuple(
        (said, spec) if said else (chosen[spec], renamed.get(spec, spec))
        for said, spec in asked.specs
    )
    return replace(asked, specs=specs), notes


def for_pip(spec: str) -> str:
    """Return a spec by PyPI's name if conda-forge's differs: ``opencv`` → ``opencv-python``.

    Only for much used packages, where the meaning is clear.
    """
    name = _name(spec)
    other = names.pypi_name(name)
    meant = names.is_popular(other) and not (
        names.is_popular(name) and names.conda_name(name) == name
    )
    if not meant:
        return spec
    return other + spec[len(name) :]


def _name(spec: str) -> str:
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec)
    return found[0].lower() if found else spec


def steps_of(asked: Asked, environment: Environment) -> list[Step]:
    """Return a step for each manager, in the order in which they work.

    Args:
        asked: The request, with a manager for every spec.
        environment: The environment.
    """
    return [Step(request, environment) for request in asked.requests()]


def once(steps: Iterable[Step], *, upgrade: bool, options: Iterable[str]) -> list[Step]:
    """Return the steps to carry out, with those for the whole system only once.

    Args:
        steps: The steps for all environments.
        upgrade: Whether the newest version is requested.
        options: The words after ``--``.
    """
    kept: list[Step] = []
    for step in steps:
        more = (*step.request.options, *options)
        request = replace(step.request, upgrade=upgrade, options=more)
        known = is_system(request.manager) and any(request == other.request for other in kept)
        if not known:
            kept.append(replace(step, request=request))
    return kept
