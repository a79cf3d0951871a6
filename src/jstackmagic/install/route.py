"""Give every spec a manager, and make steps of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import names
from ..managers.steps import Step
from ..model import managers
from ..model.managers import is_system, of_environment
from ..model.packages import normalise
from ..model.request import Request
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

    What is installed already stays with the manager that installed it.

    Args:
        asked: What a line or a cell asks for.
        environment: The environment.
        allowed: The managers that the policy allows.
        console: Where the progress of reading the channels goes.

    Returns:
        The same with every manager said, and sentences for the user.
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
    """Return a spec by PyPI's name where conda-forge has another: ``opencv`` → ``opencv-python``.

    Only of much used packages, where it is plain what is meant.
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
    """Return a step for each manager that is asked, in the order in which they work.

    Args:
        asked: With every manager said.
        environment: The environment.
    """
    requests = (
        Request(
            action="install",
            manager=manager,
            specs=specs,
            sources=asked.sources.of(manager),
            options=asked.pip_options if manager == "pip" else (),
        )
        for manager in managers.names()
        if (specs := asked.of(manager))
    )
    return [Step(request=request, environment=environment) for request in requests]


def once(steps: Iterable[Step], *, upgrade: bool, options: Iterable[str]) -> list[Step]:
    """Return the steps as they are carried out, what serves the whole system once.

    Args:
        steps: For all environments.
        upgrade: Whether the newest version is requested.
        options: What follows ``--``.
    """
    kept: list[Step] = []
    for step in steps:
        more = (*step.request.options, *options)
        request = replace(step.request, upgrade=upgrade, options=more)
        known = is_system(request.manager) and any(request == other.request for other in kept)
        if not known:
            kept.append(replace(step, request=request))
    return kept
