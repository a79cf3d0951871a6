"""Explain why a problem has no solution, in words a user can act on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ....model.errors import NOTHING_CHANGED, CommandFailed
from ..present import nearest
from ..spec import CondaSpec, name_of, parse, pinned_where
from . import condahistory, repodata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rattler import RepoDataRecord

    from .problem import Problem
    from .repodata import Channels

_SHOWN = 6  # versions that are listed


async def explain_conflict(
    problem: Problem, error: Exception, solvable: Callable[[Problem], Awaitable[bool]]
) -> CommandFailed:
    """Explain why the solver found no solution.

    Args:
        problem: The solver's problem.
        error: The solver's message.
        solvable: Returns whether another problem has a solution, to find the obstacle.
    """
    held = await repodata.versions(problem.channels, [spec.name for spec in problem.specs])
    unknown = [spec for spec in problem.specs if not held[spec.name]]
    if unknown:
        return await _no_such_package(unknown, problem.channels)
    missing = [
        spec
        for spec in problem.specs
        if not any(_serves(record, spec, problem.channels) for record in held[spec.name])
    ]
    if missing:
        found = _no_such_version(missing, held, problem.channels)
        absent = {spec.name for spec in missing}
        pins = [pin for pin in problem.pins if name_of(parse(pin)) in absent]
        if pins:
            where = pinned_where(problem.prefix, pins)
            found.advice = (*found.advice, f"Also pinned: {', '.join(pins)} ({where}).")
        return found
    words = str(error).replace("Cannot solve the request because of: ", "").strip()
    names = " ".join(spec.text for spec in problem.specs)
    return CommandFailed(
        f"There is no way to install {names} beside what is there:\n{words}",
        kept=NOTHING_CHANGED,
        advice=await _ways_out(problem, solvable),
    )


def _serves(record: RepoDataRecord, spec: CondaSpec, channels: Channels) -> bool:
    return spec.match.matches(record) and repodata.is_from(record, spec, channels)


async def _no_such_package(unknown: Sequence[CondaSpec], channels: Channels) -> CommandFailed:
    names = ", ".join(spec.name for spec in unknown)
    near = nearest(unknown[0].name, await repodata.names(channels))
    return CommandFailed(
        f"No package called {names} in {channels}.",
        kept=NOTHING_CHANGED,
        advice=(
            *([f"Did you mean {' or '.join(near)}?"] if near else []),
            "Another channel may have it: -c CHANNEL",
            f"or the Python Package Index: %envinstall --pip {' '.join(s.name for s in unknown)}",
        ),
    )


def _no_such_version(
    missing: Sequence[CondaSpec], held: Mapping[str, Sequence[RepoDataRecord]], channels: Channels
) -> CommandFailed:
    lines = []
    for spec in missing:
        versions = list(dict.fromkeys(str(record.version) for record in held[spec.name]))
        more = f" and {len(versions) - _SHOWN} older" if len(versions) > _SHOWN else ""
        lines.append(f"{spec.name}: {', '.join(versions[:_SHOWN])}{more}")
    names = ", ".join(spec.text for spec in missing)
    return CommandFailed(
        f"No package matches {names} in {channels}.",
        kept=NOTHING_CHANGED,
        advice=("There is " + "; ".join(lines), "Another channel may have it: -c CHANNEL"),
    )


async def _ways_out(
    problem: Problem, solvable: Callable[[Problem], Awaitable[bool]]
) -> tuple[str, ...]:
    """Return the obstacles: a pin, an earlier spec, or Python's version."""
    names = " ".join(spec.text for spec in problem.specs)
    if problem.pins and await solvable(replace(problem, pins=())):
        guilty = [
            pin
            for pin in problem.pins
            if await solvable(replace(problem, pins=tuple(p for p in problem.pins if p != pin)))
        ]
        pins = ", ".join(guilty or problem.pins)
        where = pinned_where(problem.prefix, guilty or problem.pins)
        return (
            f"A pin stands in the way: {pins} ({where}).",
            "To lift it, take its line out there, then ask again.",
        )
    bound = {
        name: spec
        for name, spec in sorted(problem.earlier.items())
        if name not in problem.asked and spec != name
    }
    if bound and await solvable(replace(problem, earlier={})):
        guilty = [name for name in bound if await solvable(_freed(problem, name))] or list(bound)
        when = condahistory.asked_on(problem.prefix)
        wishes = ", ".join(
            f"{bound[name]} was asked for" + (f" on {when[name]}" if name in when else "")
            for name in guilty
        )
        return (
            f"What you asked for earlier stands in the way: {wishes} (conda-meta/history).",
            f"Let it move, by asking for it again: %envinstall {names} {' '.join(guilty)}",
        )
    if "python" in problem.installed and "python" not in problem.asked:
        python = {**problem.installed}
        del python["python"]
        if await solvable(replace(problem, installed=python)):
            return ("It needs another version of Python: make a new environment for it.",)
    return ()


def _freed(problem: Problem, name: str) -> Problem:
    earlier = {other: spec for other, spec in problem.earlier.items() if other != name}
    return replace(problem, earlier=earlier)
